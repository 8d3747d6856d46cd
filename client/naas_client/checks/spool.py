"""Pings that wait on disk, because their program has ended: ``waiting.jsonl`` in our folder, a line each, the oldest first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from naas_client.checks.addresses import folder
from naas_client.checks.pings import Ping
from naas_client.errors import Unavailable
from naas_client.files import lock, write_private

MOST = 500
"""Pings that are kept; of more, the newest."""

LOCK_LIMIT = 5.0
"""Seconds; whoever holds the lock reads and writes the file, and waits for no server."""

SENDING_LIMIT = 30.0
"""Seconds; whoever holds that lock is sending one ping."""

BUSY = Unavailable("Another program is sending what waits.")


@contextlib.contextmanager
def held(limit: float = LOCK_LIMIT) -> Iterator[Path]:
    """Be the only one who changes what waits; the file. Raises Unavailable when somebody else does for that long."""
    place = folder()
    with lock(place / "waiting.lock", limit, BUSY):
        yield place / "waiting.jsonl"


@contextlib.contextmanager
def sending(limit: float = SENDING_LIMIT) -> Iterator[None]:
    """Be the only one who sends what waits; others may still add to it. Raises Unavailable when somebody else does for that long."""
    with lock(folder() / "sending.lock", limit, BUSY):
        yield


def look() -> list[Ping]:
    """What waits now."""
    return read(folder() / "waiting.jsonl")


def read(file: Path) -> list[Ping]:
    """The pings in the file; a line that cannot be read is passed over."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValidationError):
            found.append(Ping.model_validate_json(line))
    return found


def write(file: Path, pings: Iterable[Ping]) -> None:
    """Replace what waits."""
    kept = list(pings)[-MOST:]
    if kept:
        write_private(file, "".join(f"{ping.model_dump_json()}\n" for ping in kept))
    else:
        file.unlink(missing_ok=True)


def add(pings: Iterable[Ping]) -> None:
    """Keep pings that could not be sent yet. Raises Unavailable or OSError."""
    with held() as file:
        write(file, [*read(file), *pings])


def remove(ping: Ping) -> None:
    """Keep a ping no more. Raises Unavailable or OSError."""
    with held() as file:
        write(file, [one for one in read(file) if one != ping])


def take() -> list[Ping]:
    """What waits, which is the caller's to send from now on. Raises Unavailable, at once, while somebody else sends it, or OSError."""
    if not look():
        return []
    with sending(0), held(0) as file:
        found = read(file)
        write(file, [])
    return found
