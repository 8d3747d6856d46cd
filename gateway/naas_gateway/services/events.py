"""Events: a table, and a way to wait for it to grow.

Streams of this process are woken at once. Those of other replicas learn by PostgreSQL's NOTIFY, or on SQLite by a look at the
table each second while anybody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from naas_client.errors import TooMany, Unavailable
from naas_client.models import Event
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import EventRow
from naas_gateway.metrics import EVENT_STREAMS

log = logging.getLogger(__name__)

CHANNEL = "naas_events"
HEARTBEAT = 15.0
"""Seconds of silence after which a stream gives a sign of life (and its caller is checked again)."""
LOOK = 1.0
KEPT = 7 * 86400.0
"""Seconds that events are kept for `Last-Event-ID`."""
MOST_KEPT = 50_000
BATCH = 200
STREAMS_PER_PERSON = 20
_ORDER_LOCK = 7_166_183_002


class Events:
    """Adding and following events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grown = asyncio.Event()
        self._streams: dict[str, int] = {}
        self._newest = 0
        self.closing = False

    async def add(self, session: AsyncSession, type_: str, username: str | None, **data: Any) -> None:
        """Add an event in the caller's transaction; call `wake` after its commit.

        On PostgreSQL the lock makes ids visible in order, so that nobody who follows by id misses one.
        """
        if self._database.is_postgres:
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ORDER_LOCK})
            await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
        session.add(EventRow(type=type_, username=username, data=data, at=utcnow()))

    async def emit(self, type_: str, username: str | None, **data: Any) -> None:
        """Add an event in a transaction of its own, and wake the streams."""
        async with self._database.write() as session:
            await self.add(session, type_, username, **data)
        self.wake()

    def wake(self) -> None:
        """Have all streams look at the table now."""
        self._grown.set()
        self._grown = asyncio.Event()

    def close(self) -> None:
        """End all streams: the process is about to stop."""
        self.closing = True
        self.wake()

    async def newest(self) -> int:
        """The id of the newest event."""
        async with self._database.read() as session:
            return await session.scalar(select(func.max(EventRow.id))) or 0

    async def after(self, username: str, last: int) -> list[Event]:
        """The person's own and general events after ``last``, oldest first, some at a time."""
        mine = or_(EventRow.username == username, EventRow.username.is_(None))
        query = select(EventRow).where(EventRow.id > last, mine).order_by(EventRow.id).limit(BATCH)
        async with self._database.read() as session:
            rows = (await session.scalars(query)).all()
        return [Event.model_validate(row, from_attributes=True) for row in rows]

    def require_room(self, username: str) -> None:
        """Raise TooMany when a person follows in too many places already."""
        if self._streams.get(username, 0) >= STREAMS_PER_PERSON:
            raise TooMany("You have too many event streams open. Close some tabs and try again.")

    async def follow(self, username: str, position: int) -> AsyncIterator[Event | None]:
        """Events after ``position`` as they come; None after each `HEARTBEAT` seconds of silence."""
        self._streams[username] = self._streams.get(username, 0) + 1
        EVENT_STREAMS.inc()
        try:
            while not self.closing:
                grown = self._grown
                events = await self.after(username, position)
                for event in events:
                    position = event.id
                    yield event
                if not events and not await _within(grown, HEARTBEAT):
                    yield None
        finally:
            EVENT_STREAMS.dec()
            self._streams[username] -= 1
            if not self._streams[username]:
                del self._streams[username]

    async def look(self) -> None:
        """One look for events of other replicas; does nothing while nobody listens."""
        if self._streams and (newest := await self.newest()) > self._newest:
            self._newest = newest
            self.wake()

    async def listen(self) -> None:
        """Wait for PostgreSQL's notifications until the connection breaks. Raises Unavailable when there is none."""
        address = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            connection = await asyncpg.connect(address, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unavailable("The gateway's database does not answer; events come late.", code="database") from error
        broken = asyncio.Event()
        connection.add_termination_listener(lambda _: broken.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: self.wake())
            self.wake()  # something may have come while we did not listen
            await broken.wait()
        finally:
            with contextlib.suppress(Exception):
                await connection.close(timeout=2)

    async def forget_old(self) -> None:
        """Delete events that are too old or too many."""
        async with self._database.write() as session:
            newest = await session.scalar(select(func.max(EventRow.id))) or 0
            old = or_(EventRow.at < utcnow() - seconds(KEPT), EventRow.id <= newest - MOST_KEPT)
            await session.execute(delete(EventRow).where(old))


async def _within(event: asyncio.Event, limit: float) -> bool:
    try:
        async with asyncio.timeout(limit):
            await event.wait()
    except TimeoutError:
        return False
    return True
