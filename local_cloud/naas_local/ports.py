"""Free ports, and who holds one that is not free."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
GUARDED = range(700, 980)
"""Ports that only root may listen on (ip(7)), and that browsers visit (989 to 995 they refuse: WHATWG Fetch, port blocking)."""

_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def part_port() -> int:
    """A free port for a part of ours; as root, one that people's processes cannot take while the part is being started again.

    The other parts go on calling that address and send it their tokens, whoever listens there.
    """
    if os.geteuid() == 0:
        for port in random.sample(GUARDED, len(GUARDED)):
            if is_guarded(port) and is_free(port):
                return port
    return free_port()


def is_guarded(port: int) -> bool:
    """Whether people's processes cannot listen on a port. Some container engines guard none."""
    try:
        return port < int(_UNPRIVILEGED.read_text())
    except (OSError, ValueError):
        return port < 1024


def is_free(port: int) -> bool:
    """Whether a port can be listened on, on every address of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on a port, for people: ``node (pid 4711)``; empty when it cannot be told."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:2] == (port,):
            try:
                return f"{_program(connection.pid)} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                continue
    return ""


def _program(pid: int) -> str:
    """The name of a process's program; its own name, which threads and scripts change, only where that is not told."""
    process = psutil.Process(pid)
    try:
        return Path(process.exe()).name or process.name()
    except psutil.AccessDenied:
        return process.name()
