"""Which projects of Healthchecks people have: registered by API key, a person's own or shared with an IAM group.

A key is encrypted in the database and decrypted only to be sent to the server. Everything that is kept or counted by key is found by its
digest: who registers a key that others have registered as well shares their budget.
"""

from __future__ import annotations

import logging
from typing import Any

from naas_client.errors import Conflict, Forbidden, InvalidInput, NaasError, NotFound, Unavailable
from naas_client.models import CheckProject, CheckProjectChanges, CheckProjects, NewCheckProject
from naas_client.settings import HealthchecksSection
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.healthchecks import Healthchecks, KeyRefused
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring
from naas_gateway.db.tables import CheckKeyRow, CheckProjectRow, CheckStatesRow, CheckWatcherRow, IdentityRow
from naas_gateway.services import audit
from naas_gateway.services.access import Access
from naas_gateway.services.checks import keys
from naas_gateway.services.checks.budgets import CHANGE, Budgets
from naas_gateway.services.checks.opened import WHERE_KEYS_ARE, KeyRevoked, Opened, Someone
from naas_gateway.services.checks.own import OwnProjects

log = logging.getLogger(__name__)

KEY_LENGTH = 32
"""Characters of an API key; Healthchecks takes one of another length for a missing key."""
MOST_PROJECTS = 50
"""Of one person or one group."""
LOOKED = 300.0
"""Seconds between two notes that somebody looks at a project."""
COUNTED = 86400.0
"""Seconds after which the requests with a key count no more: the longest pauses (`budgets.LONGEST_PAUSE`) are over."""


