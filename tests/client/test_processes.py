"""Programs and prctl(2): a protection that the kernel refuses is an error, never silence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from naas_client.processes import find_program, prctl


def test_a_program_beside_our_python_comes_before_the_one_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, systems = tmp_path / "ours", tmp_path / "systems"
    for folder in (ours, systems):
        folder.mkdir()
        (folder / "tool").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(ours / "python"))
    monkeypatch.setenv("PATH", str(systems))
    assert find_program("tool") == str(ours / "tool")
    (ours / "tool").chmod(0o644)
    assert find_program("tool") == str(systems / "tool")
    (systems / "tool").unlink()
    assert find_program("tool") is None


def test_what_the_kernel_does_not_know_is_an_error() -> None:
    with pytest.raises(OSError, match=os.strerror(22)):
        prctl(9999, 1)
