"""A store whose clock is not ours: its programs run under libfaketime, and a file says by how much their clock is off.

So a person's machine (agent, rclone, programs) is off against the platform, and the clock of this machine stays as it is.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "apt-get install -y --no-install-recommends faketime"


def library() -> Path:
    """Without Debian's package the test fails with the line to type."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.fail(f"libfaketime is not installed. Type: sudo {INSTALL}")
    return found[0]


@dataclass
class Clock:
    """By how many seconds a store's clock is ahead of ours (negative: behind); seen by its programs at once."""

    file: Path
    ahead: int = 0

    def __post_init__(self) -> None:
        self.set(0)

    def set(self, ahead: int) -> None:
        self.ahead = ahead
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}s\n")
        fresh.chmod(0o644)
        fresh.replace(self.file)

    def now(self) -> int:
        return int(time.time()) + self.ahead

    def environment(self) -> dict[str, str]:
        """For a program that is to have this clock; its timers run on as they are."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def wrapper(self, program: str, folder: Path) -> str:
        """A PATH in which a program of that name has this clock; for programs that get nothing else of an environment."""
        folder.mkdir()
        words = " ".join(f"{name}={value}" for name, value in self.environment().items())
        script = folder / program
        script.write_text(f'#!/bin/sh\nPATH={os.environ["PATH"]}\nexec env {words} {program} "$@"\n')
        script.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"
