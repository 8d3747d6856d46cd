"""Look at a mount from a thread that may hang for ever without hurting the agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SLICES = 20
"""Parts in which a limit is waited for: a pause of this process (a starved or suspended machine) counts as one part, not as the limit."""
MOST_LOOKED_AT = 50
"""Entries of a folder among which the smallest file is searched to be read."""


async def in_thread(function: Callable[[], T], limit: float) -> T:
    """The value of a blocking function, from a thread of its own that nobody waits for at the end.

    Raises TimeoutError after ``limit`` seconds (the thread stays until the mount is gone), or what the function raises.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(deliver, result, error)

    threading.Thread(target=work, daemon=True, name="probe").start()
    try:
        for _ in range(SLICES):
            if (await asyncio.wait({future}, timeout=limit / SLICES))[0]:
                return future.result()
    finally:
        future.cancel()
    raise TimeoutError


def answers(path: Path) -> bool:
    """Whether the daemon behind a mount answers; asks it nothing that needs the store (statvfs may). May hang."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def open_for_change(path: Path) -> None:
    """Open a file as if to change it, read a byte of it, close it. May hang. Raises OSError.

    Without the read rclone does not open its own file; in an empty one there is nothing to read, and nothing to lose.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.pread(descriptor, 1, 0)
    finally:
        os.close(descriptor)


def waited_for_a_cpu(pid: int) -> float:
    """Seconds that the threads of a process were ready to run and did not get a processor (proc schedstat, second field)."""
    waited = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            waited += int(path.read_text().split()[1])
    return waited / 1e9


def open_files(path: Path) -> bool:
    """Whether a program of this person that can be seen from here has a file open below a path; the path is not touched."""
    top = f"{path}/"
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith(top):
                return True
    return False


def list_and_read(path: Path) -> None:
    """List a folder and read a byte of its smallest file, if it has one. May hang. Raises OSError as a program would see it."""
    smallest: tuple[int, str] | None = None
    with os.scandir(path) as entries:
        for count, entry in enumerate(entries):
            if entry.is_file(follow_symlinks=False) and (size := entry.stat(follow_symlinks=False).st_size):
                smallest = min(smallest or (size, entry.path), (size, entry.path))
            if count >= MOST_LOOKED_AT:
                break
    if smallest is not None:
        with contextlib.suppress(FileNotFoundError), Path(smallest[1]).open("rb") as file:  # deleted in between
            file.read(1)
