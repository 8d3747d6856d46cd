"""Changing checks: everything that can be refused is refused before the server is asked; each change leaves an audit row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from naas_client.errors import Conflict, InvalidInput, NaasError, NotFound
from naas_client.models import Check, CheckChanges, NewCheck
from naas_client.models.checks import CheckFields
from naas_client.schedules import preview, time_zone
from naas_client.settings import HealthchecksSection
from sqlalchemy import select

from naas_gateway.clients.healthchecks import Document, Healthchecks
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import CheckKeyRow, CheckProjectRow, CheckWatcherRow, IdentityRow
from naas_gateway.services import audit
from naas_gateway.services.checks import reading
from naas_gateway.services.checks.budgets import CHANGE
from naas_gateway.services.checks.looks import Looks, no_such_check
from naas_gateway.services.checks.opened import Opened, Someone
from naas_gateway.services.checks.projects import Projects
from naas_gateway.services.events import Events

LATELY = 3600.0
"""Seconds: who has looked at the project since then is told that it changed."""

T = TypeVar("T")


class Changes:
    """What people change. Every method may raise NotFound, Forbidden, InvalidInput, Conflict, TooMany or Unavailable."""

    def __init__(
        self,
        settings: HealthchecksSection,
        database: Database,
        events: Events,
        server: Healthchecks,
        projects: Projects,
        looks: Looks,
    ) -> None:
        self._ping_url, self._database, self._events = settings.ping_url, database, events
        self._server, self._projects, self._looks = server, projects, looks

    async def create(self, who: Someone, project_id: int, new: NewCheck) -> tuple[Check, bool]:
        """Make a check, or change the one that ``unique`` finds; the check, and whether it is new.

        Raises Conflict (``check-exists``, ``check-limit``).
        """
        opened = await self._writable(who, project_id)
        _check_schedule(new)
        fields = _for_server(new)
        known = (await self._looks.checks(opened)).value.values()
        if new.unique:
            if new.channels is None and not any(_is_like(check, new) for check in known):
                fields["channels"] = "*"
        else:
            _require_free(new.name, known, opened)
            fields.setdefault("channels", "*")
        document, made = await self._looks.ask(opened, CHANGE, lambda key: self._server.create(key, fields))
        action = "check.create" if made else "check.change"
        return await self._done(who, opened, action, document, changed=sorted(fields)), made

    async def change(self, who: Someone, project_id: int, check_id: str, changes: CheckChanges) -> Check:
        """Change a check; what is not said stays. Raises Conflict (``check-exists``)."""
        opened = await self._writable(who, project_id)
        listed = await self._looks.checks(opened)
        check = self._looks.one_of(listed, opened, check_id)
        _check_schedule(changes, check.tz or "UTC")
        fields = _for_server(changes)
        if not fields:
            raise InvalidInput("There is nothing to change. Send the fields that are to be different.")
        if changes.name is not None and changes.name != check.name:
            _require_free(changes.name, listed.value.values(), opened)
        if changes.tz is not None and changes.schedule is None and check.schedule is None:
            raise InvalidInput("tz: this check has a simple schedule. Send schedule as well, or leave tz out.")
        document = await self._about(opened, lambda key: self._server.update(key, check_id, fields))
        return await self._done(who, opened, "check.change", document, changed=sorted(fields))

    async def pause(self, who: Someone, project_id: int, check_id: str) -> Check:
        """Expect nothing of a check for now."""
        opened = await self._writable(who, project_id)
        document = await self._about(opened, lambda key: self._server.pause(key, check_id))
        return await self._done(who, opened, "check.pause", document)

    async def resume(self, who: Someone, project_id: int, check_id: str) -> Check:
        """End a pause. Raises Conflict (``not-paused``)."""
        opened = await self._writable(who, project_id)
        document = await self._about(opened, lambda key: self._server.resume(key, check_id))
        return await self._done(who, opened, "check.resume", document)

    async def delete(self, who: Someone, project_id: int, check_id: str) -> None:
        """Delete a check with all that is known of it."""
        opened = await self._writable(who, project_id)
        name = (await self._looks.check(opened, check_id)).name
        await self._about(opened, lambda key: self._server.delete(key, check_id))
        await self._note(who, opened, "check.delete", None, check_id, name=name)

    async def _writable(self, who: Someone, project_id: int) -> Opened:
        opened = await self._projects.open(who, project_id)
        opened.require_writable()
        return opened

    async def _about(self, opened: Opened, call: Callable[[str], Awaitable[T]]) -> T:
        try:
            return await self._looks.ask(opened, CHANGE, call)
        except NotFound:
            raise no_such_check(opened) from None

    async def _done(self, who: Someone, opened: Opened, action: str, document: Document, **detail: Any) -> Check:
        try:
            check = reading.check_of(document, utcnow(), self._ping_url)
        except NaasError:
            await self._note(who, opened, action, None, "", **detail)  # it was changed all the same
            raise
        await self._note(who, opened, action, check, check.id, name=check.name, **detail)
        return check.model_copy(update={"project": opened.id})

    async def _note(
        self, who: Someone, opened: Opened, action: str, check: Check | None, check_id: str, **detail: Any
    ) -> None:
        now = utcnow()
        async with self._database.write() as session:
            if key := await session.get(CheckKeyRow, opened.digest):
                key.changed_at = now
            audit.add(session, who.row.name, action, f"{opened.id}/{check_id}", **detail)
            looking = (
                select(IdentityRow.name, CheckProjectRow.id)
                .join(CheckWatcherRow, CheckWatcherRow.user_id == IdentityRow.id)
                .join(CheckProjectRow, CheckProjectRow.id == CheckWatcherRow.project_id)
                .where(CheckProjectRow.key_digest == opened.digest, CheckWatcherRow.looked_at > now - seconds(LATELY))
            )
            for name, project in (await session.execute(looking)).all():
                await self._events.add(session, "checks.changed", name, project=project)
        self._events.wake()
        if check_id:
            self._looks.changed(opened, now, check, check_id)


def _check_schedule(fields: CheckFields, tz: str = "UTC") -> None:
    """Raise InvalidInput (``bad-schedule``, ``bad-time-zone``) as a preview would."""
    if fields.schedule is not None:
        preview(fields.schedule, fields.tz or tz, utcnow(), count=1)
    elif fields.tz is not None:
        time_zone(fields.tz)


def _for_server(fields: CheckFields) -> Document:
    """The fields that were given, as v3 writes them."""
    document = fields.model_dump(exclude_none=True)
    if "tags" in document:
        document["tags"] = " ".join(document["tags"])
    if "channels" in document:
        document["channels"] = ",".join(document["channels"])
    if not document.get("unique", True):
        del document["unique"]
    return document


def _is_like(check: Check, new: NewCheck) -> bool:
    """Whether a check is the one that ``unique`` means."""
    return all(getattr(check, name) == getattr(new, name) for name in new.unique)


def _require_free(name: str, known: Any, opened: Opened) -> None:
    """A name that two checks have would leave programs that ping by name in doubt."""
    if any(check.name == name for check in known):
        raise Conflict(
            f"“{opened.row.name}” has a check of this name. Choose another name, or send unique: [name] to change that check.",
            code="check-exists",
        )
