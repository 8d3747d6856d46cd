"""Telling people at once, in Lab, what an embedded server has for the channel *Lab* of their own projects.

Every replica waits for the server's next notifications; who moves the position in the database, in the transaction that keeps the events,
has told them. So nothing is told twice, and nothing is lost while no replica runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.healthchecks import Notification, Notifications
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import CheckKeyRow, CheckNotificationsRow, CheckProjectRow, CheckWatcherRow, IdentityRow
from naas_gateway.services.access import Access
from naas_gateway.services.checks.watch import MOST_TOLD, flipped, may_know
from naas_gateway.services.events import Events

PAUSE = 1.0
"""Seconds between two answers of the server: a check that goes up and down all the time is told of no more often."""


class LabChannel:
    """The channel *Lab* of all own projects. Parameters: ``server``, where its notifications wait."""

    def __init__(self, database: Database, events: Events, access: Access, server: Notifications) -> None:
        self._database, self._events, self._access, self.server = database, events, access, server

    async def follow(self) -> None:
        """Wait for the next notifications, for some time, and tell of them. Raises Unavailable."""
        told = await self._told()
        found, newest = await self.server.after(told or 0, wait=told is not None)
        if told is None:  # what was before anybody followed is no news
            await self._begin(newest)
        elif newest < told:  # the server was set up anew, and counts from the start
            await self._move(told, 0)
        elif found:
            await self._tell(told, found)

    async def _told(self) -> int | None:
        async with self._database.read() as session:
            row = await session.get(CheckNotificationsRow, self.server.url)
        return None if row is None else row.told

    async def _begin(self, position: int) -> None:
        with contextlib.suppress(IntegrityError):  # another replica began in the same moment
            async with self._database.write() as session:
                session.add(CheckNotificationsRow(server=self.server.url, told=position))

    async def _move(self, before: int, position: int) -> None:
        async with self._database.write() as session:
            await self._moved(session, before, position)

    async def _moved(self, session: AsyncSession, before: int, position: int) -> bool:
        """Whether it is this replica that tells what is between two positions."""
        here = CheckNotificationsRow.server == self.server.url, CheckNotificationsRow.told == before
        change = update(CheckNotificationsRow).where(*here).values(told=position)
        return (await session.execute(change.returning(CheckNotificationsRow.told))).first() is not None

    async def _tell(self, told: int, found: Sequence[Notification]) -> None:
        async with self._database.write() as session:
            if not await self._moved(session, told, found[-1].id):
                return
            for project, watcher, person in await _own_projects(session, {one.owner for one in found}):
                now = update(CheckKeyRow).where(CheckKeyRow.digest == project.key_digest)
                await session.execute(now.values(changed_at=utcnow()))  # what was read before does not show it
                if (watcher is None or watcher.notify) and may_know(self._access, person, project):
                    mine = (one for one in found if one.owner == person.name)
                    await self._tell_person(session, project, person.name, _latest(mine))
        self._events.wake()

    async def _tell_person(
        self, session: AsyncSession, project: CheckProjectRow, name: str, flips: Sequence[Notification]
    ) -> None:
        for one in flips[:MOST_TOLD]:
            kind = "check.down" if one.new_status == "down" else "check.up"
            about = {"check": one.check, "name": one.name, "status": one.new_status, **_cause(one)}
            await self._events.add(session, kind, name, project=project.id, project_name=project.name, **about)
        if len(flips) > MOST_TOLD:
            await self._events.add(session, "checks.changed", name, project=project.id)


async def _own_projects(
    session: AsyncSession, owners: Iterable[str]
) -> list[tuple[CheckProjectRow, CheckWatcherRow | None, IdentityRow]]:
    watcher = (CheckWatcherRow.project_id == CheckProjectRow.id) & (CheckWatcherRow.user_id == IdentityRow.id)
    query = (
        select(CheckProjectRow, CheckWatcherRow, IdentityRow)
        .join(IdentityRow, IdentityRow.id == CheckProjectRow.user_id)
        .outerjoin(CheckWatcherRow, watcher)
        .where(CheckProjectRow.provisioned.is_(True), IdentityRow.name.in_(sorted(owners)))
    )
    return [(project, watching, person) for project, watching, person in (await session.execute(query)).all()]


def _latest(found: Iterable[Notification]) -> list[Notification]:
    """What is true of each check now; of one that went down and up since the last answer, that it is up."""
    return [one for one in {one.check: one for one in found}.values() if flipped(one.old_status, one.new_status)]


def _cause(one: Notification) -> dict[str, Any]:
    """Why a check is down."""
    if one.new_status != "down":
        return {}
    return {"cause": "failure", "exit_status": one.exit_status} if one.reason == "fail" else {"cause": "late"}
