"""People's own projects on an embedded server, made at first use: Healthchecks itself has no call that makes projects."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from naas_client.addresses import EMAIL
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


class OwnProjects:
    """Makes the project of a person who has none, named after them, with their verified e-mail address as a channel."""

    def __init__(self, database: Database, keys: Keyring, admin: HealthchecksAdmin, owner: str) -> None:
        self._database, self._keys, self._admin, self._owner = database, keys, admin, owner
        self._flights: Flights[int, None] = Flights()
        self._addresses: dict[int, str] = {}
        """What this replica has told the server, by person."""

    async def tell_address(self, row: IdentityRow) -> None:
        """Have alerts of somebody's project go to the address that IAM has verified now, or to none. Raises Unavailable."""
        address = _verified(row)
        if self._addresses.get(row.id) != address:
            await self._admin.make(row.name, address)
            self._addresses[row.id] = address

    async def make(self, row: IdentityRow) -> None:
        """Make somebody's project, unless it is there. Raises Unavailable."""
        await self._flights.run(row.id, lambda: self._make(row))

    async def renew(self, row: IdentityRow, refused: str) -> None:
        """Get a new key for somebody's project, unless it has one: the server does not know the one that was used. Raises Unavailable.

        Parameters: ``refused``, the digest of that key.
        """
        await self._flights.run(row.id, lambda: self._make(row, refused))

    async def _make(self, row: IdentityRow, refused: str = "") -> None:
        end = monotonic() + WAIT
        while not await self._has_key(row, refused):
            if await duties.claim(self._database, f"check-project-{row.id}", self._owner, MAKING):
                break
            if monotonic() > end:
                raise Unavailable("Your project is being made. Try again in a minute.", code="healthchecks-down")
            await asyncio.sleep(LOOK)
        if await self._has_key(row, refused):
            return
        address = _verified(row)
        key = await self._admin.project(row.name, address)
        self._addresses[row.id] = address
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
            project.read_only = False
            for name, value in sealed(self._keys, key).items():
                setattr(project, name, value)
            await session.flush()
            audit.add(session, audit.GATEWAY, "check-project.provision", str(project.id), owner=row.name)

    async def _has_key(self, row: IdentityRow, refused: str) -> bool:
        """Whether somebody's project has a key other than the refused one."""
        async with self._database.read() as session:
            found: CheckProjectRow | None = await session.scalar(_of(row))
        return found is not None and found.key_digest != refused


def _verified(row: IdentityRow) -> str:
    """Somebody's e-mail address, if IAM has made sure that it is theirs and mail can be sent to it; otherwise empty."""
    email = str(row.claims.get("email") or "")
    return email if row.claims.get("email_verified") is True and EMAIL.fullmatch(email) else ""


def _of(row: IdentityRow) -> Select[Any]:
    return select(CheckProjectRow).where(CheckProjectRow.user_id == row.id, CheckProjectRow.provisioned.is_(True))
