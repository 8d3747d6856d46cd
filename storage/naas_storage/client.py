"""Talk to a server's mount agent over its socket: what spawner and server extension use."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from naas_client.errors import NotFound, Unavailable
from naas_client.models import StorageStatus
from naas_client.sockets import connect, peer_of
from pydantic import ValidationError

RETRY_LIMIT = 20.0
"""Seconds: each file that waits is one question to rclone."""
LONGEST_LINE = 2**20
"""Bytes; a status with thousands of pending uploads is cut by the agent far below this."""


class AgentClient:
    """The agent behind one socket (``servers/<key>/agent.sock``).

    Every call raises `Unavailable` (code ``no-agent``) when the agent is not there, ends in the middle of an answer, or does not
    answer within ``timeout`` seconds.
    """

    def __init__(self, path: Path, timeout: float = 5) -> None:
        self.path, self.timeout = path, timeout

    async def status(self) -> StorageStatus:
        """How folders and uploads are now."""
        return await self._ask("status", self.timeout)

    async def drain(self, seconds: float) -> StorageStatus:
        """Wait until nothing is pending, at most ``seconds``; the answer's ``uploads`` say what is pending still."""
        return await self._ask(f"drain {seconds:g}", seconds + self.timeout)

    async def retry(self) -> StorageStatus:
        """Have files that wait for their next try sent now, and the usage counted anew."""
        return await self._ask("retry", RETRY_LIMIT)

    async def reconnect(self, name: str) -> StorageStatus:
        """Have a folder mounted anew; programs that have files open there get errors. Raises NotFound for another name."""
        if name not in {folder.name for folder in (await self.status()).folders}:
            raise NotFound("There is no such folder in this server. Choose one of the list.", code="no-folder")
        return await self._ask(f"reconnect {name}", self.timeout)

    async def stop(self, timeout: float = 180) -> StorageStatus:
        """Drain within the plan's limit, take away the mounts and end the agent."""
        return await self._ask("stop", timeout)

    async def watch(self) -> AsyncIterator[StorageStatus]:
        """The status now and after each change, until the agent ends."""
        async with self._connection("watch") as reader:
            yield await self._answer(reader, self.timeout)
            while line := await self._line(reader):
                yield self._parse(line)

    async def _ask(self, line: str, limit: float) -> StorageStatus:
        async with self._connection(line) as reader:
            return await self._answer(reader, limit)

    @contextlib.asynccontextmanager
    async def _connection(self, line: str) -> AsyncIterator[asyncio.StreamReader]:
        try:
            channel = self._connected()
            reader, writer = await asyncio.open_unix_connection(sock=channel, limit=LONGEST_LINE)
        except OSError as error:
            raise Unavailable(
                f"The mount agent does not answer ({error.strerror}). It starts again with the server.", code="no-agent"
            ) from error
        try:
            writer.write(f"{line}\n".encode())
            yield reader
        finally:
            writer.close()

    def _connected(self) -> socket.socket:
        """The agent runs as the owner of its folder. Who answers as somebody else is not it: the owner may have put a link there."""
        channel = connect(self.path)
        if peer_of(channel)[0] != self.path.parent.stat().st_uid:
            channel.close()
            raise PermissionError(errno.EPERM, "somebody else listens at its place")
        return channel

    async def _answer(self, reader: asyncio.StreamReader, limit: float) -> StorageStatus:
        try:
            return self._parse(await asyncio.wait_for(reader.readline(), limit))
        except (TimeoutError, OSError, ValueError) as error:
            raise Unavailable(
                f"The mount agent did not answer within {limit:g} s. Try again; its log says what it waits for.",
                code="no-agent",
            ) from error

    @staticmethod
    async def _line(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readline()
        except (OSError, ValueError):  # it was killed, or sends what no agent sends
            return b""

    @staticmethod
    def _parse(line: bytes) -> StorageStatus:
        try:
            return StorageStatus.model_validate_json(line)
        except ValidationError as error:
            raise Unavailable("The mount agent ended before it answered. Try again.", code="no-agent") from error
