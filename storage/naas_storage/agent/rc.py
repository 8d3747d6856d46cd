"""rclone's remote control over a Unix socket (https://rclone.org/rc/): one HTTP/1.0 request per connection."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from naas_client.sockets import connect


class RcError(Exception):
    """rclone answered with an error, or not as it should; the text is rclone's."""


async def call(socket: Path, method: str, limit: float, **parameters: Any) -> dict[str, Any]:
    """The answer to one call, e.g. ``vfs/stats``. Raises RcError, or TimeoutError after ``limit`` seconds."""
    try:
        answer = await asyncio.wait_for(_exchange(socket, method, json.dumps(parameters).encode()), limit)
        head, _, body = answer.partition(b"\r\n\r\n")
        document = dict(json.loads(body))
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise RcError(f"{method}: {error}") from error
    if b" 200 " not in head.splitlines()[0]:
        raise RcError(str(document.get("error", method)))
    return document


async def _exchange(path: Path, method: str, body: bytes) -> bytes:
    channel = connect(path)
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    try:
        head = f"POST /{method} HTTP/1.0\r\nHost: rc\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await reader.read()
    finally:
        writer.close()
