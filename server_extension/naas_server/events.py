"""``GET events``: one stream for the panel, fed by the gateway's events and by changes of the mount agent's status."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from jupyter_server.auth.decorator import authorized
from naas_client.errors import NaasError, TooMany, Unavailable
from naas_client.models import Event
from pydantic import ValidationError
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from naas_server.base import NaasHandler
from naas_server.gateway import Gateway
from naas_server.sse import HEARTBEAT, FrameTooLong, data_of, frame
from naas_server.storage import Storage

MOST_STREAMS = 16
"""Open at once; a browser tab has one and closes it while hidden."""
LIFE = 900.0
"""Seconds; then the browser opens a new stream, and its right to do so is checked again."""
WAITING = 64
"""Events kept for a browser that reads slowly; then we read no more from the sources."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before each new attempt to reach a source that went away."""
FIRST_ID_DIGITS = 20

log = logging.getLogger(__name__)
Put = Callable[[str], Awaitable[None]]


class Streams:
    """All open streams of this server. Parameters: ``heartbeat``, seconds between signs of life."""

    def __init__(self, heartbeat: float) -> None:
        self.heartbeat = heartbeat
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, task: asyncio.Task[None]) -> None:
        """Wait for a stream to end; it ends at once when `close` is called."""
        self._open.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        finally:
            task.cancel()
            self._open.discard(task)

    def check_room(self) -> None:
        """Raises TooMany when one more stream is one too many."""
        if len(self._open) >= MOST_STREAMS:
            raise TooMany("Too many tabs of this server are open. Close some; this one goes on by asking now and then.")

    async def close(self) -> None:
        """End all streams."""
        await end(self._open)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: up to Python 3.11, `asyncio.wait_for` may swallow a cancellation (bpo-37658)."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)


async def again_and_again(once: Callable[[], Awaitable[None]]) -> None:
    """Run ``once`` for ever, with longer pauses while it fails; a run longer than the longest pause starts them anew."""
    failures = 0
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await once()
        except (NaasError, FrameTooLong, OSError, ValueError) as error:
            log.debug("event source: %s", error)
        if asyncio.get_running_loop().time() - started > PAUSES[-1]:
            failures = 0
        await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        failures += 1


class EventsHandler(NaasHandler):
    """The stream. Every event is an `Event` document; those of the agent have id 0 and do not move ``Last-Event-ID``."""

    def initialize(self, storage: Storage, gateway: Gateway, streams: Streams) -> None:
        """Parameters: the two sources, and the book of open streams."""
        self.storage, self.gateway, self.streams = storage, gateway, streams
        self.pump: asyncio.Task[None] | None = None

    @authenticated
    @authorized
    async def get(self) -> None:
        """Stream until the browser leaves, the server stops, or the stream's life is over."""
        self.streams.check_room()
        given = self.request.headers.get("Last-Event-ID", "")
        self.last_id = given if given.isascii() and given.isdigit() and len(given) < FIRST_ID_DIGITS else ""
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        self.pump = asyncio.create_task(self._pump())
        await self.streams.run(self.pump)
        if not self._finished:
            with contextlib.suppress(StreamClosedError):
                await self.finish(set_content_type="text/event-stream; charset=utf-8")

    def on_connection_close(self) -> None:
        """The browser left: end everything that was done for it."""
        super().on_connection_close()
        if self.pump is not None:
            self.pump.cancel()

    async def _pump(self) -> None:
        queue: asyncio.Queue[str] = asyncio.Queue(WAITING)
        sources = [asyncio.create_task(again_and_again(feed)) for feed in self._feeds(queue.put)]
        try:
            async with asyncio.timeout(LIFE):
                await self._write(HEARTBEAT)
                while True:
                    await self._write(await self._next(queue))
        except (TimeoutError, StreamClosedError):
            pass
        finally:
            await end(sources)

    async def _next(self, queue: asyncio.Queue[str]) -> str:
        try:
            async with asyncio.timeout(self.streams.heartbeat):
                return await queue.get()
        except TimeoutError:
            return HEARTBEAT

    async def _write(self, text: str) -> None:
        self.write(text)
        await self.flush()

    def _feeds(self, put: Put) -> list[Callable[[], Awaitable[None]]]:
        feeds: list[Callable[[], Awaitable[None]]] = []
        if self.storage.agent is not None:
            feeds.append(lambda: self._feed_storage(put))
        if self.gateway.url:
            feeds.append(lambda: self._feed_gateway(put))
        return feeds

    async def _feed_storage(self, put: Put) -> None:
        try:
            async for status in self.storage.changes():
                await put(_storage_event(status.model_dump(mode="json")))
        except Unavailable:
            await put(_storage_event((await self.storage.status()).model_dump(mode="json")))
            raise

    async def _feed_gateway(self, put: Put) -> None:
        async with self.gateway.stream("events", request_id=self.request_id, last_event_id=self.last_id) as stream:
            async for event in _events(data_of(stream)):
                self.last_id = str(event.id)
                await put(frame(event.model_dump_json(), event.id))


async def _events(documents: AsyncIterator[str]) -> AsyncIterator[Event]:
    async for document in documents:
        try:
            yield Event.model_validate_json(document)
        except ValidationError:
            log.warning("the gateway sent an event that is none of ours; skipped")


def _storage_event(data: dict[str, object]) -> str:
    event = Event(id=0, type="storage.status", data=data, at=dt.datetime.now(dt.UTC))
    return frame(event.model_dump_json())
