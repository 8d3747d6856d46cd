"""Healthchecks: projects, checks, and what happened to them. Nobody gets an API key from here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from naas_client.errors import NotFound
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
from pydantic import AwareDatetime

from naas_gateway.api.auth import PersonDep, PlatformDep
from naas_gateway.services.checks.service import Checks
from naas_gateway.services.checks.showing import Wanted

router = APIRouter(prefix="/healthchecks", tags=["healthchecks"])
PROJECT = "/projects/{project_id}"
CHECK = f"{PROJECT}/checks/{{check_id}}"


def get_checks(platform: PlatformDep) -> Checks:
    """The service of this site. Raises NotFound (``no-healthchecks``)."""
    if platform.checks is None:
        raise NotFound("This site has no Healthchecks server. Ask its operators.", code="no-healthchecks")
    return platform.checks


def _wanted(
    tag: Annotated[str, Query(max_length=100)] = "",
    search: Annotated[str, Query(max_length=100, description="part of name, slug, description or a tag")] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> Wanted:
    return Wanted(tag, search, state, limit, cursor)


ChecksDep = Annotated[Checks, Depends(get_checks)]
WantedDep = Annotated[Wanted, Depends(_wanted)]
ProjectId = Annotated[int, Path(ge=1, le=2**31 - 1)]
CheckId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9a-f]{40}$")]


@router.get("/projects")
async def projects(person: PersonDep, checks: ChecksDep) -> CheckProjects:
    """The projects that the caller may use: their own, and those of their groups."""
    return await checks.projects.page(person)


@router.post("/projects", status_code=201)
async def register(person: PersonDep, checks: ChecksDep, new: NewCheckProject) -> CheckProject:
    """Register a project by its API key, which the server has to know; from here on the key stays in the gateway."""
    return await checks.projects.register(person, new)


@router.patch(PROJECT)
async def change_project(
    person: PersonDep, checks: ChecksDep, project_id: ProjectId, changes: CheckProjectChanges
) -> CheckProject:
    """Rename a project, paste a new key, choose whether its group may write, or whether oneself is told of flips."""
    return await checks.projects.change(person, project_id, changes)


@router.delete(PROJECT, status_code=204)
async def remove_project(person: PersonDep, checks: ChecksDep, project_id: ProjectId) -> None:
    """Forget a project and its key; its checks stay on the server."""
    await checks.projects.remove(person, project_id)


@router.get("/checks")
async def every(person: PersonDep, checks: ChecksDep, wanted: WantedDep) -> CheckPage:
    """The checks of all projects, the ones in trouble first; what cannot be read is told of in `problems`."""
    return await checks.all(person, wanted)


@router.get(f"{PROJECT}/checks")
async def of_project(person: PersonDep, checks: ChecksDep, project_id: ProjectId, wanted: WantedDep) -> CheckPage:
    """The checks of one project, the ones in trouble first."""
    return await checks.of_project(person, project_id, wanted)


@router.post(
    f"{PROJECT}/checks", status_code=201, responses={200: {"model": Check, "description": "`unique` found it"}}
)
async def create(
    person: PersonDep, checks: ChecksDep, project_id: ProjectId, new: NewCheck, response: Response
) -> Check:
    """Make a check, or change the one that `unique` finds."""
    check, made = await checks.changes.create(person, project_id, new)
    response.status_code = 201 if made else 200
    return check


@router.get(CHECK)
async def get(person: PersonDep, checks: ChecksDep, project_id: ProjectId, check_id: CheckId) -> Check:
    """One check."""
    return await checks.get(person, project_id, check_id)


@router.patch(CHECK)
async def change(
    person: PersonDep, checks: ChecksDep, project_id: ProjectId, check_id: CheckId, changes: CheckChanges
) -> Check:
    """Change a check; what is not said stays."""
    return await checks.changes.change(person, project_id, check_id, changes)


@router.delete(CHECK, status_code=204)
async def delete(person: PersonDep, checks: ChecksDep, project_id: ProjectId, check_id: CheckId) -> None:
    """Delete a check with all that is known of it."""
    await checks.changes.delete(person, project_id, check_id)


@router.post(f"{CHECK}/pause")
async def pause(person: PersonDep, checks: ChecksDep, project_id: ProjectId, check_id: CheckId) -> Check:
    """Expect nothing of a check until it is resumed, or pinged."""
    return await checks.changes.pause(person, project_id, check_id)


@router.post(f"{CHECK}/resume")
async def resume(person: PersonDep, checks: ChecksDep, project_id: ProjectId, check_id: CheckId) -> Check:
    """End a pause."""
    return await checks.changes.resume(person, project_id, check_id)


@router.get(f"{CHECK}/pings")
async def pings(
    person: PersonDep,
    checks: ChecksDep,
    project_id: ProjectId,
    check_id: CheckId,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> CheckPings:
    """What arrived, newest first; needs a read-write key."""
    return await checks.pings(person, project_id, check_id, limit, cursor)


@router.get(f"{CHECK}/pings/{{n}}/body")
async def ping_body(
    person: PersonDep,
    checks: ChecksDep,
    project_id: ProjectId,
    check_id: CheckId,
    n: Annotated[int, Path(ge=1, le=2**31 - 1)],
) -> CheckPingBody:
    """What a ping said; needs a read-write key."""
    return await checks.ping_body(person, project_id, check_id, n)


@router.get(f"{CHECK}/flips")
async def flips(
    person: PersonDep,
    checks: ChecksDep,
    project_id: ProjectId,
    check_id: CheckId,
    since: Annotated[AwareDatetime | None, Query(description="with a time zone; default: 92 days ago")] = None,
    until: Annotated[AwareDatetime | None, Query(description="with a time zone; default: now")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> CheckFlips:
    """Changes of state, oldest first."""
    return await checks.flips(person, project_id, check_id, since, until, limit, cursor)


@router.get(f"{PROJECT}/channels")
async def channels(person: PersonDep, checks: ChecksDep, project_id: ProjectId) -> CheckChannels:
    """Who can be told of this project's checks; needs a read-write key."""
    return await checks.channels(person, project_id)


@router.get(f"{PROJECT}/badges")
async def badges(person: PersonDep, checks: ChecksDep, project_id: ProjectId) -> CheckBadges:
    """Addresses of images that show the state of all checks, and of those with each tag."""
    return await checks.badges(person, project_id)


@router.post("/schedule/preview")
async def schedule_preview(_: PersonDep, checks: ChecksDep, wanted: WantedSchedule) -> SchedulePreview:
    """What a cron or OnCalendar expression means, with its next five runs; 400 for one that cannot be used."""
    return checks.preview(wanted)
