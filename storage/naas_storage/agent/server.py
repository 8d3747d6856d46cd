"""The agent's socket: ``status``, ``watch``, ``drain SECONDS``, ``retry``, ``reconnect NAME`` and ``stop``.

Each is answered with one `StorageStatus`, a JSON line; ``watch`` with a line per change.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Protocol

from naas_client.models import StorageStatus
from naas_client.sockets import listen, peer_of

from naas_storage.plan import AgentPlan

LONGEST_WORDS = 100
SILENCE_LIMIT = 5.0
"""Seconds a caller may take for its one line."""
LONGEST_DRAIN = 24 * 3600.0


class Served(Protocol):
    """What the socket offers."""

    ended: asyncio.Event

    def status(self) -> StorageStatus:
        """The document as it is now."""

    async def next_change(self) -> None:
        """Return when there is something new."""

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is pending, at most so long."""

    async def retry(self) -> None:
        """Send what waits for its next try now."""

    def reconnect(self, name: str) -> None:
        """Mount a folder anew."""

    def stop(self) -> None:
        """Begin to end."""


class StatusServer:
    """Listens on ``<run>/agent.sock``; only the same person and root are answered."""

    def __init__(self, plan: AgentPlan, agent: Served) -> None:
        self.plan, self.agent = plan, agent
        self._callers: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve inside the block; callers that still wait get the last status at its end."""
        channel = listen(self.plan.socket)
        server = await asyncio.start_unix_server(self._caller, sock=channel, limit=LONGEST_WORDS)
        try:
            yield
        finally:
            self.plan.socket.unlink(missing_ok=True)
            server.close()
            if self._callers:
                await asyncio.wait(self._callers, timeout=1)

    async def _caller(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._callers.add(task)
            task.add_done_callback(self._callers.discard)
        try:
            if peer_of(writer.get_extra_info("socket"))[0] in (os.getuid(), 0):
                line = await asyncio.wait_for(reader.readline(), SILENCE_LIMIT)
                await self._answer(line.decode(errors="replace").split(), reader, writer)
        except (OSError, TimeoutError, ValueError):
            pass  # gone, silent, or a line too long: nothing to answer
        finally:
            writer.close()

    async def _answer(self, words: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match words:
            case ["status"]:
                pass
            case ["watch"]:
                await self._watch(reader, writer)
                return
            case ["drain", seconds]:
                await self.agent.drain(max(0.0, min(float(seconds), LONGEST_DRAIN)))
            case ["retry"]:
                await self.agent.retry()
            case ["reconnect", name]:
                self.agent.reconnect(name)
            case ["stop"]:
                self.agent.stop()
                await self.agent.ended.wait()
            case _:
                return
        await self._send(writer)

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.create_task(reader.read(1))  # ends when the caller closes
        ended = asyncio.create_task(self.agent.ended.wait())
        try:
            while True:
                change = asyncio.create_task(self.agent.next_change())
                await self._send(writer)
                await asyncio.wait({gone, ended, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                if gone.done():
                    return
                if ended.done():
                    await self._send(writer)
                    return
        finally:
            gone.cancel()
            ended.cancel()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self.agent.status().model_dump_json().encode() + b"\n")
        await asyncio.wait_for(writer.drain(), SILENCE_LIMIT)
