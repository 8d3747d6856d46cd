"""Names and places of containers: what one person is called, or left behind, never touches another person or the machine."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from naas_client.names import is_server_key
from naas_spawner.docker.places import mount_point, write_as
from naas_spawner.docker.spawner import NaasDockerSpawner


def test_what_is_told_of_accounts_never_follows_a_link(tmp_path: Path) -> None:
    """The folder was the person's own when servers were processes of the machine."""
    machine, accounts = tmp_path / "etc-passwd", tmp_path / "etc"
    machine.write_text("root:x:0:0:root:/root:/bin/bash\n")
    accounts.mkdir()
    (accounts / "passwd").symlink_to(machine)
    (accounts / ".passwd.new").symlink_to(machine)
    write_as(accounts, "passwd", "alice\n", os.geteuid(), 0o644)
    assert machine.read_text() == "root:x:0:0:root:/root:/bin/bash\n"
    assert not (accounts / "passwd").is_symlink()
    assert (accounts / "passwd").read_text() == "alice\n"
    assert (accounts / "passwd").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("server", ["", "big"])
def test_no_server_is_called_like_a_side_container(server: str) -> None:
    """Somebody may be called `agent-alice`, and may call a server `agent`."""
    spawner = NaasDockerSpawner.__new__(NaasDockerSpawner)
    spawner.user, spawner.orm_spawner = SimpleNamespace(name="alice"), SimpleNamespace(name=server, server=None)
    prefix = f"{spawner.prefix}-"
    assert spawner.agent_name.startswith(prefix)
    assert is_server_key(spawner.object_name.removeprefix(prefix))
    assert not is_server_key(spawner.agent_name.removeprefix(prefix))


def test_a_link_of_the_persons_own_is_not_taken_away(tmp_path: Path) -> None:
    place = tmp_path / "srv" / "data"
    home = tmp_path / "home"
    home.mkdir()
    (home / "theirs").symlink_to("cloud-storage/alice")
    (home / "ours").symlink_to(place)
    assert "theirs in your home is in the way" in mount_point(home, "theirs", None, place)
    assert (home / "theirs").readlink() == Path("cloud-storage/alice")
    assert mount_point(home, "ours", None, place) == ""
    assert (home / "ours").is_dir()
    assert not (home / "ours").is_symlink()


def test_a_folder_in_the_way_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "cloud-storage"
    folder.mkdir(mode=0o750)
    (folder / "precious").write_text("mine")
    assert "cloud-storage in your home is in the way" in mount_point(tmp_path, "cloud-storage", None, tmp_path / "srv")
    assert folder.stat().st_mode & 0o777 == 0o750
