"""Wait until a server answers, so that the hub's own first look succeeds (its back-off otherwise costs seconds)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

LOOK = 0.05
"""Seconds between two looks; a look at a closed port costs well below a millisecond."""

ALIVE_EVERY = 10
"""Looks between two questions whether the process still lives."""

ANSWER_LIMIT = 2.0
"""Seconds for one answer: longer means that the server is not ready yet."""


TABLE = Path("/proc/net/tcp")
LISTEN = "0A"
"""State in that table (proc_pid_net(5))."""


class NotReady(Exception):
    """The server ended, or did not answer within the limit."""


async def wait_ready(url: str, limit: float, alive: Callable[[], Awaitable[bool]]) -> None:
    """Return when ``<url>api`` answers.

    Parameters: ``url``, the server's base address with a slash at the end; ``limit`` in seconds; ``alive``, tells whether the process
    still runs. Raises NotReady with the reason.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    looks = 0
    while not await _answers(f"{url}api"):
        looks += 1
        if looks % ALIVE_EVERY == 0 and not await alive():
            raise NotReady("the server ended before it answered")
        if loop.time() > end:
            raise NotReady(f"the server did not answer within {limit:.0f} s")
        await asyncio.sleep(LOOK)


def check_listener(port: int, uid: int) -> None:
    """Raise NotReady unless it is this uid that listens on a port of 127.0.0.1.

    Any process of the machine could have taken the port first, and would be sent the person's browser.
    """
    if _listener(port) != uid:
        raise NotReady("another program of this machine took its port")


def _listener(port: int) -> int | None:
    places = {f"{address}:{port:04X}" for address in ("0100007F", "00000000")}
    rows = (line.split() for line in TABLE.read_text().splitlines()[1:])
    return next((int(row[7]) for row in rows if row[1] in places and row[3] == LISTEN), None)


async def _answers(url: str) -> bool:
    """Whether an address gives an HTTP success; a plain request, because a client's own set-up takes longer than the answer."""
    target = urlsplit(url)
    try:
        async with asyncio.timeout(ANSWER_LIMIT):
            reader, writer = await asyncio.open_connection(target.hostname, target.port)
            try:
                writer.write(f"GET {target.path} HTTP/1.0\r\nHost: {target.netloc}\r\nAccept: */*\r\n\r\n".encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):  # ValueError: a line without end
        return False
    return len(status) > 1 and status[1] == b"200"
