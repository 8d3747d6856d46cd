"""What is said of CVMFS repositories, also of one that hangs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from naas_client.cvmfs import REVISION, look_at
from naas_storage.mounts.kernel import detach, mount_fuse, mount_tmpfs, propagates


def test_each_path_is_said_to_be_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there" / "lcg").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    names = ["there", "absent", "empty", "file"]
    seen = look_at(tmp_path / name for name in names)
    assert [one.state for one in seen] == ["there", "missing", "empty", "missing"]
    assert seen[0].trouble == ""
    assert "cvmfs_config probe absent" in seen[1].trouble


def test_the_revision_is_the_clients(tmp_path: Path) -> None:
    (tmp_path / "sft.cern.ch" / "lcg").mkdir(parents=True)
    try:
        os.setxattr(tmp_path / "sft.cern.ch", REVISION, b"4711")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    assert look_at([tmp_path / "sft.cern.ch"])[0].revision == "4711"


@pytest.mark.root
@pytest.mark.fuse
def test_one_that_hangs_hides_no_other_and_is_looked_at_once(tmp_path: Path) -> None:
    """A FUSE mount that nobody serves, as when a repository's servers are away."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("needs root and /dev/fuse")
    silent, there = tmp_path / "silent", tmp_path / "there"
    silent.mkdir()
    (there / "lcg").mkdir(parents=True)
    served = mount_fuse(silent, 0, 0, read_only=True)
    try:
        begin, before = time.monotonic(), threading.active_count()
        assert [one.state for one in look_at([silent, there], 0.3)] == ["silent", "there"]
        assert look_at([silent], 0.3)[0].trouble.startswith(f"{silent} does not answer.")
        assert time.monotonic() - begin < 2
        assert threading.active_count() == before + 1
        os.close(served)  # as when its client dies
        assert look_at([silent])[0].state == "silent"
    finally:
        detach(silent)
    assert look_at([silent])[0].state == "empty"


@pytest.mark.root
def test_the_mount_above_decides_whether_later_mounts_are_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = tmp_path / "cvmfs"
    place.mkdir()
    mount_tmpfs(place, 0o755, 0)
    try:
        assert propagates(place)
        assert propagates(place / "sft.cern.ch")
        assert propagates(tmp_path / "cvmfs2") == propagates(Path("/tmp"))
    finally:
        detach(place)
