"""Clocks that are off, while the clock of this machine stays as it is.

`Clock` is for programs that may be started under libfaketime, as stores and agents are: a file says by how much it is off.
`MachineClock` is that of a person's machine, so also that of rclone, which links no library: in its memory the kernel's function for
the time (`__vdso_clock_gettime`, vdso(7)) gets another body.
"""

from __future__ import annotations

import os
import platform
import struct
import time
from dataclasses import dataclass, field
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
    """By how many seconds the clock of some programs is ahead of ours (negative: behind); they see it at once."""

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


@dataclass
class MachineClock(Clock):
    """The clock of a person's machine: of agents that are started by `words`, and of programs that were given it."""

    offsets: list[tuple[int, int]] = field(default_factory=list)
    """Process and address of the seconds that are added to the kernel's time there."""

    @property
    def words(self) -> list[str]:
        """Before the command of an agent."""
        return ["env", *(f"{name}={value}" for name, value in self.environment().items())]

    def give(self, pid: int) -> None:
        """To a running program that is linked statically."""
        self.offsets.append((pid, _patch(pid)))

    def set(self, ahead: int) -> None:
        super().set(ahead)
        for pid, address in self.offsets:
            _write(pid, address, struct.pack("<q", ahead))


ASK_AND_ADD = bytes.fromhex("b8e4000000 0f05 85ff 750a 488b0d04000000 48010e c3")
"""x86-64: clock_gettime by a system call; for CLOCK_REALTIME, add the number after these instructions to the seconds."""
DYNAMIC_SYMBOLS = 11
"""SHT_DYNSYM, elf(5)."""


def _patch(pid: int) -> int:
    """Have a process add a number, at first 0, to the time of day; the address of that number. The machine code is of x86-64."""
    if platform.machine() != "x86_64":
        pytest.skip("needs x86-64: it changes the machine code of a running program")
    [line] = [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if line.endswith("[vdso]")]
    start, end = (int(address, 16) for address in line.split()[0].split("-"))
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        memory.seek(start)
        code = start + _symbol(memory.read(end - start), b"__vdso_clock_gettime")
    _write(pid, code, ASK_AND_ADD + struct.pack("<q", 0))
    return code + len(ASK_AND_ADD)


def _write(pid: int, address: int, value: bytes) -> None:
    with Path(f"/proc/{pid}/mem").open("r+b", 0) as memory:
        memory.seek(address)
        memory.write(value)


def _symbol(image: bytes, name: bytes) -> int:
    """Where a symbol of a 64-bit ELF image begins (elf(5))."""
    [table] = struct.unpack_from("<Q", image, 0x28)
    size, count = struct.unpack_from("<HH", image, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, table + number * size) for number in range(count)]
    [symbols] = [section for section in sections if section[1] == DYNAMIC_SYMBOLS]
    names = sections[symbols[6]][4]
    for offset in range(symbols[4], symbols[4] + symbols[5], symbols[9]):
        text, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, offset)
        if image[names + text :].startswith(name + b"\0"):
            return int(value)
    raise AssertionError(f"{name!r} is not in this kernel's vDSO")
