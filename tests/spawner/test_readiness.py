"""Waiting for a server of which nothing is known: it may be a person's own program."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from naas_spawner.readiness import NotReady, wait_ready


async def _flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"A" * 100_000)
            await writer.drain()


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\r\n")
    writer.close()


@pytest.mark.parametrize("talk", [_flood, _silent])
def test_what_answers_no_http_is_not_ready(talk: Callable[..., Awaitable[None]]) -> None:
    async def alive() -> bool:
        return True

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        try:
            await wait_ready(f"http://127.0.0.1:{port}/", 0.5, alive)
        finally:
            server.close()

    with pytest.raises(NotReady, match="did not answer within"):
        asyncio.run(run())