class Projects:
    """The projects of everybody."""

    def __init__(
        self,
        settings: HealthchecksSection,
        database: Database,
        keyring: Keyring,
        access: Access,
        server: Healthchecks,
        budgets: Budgets,
        own: OwnProjects | None,
    ) -> None:
        self._settings, self._database, self._keys, self._access = settings, database, keyring, access
        self._server, self._budgets, self._own = server, budgets, own

    async def page(self, who: Someone) -> CheckProjects:
        """All projects that somebody may use, their own first."""
        found = [opened.document() for opened in await self.open_all(who)]
        url = self._settings.public_url or self._settings.url
        return CheckProjects(items=found, total=len(found), url=url, groups=who.claims.groups)

    async def open_all(self, who: Someone) -> list[Opened]:
        """All projects that somebody may see. Raises Forbidden (``no-capability``), Unavailable (no own project could be made)."""
        self._require(who)
        found = await self._find(who)
        if self._own is None:
            return found
        try:
            if any(opened.row.provisioned for opened in found):
                await self._own.tell_address(who.row)
                return found
            await self._own.make(who.row)
        except Unavailable:
            if not found:
                raise
            return found
        return await self._find(who)

    async def open(self, who: Someone, project_id: int) -> Opened:
        """One project. Raises NotFound (``no-such-project``) also for one that is not theirs."""
        self._require(who)
        found = await self._find(who, CheckProjectRow.id == project_id)
        if not found:
            raise NotFound(
                "You have no such project. List the projects to see which there are.", code="no-such-project"
            )
        return found[0]

    def _require(self, who: Someone) -> None:
        if not (allowed := self._access.healthchecks(who.claims)).allowed:
            raise Forbidden(allowed.reason, code="no-capability")

    async def _find(self, who: Someone, *conditions: Any) -> list[Opened]:
        mine = CheckProjectRow.scope.in_([keys.own_scope(who.row.id), *map(keys.group_scope, who.claims.groups)])
        watcher = (CheckWatcherRow.project_id == CheckProjectRow.id) & (CheckWatcherRow.user_id == who.row.id)
        query = (
            select(CheckProjectRow, CheckKeyRow, CheckWatcherRow, IdentityRow.name)
            .join(IdentityRow, IdentityRow.id == CheckProjectRow.user_id)
            .outerjoin(CheckKeyRow, CheckKeyRow.digest == CheckProjectRow.key_digest)
            .outerjoin(CheckWatcherRow, watcher)
            .where(mine, *conditions)
            .order_by(CheckProjectRow.group, CheckProjectRow.id)
        )
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        return [self._opened(who, *row) for row in rows]

    def _opened(
        self,
        who: Someone,
        row: CheckProjectRow,
        key: CheckKeyRow | None,
        watcher: CheckWatcherRow | None,
        owner: str,
    ) -> Opened:
        manages = row.user_id == who.row.id or who.admin
        return Opened(
            row=row,
            writable=manages or row.members_write,
            manageable=manages,
            watcher=watcher,
            revoked_at=key.revoked_at if key else None,
            changed_at=key.changed_at if key else None,
            owner=owner,
            api_key=keys.opened(self._keys, row),
        )

    async def register(self, who: Someone, new: NewCheckProject) -> CheckProject:
        """Take over a project, after the server has said that it knows the key.

        Raises Forbidden (``not-in-group``), InvalidInput (``bad-key``), Conflict (``key-registered``, ``too-many-projects``),
        TooMany or Unavailable.
        """
        self._require(who)
        if new.group and new.group not in who.claims.groups:
            raise Forbidden(
                f"You are not in the group {new.group}. Choose one of yours, or leave it out.", code="not-in-group"
            )
        scope = keys.group_scope(new.group) if new.group else keys.own_scope(who.row.id)
        key = new.api_key.get_secret_value().strip()
        await self._require_room(scope, key)
        read_only = await self._validate(who.row, key)
        row = CheckProjectRow(
            scope=scope,
            user_id=who.row.id,
            group=new.group,
            name=new.name,
            **keys.sealed(self._keys, key),
            read_only=read_only,
            members_write=new.members_write,
            provisioned=False,
            registered_at=utcnow(),
        )
        detail = {"group": new.group, "read_only": read_only}
        await self._keep(row, who.row.name, "check-project.register", detail)
        return (await self.open(who, row.id)).document()

    async def _require_room(self, scope: str, key: str) -> None:
        query = select(CheckProjectRow).where(CheckProjectRow.scope == scope)
        async with self._database.read() as session:
            rows = (await session.scalars(query)).all()
        if same := [row for row in rows if row.key_digest == keys.digest(key)]:
            raise _registered(same[0].name)
        if len(rows) >= MOST_PROJECTS:
            raise Conflict(
                f"There are {len(rows)} projects, as many as there may be. Remove one first.", code="too-many-projects"
            )

    async def _validate(self, row: IdentityRow, key: str) -> bool:
        """Whether a key is read-only; raises InvalidInput (``bad-key``) when the server does not know it."""
        if len(key) != KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidInput(
                f"api_key: an API key has {KEY_LENGTH} characters. Copy it whole. {WHERE_KEYS_ARE}", code="bad-key"
            )
        counted = f"user:{row.id}"  # a key that nobody has registered has no budget of its own
        self._server.require_circuit()
        try:
            await self._budgets.ask(counted, CHANGE, lambda: self._server.checks(key))
            read_only = not await self._budgets.ask(counted, CHANGE, lambda: self._server.may_write(key))
        except KeyRefused:
            raise InvalidInput(
                f"api_key: Healthchecks does not know this key. {WHERE_KEYS_ARE}", code="bad-key"
            ) from None
        await self._budgets.revoked(keys.digest(key), None)
        return read_only

    async def _keep(self, row: CheckProjectRow, actor: str, action: str, detail: dict[str, Any]) -> None:
        try:
            async with self._database.write() as session:
                session.add(row)
                await session.flush()
                audit.add(session, actor, action, str(row.id), name=row.name, **detail)
        except IntegrityError:  # the same person in two tabs, or another member of the group
            raise _registered(row.name) from None

    async def change(self, who: Someone, project_id: int, changes: CheckProjectChanges) -> CheckProject:
        """Change a project. Raises as `register` does, and Forbidden (``not-manager``) for what only its owner may."""
        opened = await self.open(who, project_id)
        told = changes.model_dump(exclude_none=True, exclude={"api_key", "notify"})
        if told or changes.api_key is not None:
            _require_manager(opened)
        if changes.api_key is not None:
            if opened.row.provisioned:
                raise Conflict(
                    "This project was made for you by this site, which renews its key. Register another project with yours.",
                    code="provisioned",
                )
            told |= await self._new_key(who.row, opened, changes.api_key.get_secret_value().strip())
        if told:
            await self._update(who.row, opened, told)
        if changes.notify is not None:
            await self.watched(who.row.id, project_id, changes.notify)
        return (await self.open(who, project_id)).document()

    async def _new_key(self, row: IdentityRow, opened: Opened, key: str) -> dict[str, Any]:
        if keys.digest(key) != opened.digest:
            await self._require_room(opened.row.scope, key)
        return {"read_only": await self._validate(row, key), **keys.sealed(self._keys, key)}

    async def _update(self, row: IdentityRow, opened: Opened, values: dict[str, Any]) -> None:
        told = [name for name in values if name not in ("key_id", "key_digest")]
        try:
            async with self._database.write() as session:
                project = await session.get(CheckProjectRow, opened.id)
                if project is None:
                    raise NotFound("This project was just removed.", code="no-such-project")
                for name, value in values.items():
                    setattr(project, name, value)
                await session.flush()
                await _forget_unused(session, opened.digest)
                audit.add(session, row.name, "check-project.change", str(opened.id), name=project.name, changed=told)
        except IntegrityError:
            raise _registered(opened.row.name) from None

    async def remove(self, who: Someone, project_id: int) -> None:
        """Forget a project and its key; its checks stay on the server."""
        opened = await self.open(who, project_id)
        _require_manager(opened)
        if opened.row.provisioned:
            raise Conflict(
                "This project was made for you by this site and stays. Delete its checks instead.", code="provisioned"
            )
        async with self._database.write() as session:
            await session.execute(delete(CheckWatcherRow).where(CheckWatcherRow.project_id == project_id))
            await session.execute(delete(CheckProjectRow).where(CheckProjectRow.id == project_id))
            await _forget_unused(session, opened.digest)
            audit.add(session, who.row.name, "check-project.remove", str(project_id), name=opened.row.name)

    async def looked(self, who: Someone, opened: Opened) -> None:
        """Note now and then that somebody looks at a project: whoever looks is told of what happens there."""
        if opened.watcher is None or opened.watcher.looked_at < utcnow() - seconds(LOOKED):
            await self.watched(who.row.id, opened.id, None)

    async def watched(self, user_id: int, project_id: int, notify: bool | None) -> None:
        """Note that somebody looks at a project, and whether they want to be told (None: as before)."""
        try:
            async with self._database.write() as session:
                row = await session.get(CheckWatcherRow, (project_id, user_id))
                if row is None:
                    row = CheckWatcherRow(project_id=project_id, user_id=user_id, notify=True, looked_at=utcnow())
                    session.add(row)
                row.looked_at = utcnow()
                row.notify = row.notify if notify is None else notify
        except IntegrityError:  # noted by another call, or the project was removed in the same moment
            log.debug("project %d: a look was not noted", project_id)

    async def refused(self, opened: Opened) -> NaasError:
        """The server refused a project's key; the error for the asker. Of a project that this site made, there will be a new one."""
        if opened.row.provisioned and self._own is not None:
            async with self._database.read() as session:
                row = await session.get_one(IdentityRow, opened.row.user_id)
            await self._own.renew(row, opened.digest)
            return Unavailable(
                "Healthchecks was set up anew, and so was your project. Try again.", code="healthchecks-down"
            )
        await self._budgets.revoked(opened.digest, utcnow())
        log.info("Healthchecks does not know the key of project %d any more", opened.id)
        return KeyRevoked(opened.row.name)

    async def accepted(self, opened: Opened) -> None:
        """The server took a key that it had refused."""
        if opened.revoked_at is not None:
            await self._budgets.revoked(opened.digest, None)


def _registered(name: str) -> Conflict:
    return Conflict(f"This key is registered already, as “{name}”. Use that project.", code="key-registered")


def _require_manager(opened: Opened) -> None:
    if not opened.manageable:
        raise Forbidden(
            f"Only {opened.owner}, who registered “{opened.row.name}”, and administrators may change it.",
            code="not-manager",
        )


async def _forget_unused(session: AsyncSession, key_digest: str) -> None:
    """Forget what is known of a key that no project has any more; how often it was used, only when that counts no more."""
    used = select(CheckProjectRow.key_digest)
    states = delete(CheckStatesRow).where(CheckStatesRow.digest == key_digest, CheckStatesRow.digest.not_in(used))
    await session.execute(states)
    old = CheckKeyRow.counted_at < utcnow() - seconds(COUNTED)
    await session.execute(delete(CheckKeyRow).where(old, CheckKeyRow.digest.not_in(used)))
