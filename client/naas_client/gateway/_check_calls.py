"""The calls below ``/healthchecks``: what both clients share."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from naas_client.gateway._calls import Call, nothing
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

BASE = "/healthchecks"


def _project(project: int, what: str = "") -> str:
    return f"{BASE}/projects/{project}{what}"


def _check(project: int, check: str, what: str = "") -> str:
    return _project(project, f"/checks/{check}{what}")


def _said(model: BaseModel) -> object:
    return model.model_dump(mode="json", exclude_none=True)


def _given(**parameters: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in parameters.items() if value}


def _moment(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


class CheckCalls:
    """Every call, defined once for both clients."""

    projects = Call("GET", f"{BASE}/projects", CheckProjects.model_validate)

    @staticmethod
    def register(new: NewCheckProject) -> Call[CheckProject]:
        return Call("POST", f"{BASE}/projects", CheckProject.model_validate, json=_said(new))

    @staticmethod
    def change_project(project: int, changes: CheckProjectChanges) -> Call[CheckProject]:
        return Call("PATCH", _project(project), CheckProject.model_validate, json=_said(changes))

    @staticmethod
    def remove_project(project: int) -> Call[None]:
        return Call("DELETE", _project(project), nothing)

    @staticmethod
    def checks(
        project: int | None, tag: str, search: str, state: str, limit: int, cursor: str | None
    ) -> Call[CheckPage]:
        path = f"{BASE}/checks" if project is None else _project(project, "/checks")
        params = _given(tag=tag, search=search, state=state, limit=limit, cursor=cursor)
        return Call("GET", path, CheckPage.model_validate, params=params)

    @staticmethod
    def create(project: int, new: NewCheck) -> Call[Check]:
        return Call("POST", _project(project, "/checks"), Check.model_validate, json=_said(new))

    @staticmethod
    def get(project: int, check: str) -> Call[Check]:
        return Call("GET", _check(project, check), Check.model_validate)

    @staticmethod
    def change(project: int, check: str, changes: CheckChanges) -> Call[Check]:
        return Call("PATCH", _check(project, check), Check.model_validate, json=_said(changes))

    @staticmethod
    def delete(project: int, check: str) -> Call[None]:
        return Call("DELETE", _check(project, check), nothing)

    @staticmethod
    def pause(project: int, check: str) -> Call[Check]:
        return Call("POST", _check(project, check, "/pause"), Check.model_validate)

    @staticmethod
    def resume(project: int, check: str) -> Call[Check]:
        return Call("POST", _check(project, check, "/resume"), Check.model_validate)

    @staticmethod
    def pings(project: int, check: str, limit: int, cursor: str | None) -> Call[CheckPings]:
        params = _given(limit=limit, cursor=cursor)
        return Call("GET", _check(project, check, "/pings"), CheckPings.model_validate, params=params)

    @staticmethod
    def ping_body(project: int, check: str, n: int) -> Call[CheckPingBody]:
        return Call("GET", _check(project, check, f"/pings/{n}/body"), CheckPingBody.model_validate)

    @staticmethod
    def flips(
        project: int, check: str, since: dt.datetime | None, until: dt.datetime | None, limit: int, cursor: str | None
    ) -> Call[CheckFlips]:
        params = _given(since=_moment(since), until=_moment(until), limit=limit, cursor=cursor)
        return Call("GET", _check(project, check, "/flips"), CheckFlips.model_validate, params=params)

    @staticmethod
    def channels(project: int) -> Call[CheckChannels]:
        return Call("GET", _project(project, "/channels"), CheckChannels.model_validate)

    @staticmethod
    def badges(project: int) -> Call[CheckBadges]:
        return Call("GET", _project(project, "/badges"), CheckBadges.model_validate)

    @staticmethod
    def preview(wanted: WantedSchedule) -> Call[SchedulePreview]:
        return Call("POST", f"{BASE}/schedule/preview", SchedulePreview.model_validate, json=_said(wanted))
