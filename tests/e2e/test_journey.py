"""From sign-in to a file in the bucket, without a browser: what every scientist does first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hub_session import HubSession
from product import Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

SAVE = """
import pathlib, time
folder = pathlib.Path.home() / "cloud-storage" / "{name}"
(folder / "result.txt").write_text("42\\n")
print(sorted(p.name for p in (pathlib.Path.home() / "cloud-storage").iterdir()))
"""


def bucket_file(product: Product, bucket: str, key: str) -> bytes | None:
    """What the embedded store keeps: plain files on disk."""
    path = product.data / "store" / "buckets" / bucket / key
    return path.read_bytes() if path.exists() else None


def test_what_alice_saves_in_her_folder_is_in_her_bucket(product: Product, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    alice.start_server()
    alice.wait_connected()
    with alice.kernel() as kernel:
        assert "['alice', 'scratch', 'scratch-alice']" in kernel.run(SAVE.format(name="alice"))
    assert wait_for(lambda: bucket_file(product, "alice", "result.txt"), "the upload") == b"42\n"


def test_files_are_there_again_after_a_stop(product: Product, person: Callable[[str], HubSession]) -> None:
    bob = person("bob")
    bob.start_server()
    bob.wait_connected()
    with bob.kernel() as kernel:
        kernel.run(SAVE.format(name="bob"))
        kernel.run("import pathlib; (pathlib.Path.home() / 'local' / 'note').write_text('kept')")
    bob.stop_server()
    assert bucket_file(product, "bob", "result.txt") == b"42\n", "a stop waits for uploads"
    bob.start_server()
    bob.wait_connected()
    with bob.kernel() as kernel:
        assert (
            kernel.run(
                "print((pathlib.Path.home() / 'cloud-storage' / 'bob' / 'result.txt').read_text())".replace(
                    "(pathlib", "(__import__('pathlib')"
                )
            )
            == "42\n\n"
        )
        assert kernel.run("import pathlib; print((pathlib.Path.home() / 'local' / 'note').read_text())") == "kept\n"


def test_erin_starts_without_cloud_storage_and_is_told_why(person: Callable[[str], HubSession]) -> None:
    erin = person("erin")
    erin.start_server()
    status = wait_for(lambda: erin.server("GET", "naas/api/storage").json(), "the storage status")
    assert status["state"] == "degraded"
    assert "users/s3" in status["reason"]


def test_carol_is_refused_with_a_page_that_says_which_groups_help(product: Product) -> None:
    with HubSession(product.url, "carol") as carol:
        page = carol.sign_in()
        assert page.status_code == 403
        for text in ("You are signed in, but not admitted yet", "users/naas", "carol", "Ask to join", "Check again"):
            assert text in page.text
        assert carol.hub("GET", "/user").status_code == 403


@pytest.mark.parametrize(("name", "sees"), [("dana", True), ("alice", False)])
def test_only_an_administrator_sees_the_admin_link(person: Callable[[str], HubSession], name: str, sees: bool) -> None:
    home = person(name).http.get("/hub/home").text
    assert ("/hub/admin" in home) is sees


def test_signing_out_ends_hub_and_iam_session(product: Product) -> None:
    with HubSession(product.url, "bob") as bob:
        bob.sign_in()
        assert bob.hub("GET", "/user").status_code == 200
        bob.sign_out()
        assert bob.hub("GET", "/user").status_code == 403
        again = bob.http.get("/hub/oauth_login?next=%2Fhub%2Fhome", follow_redirects=True)
        assert "password" in again.text.lower(), "IAM asks again"
