"""The data folder: modes, ports that stay, secrets, and what --fresh may delete."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from naas_client.errors import Conflict, InvalidInput
from naas_local.data import DataFolder
from naas_local.ports import LOOPBACK, free_port, holder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.lock()
    folder.create()
    return folder


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_folders_on_the_way_to_homes_are_passable_and_the_rest_is_private(data: DataFolder) -> None:
    for name in (".", "run", "homes", "servers", "run/mounts"):
        assert mode(data.root / name) == "0o711", name
    for path in (data.root / "secrets", data.logs, data.part("hub")):
        assert mode(path) == "0o700", path


def test_a_secret_is_generated_once_and_private(data: DataFolder) -> None:
    path = data.secret("hub-token")
    first = path.read_text()
    assert len(first) == 64
    assert mode(path) == "0o600"
    assert data.secret("hub-token").read_text() == first
    assert data.secret("proxy-token").read_text() != first


def test_a_secret_that_others_can_read_is_refused_with_the_remedy(data: DataFolder) -> None:
    path = data.secret("hub-token")
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="chmod 600"):
        data.secret("hub-token")


def test_ports_stay_the_same_over_restarts(data: DataFolder) -> None:
    public = free_port()
    first = data.choose_ports(("iam", "store"), public)
    assert first["public"] == public
    assert data.choose_ports(("iam", "store"), None) == first


def test_a_taken_port_moves_unless_people_or_identities_depend_on_it(data: DataFolder) -> None:
    ports = data.choose_ports(("iam", "store"), free_port())
    with socket.socket() as other:
        other.bind((LOOPBACK, ports["store"]))
        other.listen()
        assert data.choose_ports(("iam", "store"), None)["store"] != ports["store"]
    for name, remedy in (("public", "--port"), ("iam", "--fresh")):
        with socket.socket() as other:
            other.bind((LOOPBACK, ports[name]))
            other.listen()
            with pytest.raises(Conflict, match=remedy) as refused:
                data.choose_ports(("iam", "store"), None)
            assert holder(ports[name]) in refused.value.message


def test_two_supervisors_never_share_a_data_folder(data: DataFolder) -> None:
    with pytest.raises(Conflict, match="already runs"):
        DataFolder(data.root).lock()


def test_a_start_that_failed_early_may_be_repeated_afresh(tmp_path: Path) -> None:
    DataFolder(tmp_path).lock()
    DataFolder(tmp_path).wipe()


def test_fresh_deletes_only_what_naas_up_made(data: DataFolder, tmp_path: Path) -> None:
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    with pytest.raises(InvalidInput, match="was not made by"):
        DataFolder(foreign).wipe()
    with pytest.raises(InvalidInput, match="was not made by"):
        DataFolder(foreign).lock()
    assert [entry.name for entry in foreign.iterdir()] == ["thesis.tex"]

    data.choose_ports(("iam",), free_port())
    (data.root / "homes" / "alice").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (data.root / "homes" / "link").symlink_to(outside)
    data.wipe()
    assert [entry.name for entry in data.root.iterdir()] == ["run"]
    assert (outside / "kept").exists()
