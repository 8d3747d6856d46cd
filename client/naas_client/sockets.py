"""Unix sockets whose path may be longer than the 107 bytes an address holds (unix(7)): they are named through their folder."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for the socket at ``path`` that is valid inside the `with` block.

    Raises OSError when the folder is missing or is itself a link.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(path: Path, timeout: float = 0) -> socket.socket:
    """A connected stream socket with this timeout in seconds; 0: it never blocks, for use in an event loop.

    Raises OSError when nobody listens there, or (with 0) when the listener has too many callers already.
    """
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(timeout)
        with short_address(path) as address:
            channel.connect(address)
    except BaseException:
        channel.close()
        raise
    return channel


def peer_of(channel: socket.socket) -> tuple[int, int]:
    """Uid and gid of the process at the other end, as the kernel knows them (unix(7), SO_PEERCRED)."""
    return process_of(channel)[1:]


def process_of(channel: socket.socket) -> tuple[int, int, int]:
    """Pid, uid and gid of the process at the other end; the pid of who has called connect(2) or listen(2)."""
    pid, uid, gid = struct.unpack("iII", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid, gid


def listen(path: Path, mode: int = 0o600, backlog: int = 16) -> socket.socket:
    """A listening socket with the given mode; one that a dead process left at the path is replaced."""
    path.unlink(missing_ok=True)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777)
    try:
        with short_address(path) as address:
            channel.bind(address)
        path.chmod(mode)
        channel.listen(backlog)
    except BaseException:
        channel.close()
        raise
    finally:
        os.umask(before)
    return channel
