"""The audit trail: who did what to which object, from where, with what result. Rows are added, never changed."""

from __future__ import annotations

import contextvars
import datetime as dt
from typing import Any

from naas_client.logs import request_id
from naas_client.models import AuditRow, Page
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import AuditRowRow
from naas_gateway.services.paging import position

GATEWAY = "naas-gateway"
"""Actor of what the gateway does by itself."""

address: contextvars.ContextVar[str] = contextvars.ContextVar("naas_address", default="")
"""Address of the caller of the current request."""


def add(session: AsyncSession, actor: str, action: str, object_: str, result: str = "ok", **detail: Any) -> None:
    """Add a row in the caller's transaction: the deed and its row are kept together or not at all."""
    session.add(
        AuditRowRow(
            at=utcnow(),
            actor=actor[:80],
            action=action,
            object=object_[:200],
            result=result[:60],
            request_id=request_id.get(),
            address=address.get(),
            detail=detail,
        )
    )


class Audit:
    """Adding single rows, and reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, actor: str, action: str, object_: str, result: str = "ok", **detail: Any) -> None:
        """Add a row in a transaction of its own."""
        async with self._database.write() as session:
            add(session, actor, action, object_, result, **detail)

    async def page(
        self, actor: str | None, action: str | None, since: dt.datetime | None, limit: int, cursor: str | None
    ) -> Page[AuditRow]:
        """Rows that match, newest first."""
        wanted = _matching(select(AuditRowRow), actor, action, since)
        before = position(cursor)
        rows_wanted = wanted.where(AuditRowRow.id < before) if before is not None else wanted
        async with self._database.read() as session:
            total = await session.scalar(select(func.count()).select_from(wanted.subquery()))
            rows = (await session.scalars(rows_wanted.order_by(AuditRowRow.id.desc()).limit(limit + 1))).all()
        items = [AuditRow.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return Page(items=items, total=total or 0, next=str(items[-1].id) if len(rows) > limit else None)


def _matching(query: Select[Any], actor: str | None, action: str | None, since: dt.datetime | None) -> Select[Any]:
    if actor:
        query = query.where(AuditRowRow.actor == actor)
    if action:
        query = query.where(AuditRowRow.action == action)
    if since:
        query = query.where(AuditRowRow.at >= since)
    return query
