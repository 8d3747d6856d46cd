"""Reading from the Healthchecks server as rarely as possible, for everybody together.

There is one list of checks per API key, read again after `FRESH` seconds, and the more rarely the less of the key's budget is left.
Pings and flips are read again only when the list shows that something has happened to their check. Each thing is read once at a time,
however many ask.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sized
from typing import Any, TypeVar

from naas_client.errors import NotFound, TooMany, Unavailable
from naas_client.models import Check, CheckBadge, CheckChannel, CheckFlip, CheckPing, CheckPingBody
from naas_client.settings import HealthchecksSection

from naas_gateway.clients.healthchecks import TITLE, Healthchecks, KeyRefused
from naas_gateway.clock import seconds, utcnow
from naas_gateway.metrics import CHECK_LOOKS
from naas_gateway.services.checks import reading
from naas_gateway.services.checks.budgets import LOOK, Budgets
from naas_gateway.services.checks.kept import Kept, Key, Shelf
from naas_gateway.services.checks.opened import KeyRevoked, Opened
from naas_gateway.services.checks.projects import Projects
from naas_gateway.services.flights import Flights

FRESH, OLDEST = 5.0, 60.0
"""Seconds that a list is taken for new: with a budget that is at least half full, and with an empty one."""
RARELY = 60.0
"""Seconds that channels and badges are taken for new."""
PATIENCE = 3.0
"""Seconds that somebody waits for a new answer when there is an old one to show."""
CONFIRMED = 600.0
"""Seconds after which pings and flips are read again although the list shows nothing new."""

T = TypeVar("T")
Whole = TypeVar("Whole", bound=Sized)
Make = Callable[[str], Awaitable[T]]


class Looks:
    """What is known of checks. Every method may raise KeyRevoked, Unavailable or TooMany when nothing is kept that could be shown."""

    def __init__(
        self, settings: HealthchecksSection, server: Healthchecks, projects: Projects, budgets: Budgets
    ) -> None:
        self._ping_url, self._server, self._projects, self._budgets = settings.ping_url, server, projects, budgets
        self._shelf = Shelf()
        self._flights: Flights[Key, Kept[Any]] = Flights()

    async def checks(self, opened: Opened, leave: float = LOOK) -> Kept[dict[str, Check]]:
        """All checks of a project by id; their ``project`` is 0, because others may have registered the same one."""

        async def make(key: str) -> dict[str, Check]:
            as_of = utcnow()
            found = [reading.check_of(one, as_of, self._ping_url) for one in await self._server.checks(key)]
            return {check.id: check for check in found}

        scarcity = 1 - min(1.0, 2 * self._budgets.level(opened.digest))
        return await self._get(opened, ("checks",), make, FRESH + (OLDEST - FRESH) * scarcity, leave=leave)

    async def check(self, opened: Opened, check_id: str) -> Check:
        """One check. Raises NotFound (``no-such-check``)."""
        return self.one_of(await self.checks(opened), opened, check_id)

    def one_of(self, kept: Kept[dict[str, Check]], opened: Opened, check_id: str) -> Check:
        """A check of a list. Raises NotFound (``no-such-check``)."""
        if check_id not in kept.value:
            raise no_such_check(opened)
        return opened.shown(kept.value[check_id])

    async def pings(self, opened: Opened, check_id: str) -> Kept[list[CheckPing]]:
        """The pings that the server keeps, newest first. Raises Forbidden (``read-only-key``), NotFound."""
        opened.require_full_key("show pings")

        async def make(key: str) -> list[CheckPing]:
            return [reading.ping_of(one) for one in await self._server.pings(key, check_id)]

        return await self._of_check(opened, "pings", check_id, make)

    async def ping_body(self, opened: Opened, check_id: str, n: int) -> CheckPingBody:
        """What a ping said; nothing is kept of it. Raises Forbidden (``read-only-key``), NotFound (``no-body``)."""
        opened.require_full_key("show what pings said")
        await self.check(opened, check_id)
        try:
            body = await self.ask(opened, LOOK, lambda key: self._server.ping_body(key, check_id, n))
        except NotFound:
            raise NotFound("This ping said nothing, or is not kept any more.", code="no-body") from None
        return reading.body_of(n, body)

    async def flips(self, opened: Opened, check_id: str, since: dt.datetime) -> Kept[list[CheckFlip]]:
        """Changes of state since some day, oldest first; perhaps some older ones. Raises NotFound."""
        start = since.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)

        async def make(key: str) -> list[CheckFlip]:
            end = int(utcnow().timestamp()) + 1
            found = await self._server.flips(key, check_id, int(start.timestamp()), end)
            return oldest_first([reading.flip_of(one) for one in found])

        return await self._of_check(opened, f"flips since {start:%Y-%m-%d}", check_id, make)

    async def channels(self, opened: Opened) -> Kept[list[CheckChannel]]:
        """The project's integrations. Raises Forbidden (``read-only-key``)."""
        opened.require_full_key("show who is told")

        async def make(key: str) -> list[CheckChannel]:
            return [reading.channel_of(one) for one in await self._server.channels(key)]

        return await self._get(opened, ("channels",), make, RARELY)

    async def badges(self, opened: Opened) -> Kept[list[CheckBadge]]:
        """The badges of the project and of each tag."""

        async def make(key: str) -> list[CheckBadge]:
            return [reading.badge_of(tag, one) for tag, one in sorted((await self._server.badges(key)).items())]

        return await self._get(opened, ("badges",), make, RARELY)

    async def ask(self, opened: Opened, leave: float, call: Make[T]) -> T:
        """One request with a project's key. Raises KeyRevoked, TooMany, Unavailable, or what the call raises."""
        opened.require_key()
        self._server.require_circuit()  # a request that is not made is not counted
        try:
            answer = await self._budgets.ask(opened.digest, leave, lambda: call(opened.api_key))
        except KeyRefused:
            raise await self._projects.refused(opened) from None
        await self._projects.accepted(opened)
        return answer

    def changed(self, opened: Opened, at: dt.datetime, check: Check | None, check_id: str) -> None:
        """We changed a check ourselves (None: it is gone): what is kept of it now is this, without another question."""
        key = (opened.digest, "checks")
        kept = self._shelf.get(key)
        if kept is None or _misses_a_change(kept, opened):
            return  # another replica has changed something as well
        value = {**kept.value, check_id: check} if check else {i: c for i, c in kept.value.items() if i != check_id}
        self._shelf.put(key, Kept(value, kept.as_of, known_to=at))

    async def _of_check(self, opened: Opened, what: str, check_id: str, make: Make[Whole]) -> Kept[Whole]:
        """What is known of one check, read again when the list says that something happened to it."""
        listed = await self.checks(opened)
        check = self.one_of(listed, opened, check_id)
        version = check.n_pings, check.last_ping, check.status, check.started
        return await self._get(opened, (what, check_id), make, CONFIRMED, version=version, confirmed_at=listed.as_of)

    async def _get(
        self,
        opened: Opened,
        what: tuple[str, ...],
        make: Make[Whole],
        life: float,
        *,
        leave: float = LOOK,
        version: Any = None,
        confirmed_at: dt.datetime | None = None,
    ) -> Kept[Whole]:
        """What is kept, or, when it is too old, of another version or older than our own last change, what the server says now.

        Parameters: ``life``, seconds; ``confirmed_at``, when the version was seen.
        """
        opened.require_key()
        key: Key = (opened.digest, *what)
        kept: Kept[Whole] | None = self._shelf.get(key)
        now = utcnow()
        if (
            kept is not None
            and kept.version == version
            and now < kept.as_of + seconds(life)
            and not (version is None and _misses_a_change(kept, opened))
        ):
            CHECK_LOOKS.labels("kept").inc()
            return Kept(kept.value, max(kept.as_of, confirmed_at or kept.as_of), kept.known_to)
        try:
            async with asyncio.timeout(PATIENCE if kept else None):  # what was asked goes on and is kept
                found = await self._fly(opened, key, make, leave, version)
                if version is None and _misses_a_change(found, opened):  # it was under way when the change was made
                    found = await self._fly(opened, key, make, leave, version)
        except (Unavailable, TooMany, TimeoutError) as error:
            if kept is None:
                raise
            if isinstance(error, TimeoutError):
                error = Unavailable(f"{TITLE} takes long to answer.", code="healthchecks-down")
            CHECK_LOOKS.labels("stale").inc()
            return kept.troubled(error)
        except NotFound:
            raise no_such_check(opened) from None
        except KeyRevoked:  # perhaps somebody else asked, who has another name for this project
            raise KeyRevoked(opened.row.name) from None
        CHECK_LOOKS.labels("server").inc()
        return found

    async def _fly(self, opened: Opened, key: Key, make: Make[Whole], leave: float, version: Any) -> Kept[Whole]:
        found: Kept[Whole] = await self._flights.run(key, lambda: self._make(opened, key, make, leave, version))
        return found

    async def _make(self, opened: Opened, key: Key, make: Make[Whole], leave: float, version: Any) -> Kept[Whole]:
        started = utcnow()
        value = await self.ask(opened, leave, make)
        return self._shelf.put(key, Kept(value, started, known_to=started, version=version))


def oldest_first(flips: list[CheckFlip]) -> list[CheckFlip]:
    """Flips in the order they happened. Their times are whole seconds, so of equal ones only the server's order tells."""
    newest_first = bool(flips) and flips[0].at >= flips[-1].at
    return sorted(reversed(flips) if newest_first else flips, key=lambda flip: flip.at)


def _misses_a_change(kept: Kept[Any], opened: Opened) -> bool:
    return opened.changed_at is not None and kept.known_to < opened.changed_at


def no_such_check(opened: Opened) -> NotFound:
    """Also for a check of another project."""
    return NotFound(
        f"“{opened.row.name}” has no such check (any more). Look at its list of checks.", code="no-such-check"
    )
