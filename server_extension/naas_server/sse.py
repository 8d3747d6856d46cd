"""The wire format of server-sent events (WHATWG HTML §9.2), both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator

LONGEST_FRAME = 256 * 1024
"""Characters of one event; a longer one ends the stream, so that memory stays bounded."""

HEARTBEAT = ": still here\n\n"


class FrameTooLong(Exception):
    """The other side sends an event without end."""


def frame(data: str, event_id: int | None = None) -> str:
    """One event. Without ``event_id`` the browser keeps the last one, so that it resumes at the right place."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return head + "".join(f"data: {line}\n" for line in data.splitlines() or [""]) + "\n"


async def data_of(stream: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event in a stream; comments, names and ids are skipped. Raises FrameTooLong."""
    rest = b""
    lines: list[str] = []
    async for piece in stream:
        *complete, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        for line in complete:
            if line.startswith(b"data:"):
                lines.append(line[5:].removeprefix(b" ").decode(errors="replace"))
            elif not line and lines:
                yield "\n".join(lines)
                lines = []
        if len(rest) + sum(map(len, lines)) > LONGEST_FRAME:
            raise FrameTooLong
