"""How many requests an API key has left, counted in the database: all replicas and all people share it.

A token bucket: a third of the limit may be used at once, two thirds come back in a minute, so in no minute are there more requests than
the limit. Part of it is kept for what people do: looks leave a quarter, the watcher leaves half.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from naas_client.errors import TooMany
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.healthchecks import Limited
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import CheckKeyRow
from naas_gateway.metrics import CHECK_REQUESTS

CHANGE, LOOK, WATCH = 0.0, 0.25, 0.5
"""Share of the bucket that a request leaves to the more important ones."""
PATIENCE = 6.0
"""Seconds that a change waits for its turn."""
SHORTEST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
"""Seconds without any request after the server said that there were too many; doubled while it goes on saying so."""
MOST_LEVELS = 20_000

T = TypeVar("T")


def _busy(wait: float) -> TooMany:
    return TooMany(
        f"Healthchecks is asked as often as it allows. Try again in {max(1.0, wait):.0f} s.", code="healthchecks-busy"
    )


class Budgets:
    """The budgets of all keys. Parameters: ``per_minute``, requests with one key in any minute."""

    def __init__(self, database: Database, per_minute: int) -> None:
        self._database = database
        self.size = per_minute / 3
        self._rate = per_minute * 2 / 3 / 60
        self._levels: dict[str, float] = {}

    def level(self, digest: str) -> float:
        """Share of the bucket that was left after this replica's last request: 1 full, 0 empty."""
        return self._levels.get(digest, 1.0)

    async def ask(self, digest: str, leave: float, call: Callable[[], Awaitable[T]]) -> T:
        """The answer to one request, if the budget has room for it. Parameters: ``leave``: `CHANGE`, `LOOK` or `WATCH`.

        Raises TooMany (``healthchecks-busy``), or what the call raises.
        """
        await self.take(digest, leave)
        try:
            return await call()
        except Limited as limited:
            raise _busy(await self.hold(digest, limited.pause)) from None

    async def take(self, digest: str, leave: float) -> None:
        """Count one request, which is made right after. Raises TooMany; a change waits a little first."""
        end = monotonic() + (PATIENCE if leave == CHANGE else 0)
        while wait := await self._try(digest, leave):
            if monotonic() + wait > end:
                CHECK_REQUESTS.labels("held-back").inc()
                raise _busy(wait)
            await asyncio.sleep(wait)

    async def _try(self, digest: str, leave: float) -> float:
        """0 when the request may be made, else the seconds until it might."""
        now = utcnow()
        async with self._database.write() as session:
            row = await self._row(session, digest, now)
            if row.held_until is not None and row.held_until > now:
                self._note(digest, 0)
                return (row.held_until - now).total_seconds()
            passed = max(0.0, (now - row.counted_at).total_seconds())
            row.tokens, row.counted_at = min(self.size, row.tokens + passed * self._rate), max(now, row.counted_at)
            missing = max(1.0, 1.0 + leave * self.size) - row.tokens
            if missing <= 0:
                row.tokens -= 1
            self._note(digest, row.tokens / self.size)
        return max(0.0, missing / self._rate)

    async def hold(self, digest: str, pause: float) -> float:
        """The server said 429: make no request for ``pause`` seconds, or longer if it has said so just before; how long."""
        now = utcnow()
        async with self._database.write() as session:
            row = await self._row(session, digest, now)
            again = row.held_until is not None and now - row.held_until < seconds(LONGEST_PAUSE)
            row.held_for = min(LONGEST_PAUSE, max(pause, SHORTEST_PAUSE, 2 * row.held_for if again else 0))
            row.held_until, row.tokens = now + seconds(row.held_for), 0
        self._note(digest, 0)
        return row.held_for

    async def revoked(self, digest: str, at: dt.datetime | None) -> None:
        """The server does not know the key (any more), or (None) knows it."""
        async with self._database.write() as session:
            (await self._row(session, digest, utcnow())).revoked_at = at

    async def _row(self, session: AsyncSession, digest: str, now: dt.datetime) -> CheckKeyRow:
        row = await session.get(CheckKeyRow, digest, with_for_update=True)
        if row is None:
            row = CheckKeyRow(digest=digest, tokens=self.size, counted_at=now, held_for=0)
            try:
                async with session.begin_nested():
                    session.add(row)
            except IntegrityError:  # another replica made it in the same moment
                row = await session.get_one(CheckKeyRow, digest, with_for_update=True)
        return row

    def _note(self, digest: str, level: float) -> None:
        if len(self._levels) >= MOST_LEVELS:
            self._levels.clear()
        self._levels[digest] = max(0.0, min(1.0, level))
