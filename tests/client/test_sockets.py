"""Unix sockets below folders whose path is longer than the 107 bytes of an address."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from naas_client.sockets import connect, listen, peer_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    return folder / "s"


def test_a_long_path_is_no_obstacle(path: Path) -> None:
    with listen(path) as server, connect(path, 1) as client:
        accepted, _ = server.accept()
        with accepted:
            assert peer_of(accepted) == (os.getuid(), os.getgid())
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"


def test_only_its_owner_may_connect_and_a_dead_one_is_replaced(path: Path) -> None:
    listen(path).close()
    with listen(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_as_many_callers_may_wait_as_the_listener_says(path: Path) -> None:
    with listen(path, backlog=40):
        waiting = [connect(path) for _ in range(40)]
    for channel in waiting:
        channel.close()


def test_nobody_listens_and_a_link_instead_of_the_folder(path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        connect(path)
    link = path.parent.with_name("link")
    link.symlink_to(path.parent)
    with pytest.raises(OSError, match="Not a directory"):
        connect(link / "s")
