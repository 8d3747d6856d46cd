"""Looking at processes through ``/proc`` (proc(5)) and ending whole trees of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
MARK = "NAAS_LAUNCHED"
"""Variable in the environment of every launched process; what it starts inherits it, so strays are found by it."""

ROUNDS = 20
"""Times a tree is looked at again while killing: something that forks in between is caught in the next round."""


def started_at(pid: int) -> int | None:
    """Start of a process in clock ticks since boot (field 22 of ``stat``); None when there is none, or only a zombie.

    Together with the pid it names a process for good, even when pids are used again.
    """
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir(PROC) if entry.isdigit())  # noqa: PTH208 - a hot path


def _parent(pid: int) -> int | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[1])


def descendants(pid: int) -> set[int]:
    """All processes below one, itself not included."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        if (parent := _parent(other)) is not None:
            children.setdefault(parent, []).append(other)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = set(children.get(waiting.pop(), ())) - found
        found |= new
        waiting.extend(new)
    return found


def marked(mark: str, uid: int | None) -> set[int]:
    """Living processes that inherited a mark; ``uid`` limits the search to one person's."""
    needle = f"{MARK}={mark}".encode()
    return {pid for pid in _pids() if (uid is None or _owner(pid) == uid) and needle in _environment(pid)}


def owned(uid: int) -> set[int]:
    """Living processes of a uid."""
    return {pid for pid in _pids() if _owner(pid) == uid and started_at(pid) is not None}


def _owner(pid: int) -> int | None:
    try:
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        return None
    return None


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def send(pidfd: int, number: int) -> None:
    """Signal the process behind a pidfd (pidfd_send_signal(2)): never another one that got its pid."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def kill_all(find: Callable[[], Iterable[int]]) -> None:
    """KILL what ``find`` gives until it gives nothing that lives."""
    for _ in range(ROUNDS):
        living = [pid for pid in find() if started_at(pid) is not None]
        if not living:
            return
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
