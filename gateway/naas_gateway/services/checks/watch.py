"""Telling people that a check of theirs went down or came up, while none of their panels is open to see it.

One replica looks, each `EVERY` seconds, at the projects that somebody wants to hear of and has looked at within `LOOKED`; it takes the list
that panels have just read, and half of each key's budget is not its. What happens in people's own projects an embedded server says by
itself (`follow`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from naas_client.errors import NaasError
from naas_client.models import Check, Claims
from sqlalchemy import select

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring
from naas_gateway.db.tables import CheckKeyRow, CheckProjectRow, CheckStatesRow, CheckWatcherRow, IdentityRow
from naas_gateway.services import duties
from naas_gateway.services.access import Access
from naas_gateway.services.checks import keys
from naas_gateway.services.checks.budgets import WATCH
from naas_gateway.services.checks.looks import Looks
from naas_gateway.services.checks.opened import Opened
from naas_gateway.services.events import Events

log = logging.getLogger(__name__)

EVERY = 30.0
LOOKED = 7 * 86400.0
AT_ONCE = 8
MOST_TOLD = 10
"""Checks of one project that people are told of in one pass; the last ping of each is looked at, to say why it is down."""


@dataclass(frozen=True)
class Watching:
    """Somebody who wants to hear of a project."""

    opened: Opened
    person: IdentityRow


class CheckWatcher:
    """One pass looks at every project that is watched, once per key. Parameters: ``own``, whether at people's own ones as well."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        events: Events,
        access: Access,
        looks: Looks,
        owner: str,
        *,
        own: bool = True,
    ) -> None:
        self._database, self._keyring, self._events = database, keyring, events
        self._access, self._looks, self._owner, self._own = access, looks, owner, own
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def tick(self) -> None:
        """Make a pass if one is due and no other replica makes it."""
        if await duties.claim(self._database, "watch-checks", self._owner, EVERY):
            await self.watch()

    async def watch(self) -> None:
        """Look at all watched projects."""
        by_key: dict[str, list[Watching]] = {}
        for one in await self._watching():
            by_key.setdefault(one.opened.digest, []).append(one)
        await asyncio.gather(*(self._look_at(watching) for watching in by_key.values()))

    async def _watching(self) -> list[Watching]:
        query = (
            select(CheckProjectRow, CheckKeyRow, CheckWatcherRow, IdentityRow)
            .join(CheckWatcherRow, CheckWatcherRow.project_id == CheckProjectRow.id)
            .join(IdentityRow, IdentityRow.id == CheckWatcherRow.user_id)
            .join(CheckKeyRow, CheckKeyRow.digest == CheckProjectRow.key_digest)
            .where(CheckWatcherRow.notify.is_(True), CheckWatcherRow.looked_at > utcnow() - seconds(LOOKED))
            .order_by(CheckProjectRow.id)
        )
        if not self._own:
            query = query.where(CheckProjectRow.provisioned.is_(False))
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        return [
            Watching(
                Opened(
                    row=project,
                    writable=False,
                    manageable=False,
                    watcher=watcher,
                    revoked_at=key.revoked_at,
                    changed_at=key.changed_at,
                    owner="",
                    api_key=keys.opened(self._keyring, project),
                ),
                person,
            )
            for project, key, watcher, person in rows
            if may_know(self._access, person, project)
        ]

    async def _look_at(self, watching: Sequence[Watching]) -> None:
        opened = watching[0].opened
        async with self._slots:
            try:
                kept = await self._looks.checks(opened, WATCH)
                if kept.trouble is None:
                    flips = await self._flips(opened.digest, kept.value)
                    await self._tell(watching, flips)
            except NaasError as error:
                log.debug("project %d was not looked at: %s", opened.id, error.message)
            except Exception:  # one project's trouble must not hide the others
                log.exception("project %d was not looked at", opened.id)

    async def _flips(self, digest: str, checks: dict[str, Check]) -> list[Check]:
        """The checks that are down now and were not, or the other way; the states are kept for the next pass."""
        now = {check.id: check.status for check in checks.values()}
        async with self._database.write() as session:
            row = await session.get(CheckStatesRow, digest)
            if row is None:
                session.add(CheckStatesRow(digest=digest, states=now))
                return []
            before, row.states = row.states, now
        return [check for check in checks.values() if flipped(before.get(check.id), check.status)]

    async def _tell(self, watching: Sequence[Watching], flips: Sequence[Check]) -> None:
        """An event per check and person; of a whole project that goes down, only of so many, and that there are more."""
        if not flips:
            return
        told = [(check, await self._cause(watching[0].opened, check)) for check in flips[:MOST_TOLD]]
        people = {one.person.id: one for one in reversed(watching)}  # each in one of the projects with this key
        async with self._database.write() as session:
            for one in people.values():
                name, project = one.person.name, one.opened.row
                for check, cause in told:
                    kind = "check.down" if check.status == "down" else "check.up"
                    about = {"check": check.id, "name": check.name, "status": check.status, **cause}
                    await self._events.add(session, kind, name, project=project.id, project_name=project.name, **about)
                if len(flips) > MOST_TOLD:
                    await self._events.add(session, "checks.changed", name, project=project.id)
        self._events.wake()

    async def _cause(self, opened: Opened, check: Check) -> dict[str, str | int | None]:
        """Why a check is down: its last ping said so, or none came in time; nothing where that cannot be known."""
        if check.status != "down" or opened.row.read_only:
            return {}
        try:
            pings = (await self._looks.pings(opened, check.id)).value
        except NaasError:
            return {}
        told = next((ping for ping in pings if ping.type in ("success", "fail")), None)
        if told is None or told.type != "fail":
            return {"cause": "late"}
        return {"cause": "failure", "exit_status": told.exit_status}


def may_know(access: Access, person: IdentityRow, project: CheckProjectRow) -> bool:
    """Whether somebody may be told of a project, by what IAM said last: it is asked again when the person calls."""
    claims = Claims.model_validate(person.claims)
    return access.healthchecks(claims).allowed and (not project.group or project.group in claims.groups)


def flipped(before: str | None, now: str) -> bool:
    """A pause is no news, and neither is the first ping of a new check."""
    return (now == "down" and before not in (None, "down")) or (now in ("up", "grace") and before == "down")
