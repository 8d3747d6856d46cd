"""Folders of the host in people's homes: who has them, who writes there, and what nobody reaches through them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from naas_client.folders import HostFolder
from naas_client.homes import link
from naas_spawner.host import host_places
from spawner_stack import ROOT, HubUnderTest, launcher_in

GID = 23000 + os.getpid() % 5000
"""A Unix group of its own for the folder of a group."""
FILES = "from pathlib import Path\nhome = Path.home()\n"
TRY_TO_WRITE = FILES + (
    "try:\n    (home / '{name}' / 'new').write_text('x')\n    print('written')\nexcept OSError as error:\n    print(error.strerror)\n"
)


def folder(path: Path, mode: int, gid: int = 0) -> Path:
    path.mkdir()
    if ROOT:
        os.chown(path, 0, gid)
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def host(data: Path) -> Path:
    """Folders as an operator makes them, below a private one: the view opens it for what people need."""
    root = data.parent / "host"
    root.mkdir(mode=0o700)
    for name, mode, gid in (("read", 0o755, 0), ("group", 0o2770, GID), ("homes", 0o711, 0), ("later", 0o755, 0)):
        folder(root / name, mode, gid)
    (root / "read" / "guide.txt").write_text("for all")
    (root / "read" / "guide.txt").chmod(0o644)
    (root / "read" / "open").mkdir()
    (root / "read" / "open").chmod(0o777)
    return root


@pytest.fixture(scope="module")
def launcher(data: Path, host: Path) -> Any:
    with launcher_in(
        data, also=[host / name for name in ("read", "group", "homes")], read_only=[host / "read"]
    ) as process:
        yield process


@pytest.fixture(scope="module")
def spawner_settings(host: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"name": "shared", "path": str(host / "read"), "read_only": True},
        {"name": "cygno", "path": str(host / "group"), "groups": ["developers"]},
        {"name": "private", "path": str(host / "homes"), "kind": "private"},
        {"name": "gone", "path": str(host / "later" / "gone")},
    ]
    return {"host_folders": rows}


@pytest.fixture(scope="module")
def people(hub: HubUnderTest) -> HubUnderTest:
    """alice is one of the developers, bob is not."""
    for name in ("alice", "bob"):
        hub.started(name)
    return hub


needs_root = [pytest.mark.server, pytest.mark.root, pytest.mark.skipif(not ROOT, reason="needs root")]


class TestOnOneMachine:
    pytestmark = needs_root

    def test_what_is_for_all_is_read_by_all_and_written_by_nobody(self, people: HubUnderTest) -> None:
        for name in ("alice", "bob"):
            _, read = people.run(name, FILES + "print((home / 'shared' / 'guide.txt').read_text())")
            assert read == "for all\n"
            for place in ("shared", "shared/open"):
                assert people.run(name, TRY_TO_WRITE.format(name=place))[1] == "Read-only file system\n"

    def test_the_folder_of_a_group_is_written_by_members_together(self, people: HubUnderTest, host: Path) -> None:
        assert people.run("alice", TRY_TO_WRITE.format(name="cygno"))[1] == "written\n"
        made = (host / "group" / "new").stat()
        assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (
            (people.data / "homes" / "alice").stat().st_uid,
            GID,
            0o660,
        )

    def test_others_have_no_folder_and_do_not_get_in_by_its_path(self, people: HubUnderTest, host: Path) -> None:
        code = (
            FILES
            + f"import os\nprint((home / 'cygno').is_symlink(), os.access({str(host / 'group')!r}, os.R_OK | os.X_OK))"
        )
        assert people.run("bob", code)[1] == "False False\n"

    def test_a_private_folder_is_ones_own(self, people: HubUnderTest, host: Path) -> None:
        for name in ("alice", "bob"):
            assert people.run(name, TRY_TO_WRITE.format(name="private"))[1] == "written\n"
            assert stat.S_IMODE((host / "homes" / name).stat().st_mode) == 0o700
        code = f"from pathlib import Path\ntry:\n    print(list(Path({str(host / 'homes' / 'alice')!r}).iterdir()))\n"
        assert (
            people.run("bob", code + "except OSError as error:\n    print(error.strerror)")[1] == "Permission denied\n"
        )

    def test_a_folder_that_is_not_there_keeps_no_server_from_starting(self, people: HubUnderTest) -> None:
        log = (people.data / "hub.log").read_text()
        assert "gone is not there" in log
        assert "Make the folder, or correct the path" in log
        assert people.run("alice", FILES + "print((home / 'gone').is_symlink())")[1] == "False\n"

    def test_who_leaves_the_group_has_no_folder_in_the_next_server(self, people: HubUnderTest, host: Path) -> None:
        people.stop("alice")
        assert people.http.request("DELETE", "/hub/api/groups/developers/users", json={"users": ["alice"]}).is_success
        try:
            people.started("alice")
            code = (
                FILES + f"import os\nprint((home / 'cygno').is_symlink(), os.access({str(host / 'group')!r}, os.X_OK))"
            )
            assert people.run("alice", code)[1] == "False False\n"
        finally:
            people.http.post("/hub/api/groups/developers/users", json={"users": ["alice"]})


def places(rows: list[HostFolder], name: str = "alice") -> Any:
    return host_places(rows, rows, name, 23456 if ROOT else None)


@pytest.mark.parametrize("planted", ["link", "file", "anothers"])
def test_what_somebody_put_in_place_of_a_private_folder_is_not_used(tmp_path: Path, planted: str) -> None:
    root, secret = folder(tmp_path / "homes", 0o711), folder(tmp_path / "secret", 0o700)
    if planted == "link":
        (root / "alice").symlink_to(secret)
    elif planted == "file":
        (root / "alice").write_text("precious")
    elif ROOT:
        folder(root / "alice", 0o755, GID)
    else:
        pytest.skip("only root can make somebody else's folder")
    found = places([HostFolder(name="private", path=root, kind="private")])
    assert found.links == {}
    assert "is no folder of this person" in found.troubles[0]
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (os.geteuid(), 0o700)


def test_a_private_folder_is_made_once_and_kept(tmp_path: Path) -> None:
    rows = [HostFolder(name="private", path=folder(tmp_path / "homes", 0o711), kind="private")]
    for _ in range(2):
        assert places(rows).links == {"private": tmp_path / "homes" / "alice"}
    assert (tmp_path / "homes" / "alice").stat().st_uid == (23456 if ROOT else os.geteuid())
    (tmp_path / "homes").chmod(0o777)
    assert "others could take people's places" in places(rows).troubles[0]


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.parametrize(
    ("mode", "gid", "why"),
    [(0o2775, GID, "closed to others"), (0o2700, GID, "open to its Unix group"), (0o2770, 42, "system group")],
)
def test_a_folder_of_a_group_must_be_closed_by_a_group_of_its_own(
    tmp_path: Path, mode: int, gid: int, why: str
) -> None:
    found = places([HostFolder(name="cygno", path=folder(tmp_path / "x", mode, gid), groups=["cygno"])])
    assert (found.links, found.gids) == ({}, [])
    assert why in found.troubles[0]


class TestLinks:
    """What the launcher's child does in the home, as the person."""

    def test_nothing_in_the_home_is_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "shared").write_text("mine")
        (tmp_path / "private").symlink_to(tmp_path / "shared")
        link(tmp_path, {"shared": "/srv/shared", "private": "/srv/private"}, {})
        assert (tmp_path / "shared").read_text() == "mine"
        assert (tmp_path / "private").readlink() == tmp_path / "shared"

    def test_a_link_follows_a_folder_that_the_site_moved(self, tmp_path: Path) -> None:
        (tmp_path / "shared").symlink_to("/nowhere/old")
        for _ in range(2):
            link(tmp_path, {"shared": "/nowhere/new"}, {})
            assert str((tmp_path / "shared").readlink()) == "/nowhere/new"

    def test_only_the_very_link_that_is_withdrawn_goes(self, tmp_path: Path) -> None:
        (tmp_path / "one").symlink_to("/srv/one")
        (tmp_path / "two").symlink_to("/my/own")
        (tmp_path / "three").mkdir()
        link(tmp_path, {}, {"one": "/srv/one", "two": "/srv/two", "three": "/srv/three", "four": "/srv/four"})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["three", "two"]
