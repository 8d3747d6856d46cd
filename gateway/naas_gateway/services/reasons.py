"""Stop reasons: why a server was stopped or did not start, kept until its owner has seen it."""

from __future__ import annotations

from typing import Any

from naas_client.models import Page, StopReason
from sqlalchemy import Select, delete, func, select, update

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import StopReasonRow
from naas_gateway.services import audit
from naas_gateway.services.events import Events
from naas_gateway.services.paging import position

SAME = 600.0
"""Seconds within which the same unseen reason for the same server is not kept twice."""

KEPT_SEEN = 30 * 86400.0
MOST_UNSEEN = 20


class Reasons:
    """Keeping, listing and marking reasons."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    async def add(self, reason: StopReason, actor: str) -> None:
        """Keep a reason, with its event and audit row; a repetition is ignored."""
        same = select(StopReasonRow.id).where(
            StopReasonRow.username == reason.username,
            StopReasonRow.server == reason.server,
            StopReasonRow.code == reason.code,
            StopReasonRow.seen_at.is_(None),
            StopReasonRow.at > utcnow() - seconds(SAME),
        )
        async with self._database.write() as session:
            if await session.scalar(same.limit(1)) is not None:
                return
            session.add(StopReasonRow(**reason.model_dump(), seen_at=None))
            audit.add(session, actor, "server.stop", f"{reason.username}/{reason.server}", reason.code)
            await self._events.add(
                session,
                "server.stopped",
                reason.username,
                server=reason.server,
                code=reason.code,
                message=reason.message,
            )
        self._events.wake()

    async def page(self, username: str, limit: int, cursor: str | None) -> Page[StopReason]:
        """A person's reasons, newest first, seen ones included."""
        mine = select(StopReasonRow).where(StopReasonRow.username == username)
        before = position(cursor)
        return await self._page(mine, mine.where(StopReasonRow.id < before) if before is not None else mine, limit)

    async def unseen(self, username: str) -> Page[StopReason]:
        """A person's unseen reasons, newest first."""
        query = select(StopReasonRow).where(StopReasonRow.username == username, StopReasonRow.seen_at.is_(None))
        return await self._page(query, query, MOST_UNSEEN)

    async def _page(self, all_: Select[Any], query: Select[Any], limit: int) -> Page[StopReason]:
        async with self._database.read() as session:
            total = await session.scalar(select(func.count()).select_from(all_.subquery()))
            rows = (await session.scalars(query.order_by(StopReasonRow.id.desc()).limit(limit + 1))).all()
        items = [StopReason.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return Page(items=items, total=total or 0, next=str(rows[limit - 1].id) if len(rows) > limit else None)

    async def seen(self, username: str) -> None:
        """Mark all of a person's reasons as seen."""
        unseen = update(StopReasonRow).where(StopReasonRow.username == username, StopReasonRow.seen_at.is_(None))
        async with self._database.write() as session:
            await session.execute(unseen.values(seen_at=utcnow()))

    async def forget_old(self) -> None:
        """Delete reasons that were seen long ago."""
        async with self._database.write() as session:
            await session.execute(delete(StopReasonRow).where(StopReasonRow.seen_at < utcnow() - seconds(KEPT_SEEN)))
