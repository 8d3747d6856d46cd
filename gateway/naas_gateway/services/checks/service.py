"""Checks as the API offers them: for somebody, in the projects that they may use."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import TypeVar

from naas_client.errors import InvalidInput, NaasError
from naas_client.models import (
    Check,
    CheckBadges,
    CheckChannels,
    CheckFlips,
    CheckPage,
    CheckPingBody,
    CheckPings,
    SchedulePreview,
    WantedSchedule,
)
from naas_client.schedules import preview

from naas_gateway.clock import seconds, utcnow
from naas_gateway.services.checks.changes import Changes
from naas_gateway.services.checks.kept import Kept, problem_of
from naas_gateway.services.checks.looks import Looks
from naas_gateway.services.checks.opened import Opened, Someone
from naas_gateway.services.checks.projects import Projects
from naas_gateway.services.checks.showing import Wanted, page_of
from naas_gateway.services.paging import part_of, position

DAY = 86400.0
USUAL_DAYS, MOST_DAYS = 92, 366
"""Of flips: three months and a year."""
FIRST_YEAR, LAST_YEAR = 1971, 2200
"""Of flips: Unix times that three months can be taken from."""
AT_ONCE = 8
"""Lists that one call reads from the server at the same time."""

T = TypeVar("T")


class Checks:
    """Reading; what is changed goes through ``changes``, projects through ``projects``."""

    def __init__(self, projects: Projects, looks: Looks, changes: Changes) -> None:
        self.projects, self.changes, self._looks = projects, changes, looks

    async def all(self, who: Someone, wanted: Wanted) -> CheckPage:
        """The checks of all projects; one that cannot be read is told of in ``problems`` and does not hide the others."""
        opened = _once_each(await self.projects.open_all(who))
        slots = asyncio.Semaphore(AT_ONCE)

        async def look(one: Opened) -> Kept[dict[str, Check]] | NaasError:
            async with slots:
                try:
                    return await self._list(who, one)
                except NaasError as error:
                    return error

        found = list(zip(opened, await asyncio.gather(*map(look, opened)), strict=True))
        kept = [(one, answer) for one, answer in found if isinstance(answer, Kept)]
        problems = [problem for one, answer in kept for problem in answer.problems(one.id)]
        problems += [problem_of(one.id, answer) for one, answer in found if isinstance(answer, NaasError)]
        checks = [one.shown(check) for one, answer in kept for check in answer.value.values()]
        return page_of(checks, wanted, min((answer.as_of for _, answer in kept), default=None), problems)

    async def of_project(self, who: Someone, project_id: int, wanted: Wanted) -> CheckPage:
        """The checks of one project. Raises KeyRevoked, Unavailable or TooMany when there is nothing to show."""
        opened = await self.projects.open(who, project_id)
        kept = await self._list(who, opened)
        checks = [opened.shown(check) for check in kept.value.values()]
        return page_of(checks, wanted, kept.as_of, kept.problems(opened.id))

    async def _list(self, who: Someone, opened: Opened) -> Kept[dict[str, Check]]:
        await self.projects.looked(who, opened)
        return await self._looks.checks(opened)

    async def get(self, who: Someone, project_id: int, check_id: str) -> Check:
        """One check. Raises NotFound."""
        return await self._looks.check(await self.projects.open(who, project_id), check_id)

    async def pings(self, who: Someone, project_id: int, check_id: str, limit: int, cursor: str | None) -> CheckPings:
        """What arrived, newest first. Raises NotFound, Forbidden (``read-only-key``)."""
        opened = await self.projects.open(who, project_id)
        kept = await self._looks.pings(opened, check_id)
        before = position(cursor)
        older = [ping for ping in kept.value if before is None or ping.n < before]
        return CheckPings(
            items=older[:limit],
            total=len(kept.value),
            next=str(older[limit - 1].n) if len(older) > limit else None,
            as_of=kept.as_of,
            problems=kept.problems(opened.id),
        )

    async def ping_body(self, who: Someone, project_id: int, check_id: str, n: int) -> CheckPingBody:
        """What a ping said. Raises NotFound, Forbidden (``read-only-key``)."""
        return await self._looks.ping_body(await self.projects.open(who, project_id), check_id, n)

    async def flips(
        self,
        who: Someone,
        project_id: int,
        check_id: str,
        since: dt.datetime | None,
        until: dt.datetime | None,
        limit: int,
        cursor: str | None,
    ) -> CheckFlips:
        """Changes of state, oldest first. Raises InvalidInput for times that cannot be, NotFound."""
        opened = await self.projects.open(who, project_id)
        if any(at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR for at in (since, until)):
            raise InvalidInput(f"since and until: give times in the years {FIRST_YEAR} to {LAST_YEAR}.")
        end = until or utcnow()
        start = since or end - seconds(USUAL_DAYS * DAY)
        if not dt.timedelta(0) <= end - start <= seconds(MOST_DAYS * DAY):
            raise InvalidInput(f"since and until: ask for at most {MOST_DAYS} days, the earlier time first.")
        kept = await self._looks.flips(opened, check_id, start)
        found = [flip for flip in kept.value if start <= flip.at <= end]
        items, following = part_of(found, limit, cursor)
        return CheckFlips(
            items=items,
            total=len(found),
            next=following,
            since=start,
            until=end,
            as_of=kept.as_of,
            problems=kept.problems(opened.id),
        )

    async def channels(self, who: Someone, project_id: int) -> CheckChannels:
        """Who can be told. Raises Forbidden (``read-only-key``)."""
        opened = await self.projects.open(who, project_id)
        kept = await self._looks.channels(opened)
        return CheckChannels(
            items=kept.value, total=len(kept.value), as_of=kept.as_of, problems=kept.problems(opened.id)
        )

    async def badges(self, who: Someone, project_id: int) -> CheckBadges:
        """Images of the state of each tag."""
        opened = await self.projects.open(who, project_id)
        kept = await self._looks.badges(opened)
        return CheckBadges(items=kept.value, total=len(kept.value), as_of=kept.as_of, problems=kept.problems(opened.id))

    def preview(self, wanted: WantedSchedule) -> SchedulePreview:
        """What a schedule means. Raises InvalidInput."""
        return preview(wanted.schedule, wanted.tz, utcnow(), wanted.kind)


def _once_each(opened: Sequence[Opened]) -> list[Opened]:
    """Each project of the server once, though it may be registered for oneself and for a group: there where it can be changed."""
    found: dict[str, Opened] = {}
    for one in opened:
        if one.digest not in found or (one.writable and not found[one.digest].writable):
            found[one.digest] = one
    return list(found.values())
