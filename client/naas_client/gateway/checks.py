"""Healthchecks through the gateway: `ChecksClient` and `SyncChecksClient`, the attribute ``checks`` of the two clients.

Besides what is named, every method may raise Conflict (``key-revoked``), TooMany (``healthchecks-busy``) and Unavailable
(``healthchecks-down``, ``gateway-down``).
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol, TypeVar

from naas_client.gateway._calls import Call
from naas_client.gateway._check_calls import CheckCalls
from naas_client.models import (
    Check,
    CheckBadges,
    CheckChanges,
    CheckChannels,
    CheckFlips,
    CheckPage,
    CheckPingBody,
    CheckPings,
    CheckProject,
    CheckProjectChanges,
    CheckProjects,
    NewCheck,
    NewCheckProject,
    SchedulePreview,
    WantedSchedule,
)

T = TypeVar("T")


class _Do(Protocol):
    def __call__(self, call: Call[T], /) -> T: ...


class _DoLater(Protocol):
    async def __call__(self, call: Call[T], /) -> T: ...


class ChecksClient:
    """The calls for asynchronous callers. Parameters: ``do``, makes a call."""

    def __init__(self, do: _DoLater) -> None:
        self._do = do

    async def projects(self) -> CheckProjects:
        """The projects that the caller may use. Raises NotFound (``no-healthchecks``), Forbidden (``no-capability``)."""
        return await self._do(CheckCalls.projects)

    async def register(self, new: NewCheckProject) -> CheckProject:
        """Register a project by its API key. Raises InvalidInput (``bad-key``), Conflict (``key-registered``)."""
        return await self._do(CheckCalls.register(new))

    async def change_project(self, project: int, changes: CheckProjectChanges) -> CheckProject:
        """Change a project; what is not said stays. Raises Forbidden (``not-manager``) and as `register`."""
        return await self._do(CheckCalls.change_project(project, changes))

    async def remove_project(self, project: int) -> None:
        """Forget a project and its key; its checks stay on the server. Raises Conflict (``provisioned``)."""
        await self._do(CheckCalls.remove_project(project))

    async def list(
        self,
        project: int | None = None,
        *,
        tag: str = "",
        search: str = "",
        state: str = "",
        limit: int = 100,
        cursor: str | None = None,
    ) -> CheckPage:
        """The checks of a project, or (None) of all of them, the ones in trouble first."""
        return await self._do(CheckCalls.checks(project, tag, search, state, limit, cursor))

    async def create(self, project: int, new: NewCheck) -> Check:
        """Make a check, or change the one that ``unique`` finds. Raises Conflict (``check-exists``, ``check-limit``)."""
        return await self._do(CheckCalls.create(project, new))

    async def get(self, project: int, check: str) -> Check:
        """One check. Raises NotFound (``no-such-check``)."""
        return await self._do(CheckCalls.get(project, check))

    async def change(self, project: int, check: str, changes: CheckChanges) -> Check:
        """Change a check; what is not said stays."""
        return await self._do(CheckCalls.change(project, check, changes))

    async def delete(self, project: int, check: str) -> None:
        """Delete a check with all that is known of it."""
        await self._do(CheckCalls.delete(project, check))

    async def pause(self, project: int, check: str) -> Check:
        """Expect nothing of a check until it is resumed, or pinged."""
        return await self._do(CheckCalls.pause(project, check))

    async def resume(self, project: int, check: str) -> Check:
        """End a pause. Raises Conflict (``not-paused``)."""
        return await self._do(CheckCalls.resume(project, check))

    async def pings(self, project: int, check: str, *, limit: int = 50, cursor: str | None = None) -> CheckPings:
        """What arrived, newest first. Raises Forbidden (``read-only-key``)."""
        return await self._do(CheckCalls.pings(project, check, limit, cursor))

    async def ping_body(self, project: int, check: str, n: int) -> CheckPingBody:
        """What a ping said. Raises NotFound (``no-body``), Forbidden (``read-only-key``)."""
        return await self._do(CheckCalls.ping_body(project, check, n))

    async def flips(
        self,
        project: int,
        check: str,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> CheckFlips:
        """Changes of state, oldest first; times with a zone, default the last 92 days."""
        return await self._do(CheckCalls.flips(project, check, since, until, limit, cursor))

    async def channels(self, project: int) -> CheckChannels:
        """Who can be told. Raises Forbidden (``read-only-key``)."""
        return await self._do(CheckCalls.channels(project))

    async def badges(self, project: int) -> CheckBadges:
        """Images of the state of each tag."""
        return await self._do(CheckCalls.badges(project))

    async def preview(self, wanted: WantedSchedule) -> SchedulePreview:
        """What a schedule means, and its next runs. Raises InvalidInput (``bad-schedule``, ``bad-time-zone``)."""
        return await self._do(CheckCalls.preview(wanted))


class SyncChecksClient:
    """The same for synchronous callers."""

    def __init__(self, do: _Do) -> None:
        self._do = do

    def projects(self) -> CheckProjects:
        """The projects that the caller may use. Raises NotFound (``no-healthchecks``), Forbidden (``no-capability``)."""
        return self._do(CheckCalls.projects)

    def register(self, new: NewCheckProject) -> CheckProject:
        """Register a project by its API key. Raises InvalidInput (``bad-key``), Conflict (``key-registered``)."""
        return self._do(CheckCalls.register(new))

    def change_project(self, project: int, changes: CheckProjectChanges) -> CheckProject:
        """Change a project; what is not said stays. Raises Forbidden (``not-manager``) and as `register`."""
        return self._do(CheckCalls.change_project(project, changes))

    def remove_project(self, project: int) -> None:
        """Forget a project and its key; its checks stay on the server. Raises Conflict (``provisioned``)."""
        self._do(CheckCalls.remove_project(project))

    def list(
        self,
        project: int | None = None,
        *,
        tag: str = "",
        search: str = "",
        state: str = "",
        limit: int = 100,
        cursor: str | None = None,
    ) -> CheckPage:
        """The checks of a project, or (None) of all of them, the ones in trouble first."""
        return self._do(CheckCalls.checks(project, tag, search, state, limit, cursor))

    def create(self, project: int, new: NewCheck) -> Check:
        """Make a check, or change the one that ``unique`` finds. Raises Conflict (``check-exists``, ``check-limit``)."""
        return self._do(CheckCalls.create(project, new))

    def get(self, project: int, check: str) -> Check:
        """One check. Raises NotFound (``no-such-check``)."""
        return self._do(CheckCalls.get(project, check))

    def change(self, project: int, check: str, changes: CheckChanges) -> Check:
        """Change a check; what is not said stays."""
        return self._do(CheckCalls.change(project, check, changes))

    def delete(self, project: int, check: str) -> None:
        """Delete a check with all that is known of it."""
        self._do(CheckCalls.delete(project, check))

    def pause(self, project: int, check: str) -> Check:
        """Expect nothing of a check until it is resumed, or pinged."""
        return self._do(CheckCalls.pause(project, check))

    def resume(self, project: int, check: str) -> Check:
        """End a pause. Raises Conflict (``not-paused``)."""
        return self._do(CheckCalls.resume(project, check))

    def pings(self, project: int, check: str, *, limit: int = 50, cursor: str | None = None) -> CheckPings:
        """What arrived, newest first. Raises Forbidden (``read-only-key``)."""
        return self._do(CheckCalls.pings(project, check, limit, cursor))

    def ping_body(self, project: int, check: str, n: int) -> CheckPingBody:
        """What a ping said. Raises NotFound (``no-body``), Forbidden (``read-only-key``)."""
        return self._do(CheckCalls.ping_body(project, check, n))

    def flips(
        self,
        project: int,
        check: str,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> CheckFlips:
        """Changes of state, oldest first; times with a zone, default the last 92 days."""
        return self._do(CheckCalls.flips(project, check, since, until, limit, cursor))

    def channels(self, project: int) -> CheckChannels:
        """Who can be told. Raises Forbidden (``read-only-key``)."""
        return self._do(CheckCalls.channels(project))

    def badges(self, project: int) -> CheckBadges:
        """Images of the state of each tag."""
        return self._do(CheckCalls.badges(project))

    def preview(self, wanted: WantedSchedule) -> SchedulePreview:
        """What a schedule means, and its next runs. Raises InvalidInput (``bad-schedule``, ``bad-time-zone``)."""
        return self._do(CheckCalls.preview(wanted))
