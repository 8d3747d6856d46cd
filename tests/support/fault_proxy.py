"""A real HTTP proxy in front of a store that can be slow, overloaded, silent or away, as a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

BLOCK = 64 * 1024
LONGEST_HEAD = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue" + END_OF_HEAD
OVERLOADED = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_HELD_BACK = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


def _alone(head: bytes) -> bytes:
    """The head of a request that is the only one of its connection."""
    return _CONNECTION.sub(b"", head)[:-2] + b"Connection: close\r\n\r\n"


class FaultProxy:
    """Passes requests on byte by byte, so that their signatures hold; one request per connection, so that each can fail.

    What a test sets, at any time: ``every``, each so many-th request is answered with 503 SlowDown (0: none); ``delay``, seconds
    before each request is passed on; ``rate``, bytes per second and direction of each request (0: as fast as it goes); ``late``,
    seconds by which the answer to an upload comes late; ``linger``, seconds that an upload lies in the network, and then reaches the
    store even when its sender has given up.
    `stop` and `start` take the listening socket away and put it back on the same port.
    """

    def __init__(self, store_url: str) -> None:
        address = urlsplit(store_url)
        self._store = (str(address.hostname), int(address.port or 80))
        self.every, self.delay, self.rate, self.late, self.linger = 0, 0.0, 0.0, 0.0, 0.0
        self.requests, self.refused = 0, 0
        self.taken, self.lying = 0, 0  # uploads of which the store has answered, and that lie in the network now
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fault-proxy")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultProxy]:
        self._thread.start()
        try:
            self.start()
            yield self
        finally:
            self.stop()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def well(self) -> None:
        """No faults any more."""
        self.every, self.delay, self.rate, self.late, self.linger = 0, 0.0, 0.0, 0.0, 0.0
        self.start()

    def start(self) -> None:
        """Listen, if it does not."""
        self._do(self._start)

    def stop(self) -> None:
        """Refuse connections, and break those that are open."""
        self._do(self._stop)

    def _do(self, work: Callable[[], object]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)  # type: ignore[arg-type]

    async def _start(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._caller, "127.0.0.1", self._port, limit=LONGEST_HEAD)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _caller(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._request(reader, writer)
        except (OSError, EOFError, ValueError):
            pass  # one side has gone
        except asyncio.CancelledError:
            pass  # `stop`: nobody waits for this task but it
        finally:
            self._open.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(END_OF_HEAD)
        self.requests += 1
        overloaded = bool(self.every) and self.requests % self.every == 0
        await asyncio.sleep(self.delay)
        if overloaded:
            await self._refuse(head, reader, writer)
            return
        upload = head.startswith(b"PUT ") and b"\r\nx-amz-copy-source:" not in head.lower()
        if upload and self.linger:
            await self._lie_in_the_network(head, reader, writer)
            return
        async with self._to_the_store() as (answers, questions):
            questions.write(_alone(head))
            sending = asyncio.create_task(self._copy(reader, questions))
            try:
                if upload and self.late:
                    await self._hold_back(answers, writer)
                await self._copy(answers, writer)  # until the store has said everything and closes
            finally:
                sending.cancel()
                await asyncio.wait({sending})

    async def _hold_back(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the head of the answer on later than the store gave it."""
        answer = await answers.readuntil(END_OF_HEAD)
        if answer.startswith(CONTINUE[:12]):
            writer.write(answer)
            answer = await answers.readuntil(END_OF_HEAD)
        self.taken += 1
        end = self._loop.time() + self.late
        while self.late and self._loop.time() < end:  # noqa: ASYNC110 - a test sets it from another thread
            await asyncio.sleep(0.02)
        writer.write(answer)

    async def _lie_in_the_network(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take a whole upload, and pass it on later, whoever still waits for the answer."""
        found, seconds = _LENGTH.search(head), self.linger
        if _HELD_BACK.search(head):
            writer.write(CONTINUE)
        body = await reader.readexactly(int(found[1]) if found else 0)
        self.lying += 1
        await asyncio.sleep(seconds)
        async with self._to_the_store() as (answers, questions):
            questions.write(_HELD_BACK.sub(b"", _alone(head)) + body)
            answer = await answers.read()
            self.taken += 1
            self.lying -= 1
            writer.write(answer)

    @contextlib.asynccontextmanager
    async def _to_the_store(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(*self._store)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _refuse(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.refused += 1
        if (found := _LENGTH.search(head)) and not _HELD_BACK.search(head):
            left = int(found[1])
            while left and (block := await reader.read(min(BLOCK, left))):
                left -= len(block)
        length = b"" if head.startswith(b"HEAD ") else OVERLOADED
        lines = f"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {len(OVERLOADED)}\r\n"
        writer.write(lines.encode() + b"Connection: close\r\n\r\n" + length)
        await writer.drain()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await source.read(BLOCK):
                target.write(block)
                await target.drain()
                if self.rate:
                    await asyncio.sleep(len(block) / self.rate)
