"""Folders of groups in the whole product: real mounts of shared buckets, and folders of the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_session import HubSession
from naas_local.iam import set_groups
from product import Product, naas_up
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

ALICE = ["users/naas", "users/s3", "developers"]
FOLDERS = """
import pathlib
home = pathlib.Path.home()
cloud = home / "cloud-storage"
print(sorted(path.name for path in cloud.iterdir()))
"""
WRITE = """
import pathlib
try:
    (pathlib.Path.home() / "{path}").write_text("from {name}")
    print("written")
except OSError as error:
    print(error.strerror)
"""
READ = "import pathlib; print((pathlib.Path.home() / '{path}').read_text())"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The developers write in a bucket; everybody with storage reads one prefix of it; a folder of the host is for all."""
    root: Path = tmp_path_factory.mktemp("site")
    (root / "guide").mkdir(mode=0o755)
    (root / "guide" / "guide.txt").write_text("read me")
    (root / "guide" / "guide.txt").chmod(0o644)
    settings = {
        "iam": {"auth_refresh_age": 5},
        "storage": {
            "folders": [
                {"name": "cygno", "bucket": "cygno-data", "groups": ["developers"]},
                {
                    "name": "runs",
                    "bucket": "cygno-data",
                    "prefix": "runs/2026",
                    "groups": ["users/s3"],
                    "read_only": True,
                },
                {"name": "nobodys", "bucket": "no-data", "groups": ["nobody-has-this"]},
            ]
        },
        "hub": {"host_folders": [{"name": "guide", "path": str(root / "guide"), "read_only": True}]},
    }
    with naas_up(root, settings) as product:
        yield product


@pytest.fixture
def alice(site: Product) -> Iterator[HubSession]:
    with HubSession(site.url, "alice") as session:
        session.sign_in()
        session.start_server()
        session.wait_connected()
        yield session
        session.stop_server()


def test_an_empty_prefix_is_a_folder_for_who_may_only_read_there(site: Product) -> None:
    with HubSession(site.url, "bob") as bob:
        bob.sign_in()
        bob.start_server()
        bob.wait_connected()
        bob.stop_server()


def test_a_member_writes_what_others_read_and_nobody_else_sees(site: Product, alice: HubSession) -> None:
    with alice.kernel() as kernel:
        assert kernel.run(FOLDERS) == "['alice', 'cygno', 'runs', 'scratch', 'scratch-alice']\n"
        kernel.run("(cloud / 'cygno' / 'runs' / '2026').mkdir(parents=True, exist_ok=True)")
        assert kernel.run(WRITE.format(path="cloud-storage/cygno/runs/2026/one", name="alice")) == "written\n"
        assert kernel.run(WRITE.format(path="cloud-storage/cygno/secret", name="alice")) == "written\n"
    stored = site.data / "store" / "buckets" / "cygno-data" / "runs" / "2026" / "one"
    wait_for(stored.exists, "the upload")
    with HubSession(site.url, "bob") as bob:
        bob.sign_in()
        bob.start_server()
        bob.wait_connected()
        with bob.kernel() as kernel:
            assert kernel.run(FOLDERS) == "['bob', 'runs', 'scratch', 'scratch-bob']\n"
            assert kernel.run(READ.format(path="cloud-storage/runs/one")) == "from alice\n"
            assert kernel.run(WRITE.format(path="cloud-storage/runs/two", name="bob")) == "Read-only file system\n"
        rows = bob.server("GET", "naas/api/storage").json()["folders"]
        (runs,) = (row for row in rows if row["name"] == "runs")
        assert (runs["state"], runs["read_only"], runs["bucket"]) == ("ok", True, "cygno-data")
        listed = [row["name"] for row in bob.server("GET", "naas/api/buckets").json()["items"]]
        assert listed == ["bob", "cygno-data", "scratch"]
        objects = bob.server("GET", "naas/api/buckets/cygno-data/objects?prefix=runs/2026/").json()["items"]
        assert [row["key"] for row in objects] == ["runs/2026/one"]
        assert bob.server("GET", "naas/api/buckets/cygno-data/objects").status_code == 403
        bob.stop_server()


def test_a_folder_of_the_host_is_in_every_home_and_only_read(alice: HubSession) -> None:
    with alice.kernel() as kernel:
        assert kernel.run(READ.format(path="guide/guide.txt")) == "read me\n"
        assert kernel.run(WRITE.format(path="guide/new", name="alice")) == "Read-only file system\n"


def test_the_page_says_what_there_will_be(site: Product) -> None:
    with HubSession(site.url, "bob") as bob:
        bob.sign_in()
        page = bob.http.get("/hub/spawn", follow_redirects=True).text
    assert "cloud-storage/runs" in page
    assert "guide" in page
    assert "cygno" not in page


def test_who_leaves_the_group_has_no_folder_in_the_next_server(site: Product, alice: HubSession) -> None:
    set_groups(site.data / "iam", "alice", ALICE[:-1])
    try:
        alice.stop_server()
        wait_for(lambda: "developers" not in alice.hub("GET", "/user").json().get("groups", []), "the hub knows", 30)
        alice.start_server()
        alice.wait_connected()
        with alice.kernel() as kernel:
            assert kernel.run(FOLDERS) == "['alice', 'runs', 'scratch', 'scratch-alice']\n"
    finally:
        set_groups(site.data / "iam", "alice", ALICE)
