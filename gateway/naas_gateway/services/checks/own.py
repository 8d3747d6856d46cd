"""People's own projects on an embedded server, made at first use: Healthchecks itself has no call that makes projects."""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Any

from naas_client.errors import Unavailable
from sqlalchemy import Select, select

from naas_gateway.clients.healthchecks import HealthchecksAdmin
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring
from naas_gateway.db.tables import CheckProjectRow, IdentityRow
from naas_gateway.services import audit, duties
from naas_gateway.services.checks.keys import own_scope, sealed
from naas_gateway.services.flights import Flights

MAKING = 20.0
"""Seconds for which nobody else makes the same person's project."""
WAIT = 6.0
"""Seconds that a caller waits for another replica that makes it."""
LOOK = 0.2

EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,180}")


class OwnProjects:
    """Makes the project of a person who has none, named after them, with their e-mail address as a channel."""

    def __init__(self, database: Database, keys: Keyring, admin: HealthchecksAdmin, owner: str) -> None:
        self._database, self._keys, self._admin, self._owner = database, keys, admin, owner
        self._flights: Flights[int, None] = Flights()

    async def make(self, row: IdentityRow) -> None:
        """Make somebody's project, unless it is there. Raises Unavailable."""
        await self._flights.run(row.id, lambda: self._make(row))

    async def renew(self, row: IdentityRow) -> None:
        """Get a new key for somebody's project: the server does not know the one we have. Raises Unavailable."""
        await self._flights.run(row.id, lambda: self._make(row, again=True))

    async def _make(self, row: IdentityRow, *, again: bool = False) -> None:
        end = monotonic() + WAIT
        while not await duties.claim(self._database, f"check-project-{row.id}", self._owner, MAKING):
            if await self._find(row) is not None and not again:
                return
            if monotonic() > end:
                raise Unavailable("Your project is being made. Try again in a minute.", code="healthchecks-down")
            await asyncio.sleep(LOOK)
        if await self._find(row) is not None and not again:
            return
        email = str(row.claims.get("email") or "")
        key = await self._admin.project(row.name, email if EMAIL.fullmatch(email) else "")
        async with self._database.write() as session:
            project: CheckProjectRow | None = await session.scalar(_of(row).with_for_update())
            if project is None:
                project = CheckProjectRow(
                    scope=own_scope(row.id),
                    user_id=row.id,
                    group="",
                    name=row.name,
                    read_only=False,
                    members_write=True,
                    provisioned=True,
                    registered_at=utcnow(),
                )
                session.add(project)
            for name, value in sealed(self._keys, key).items():
                setattr(project, name, value)
            await session.flush()
            audit.add(session, audit.GATEWAY, "check-project.provision", str(project.id), owner=row.name)

    async def _find(self, row: IdentityRow) -> CheckProjectRow | None:
        async with self._database.read() as session:
            found: CheckProjectRow | None = await session.scalar(_of(row))
        return found


def _of(row: IdentityRow) -> Select[Any]:
    return select(CheckProjectRow).where(CheckProjectRow.user_id == row.id, CheckProjectRow.provisioned.is_(True))
