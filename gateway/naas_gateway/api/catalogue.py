"""The catalogue of services: cards, forms, checks; its problems for administrators."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from naas_client.models import CatalogueEntry, CatalogueForm, CatalogueProblem, CheckedInputs, CheckInputs, Page

from naas_gateway.api.auth import PersonDep, PlatformDep, admin

router = APIRouter()

ServiceName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Group = Annotated[str, Query(max_length=200, description="the active IAM group; without it all of the caller's count")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=20)]


@router.get("/catalogue", tags=["catalogue"])
async def services(
    platform: PlatformDep,
    person: PersonDep,
    group: Group = "",
    search: Annotated[str, Query(max_length=100, description="words; all must occur")] = "",
    category: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CatalogueEntry]:
    """Services that the caller sees, open or locked, by title. Texts are plain, from other people's files: escape them."""
    return platform.catalogue.page(person.claims, group, search, category, limit, cursor)


@router.get("/catalogue/{name}", tags=["catalogue"])
async def service(platform: PlatformDep, person: PersonDep, name: ServiceName, group: Group = "") -> CatalogueEntry:
    """One service; 404 `no-service` also for one that is hidden from the caller."""
    return platform.catalogue.entry(person.claims, name, group)


@router.get("/catalogue/{name}/icon", tags=["catalogue"], response_class=Response)
async def icon(platform: PlatformDep, person: PersonDep, name: ServiceName) -> Response:
    """A service's icon: PNG, or SVG that only draws; opened as a page it can do nothing."""
    kind, content = platform.catalogue.icon(person.claims, name)
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }
    return Response(content, media_type=kind, headers=headers)


@router.get("/catalogue/{name}/form", tags=["catalogue"])
async def form(
    platform: PlatformDep,
    person: PersonDep,
    name: ServiceName,
    template: Annotated[str, Query(max_length=300, description="of the service's variants; without it the first")] = "",
    group: Group = "",
) -> CatalogueForm:
    """The form of a template: JSON Schema 2020-12 and what to show around it; 403 `service-locked` with the reason."""
    return await asyncio.to_thread(platform.catalogue.form, person.claims, person.row.name, name, template, group)


@router.post("/catalogue/{name}/validate", tags=["catalogue"])
async def check(
    platform: PlatformDep, person: PersonDep, name: ServiceName, request: CheckInputs, response: Response
) -> CheckedInputs:
    """Check inputs without deploying: they come back completed and without secrets, or `problems` says what to change, per field."""
    response.headers["Cache-Control"] = "no-store"
    return await asyncio.to_thread(platform.catalogue.check, person.claims, person.row.name, name, request)


@router.get("/admin/catalogue/problems", tags=["operators"], dependencies=[Depends(admin)])
async def problems(
    platform: PlatformDep,
    source: Annotated[str, Query(max_length=60)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CatalogueProblem]:
    """What the catalogue's files hold that could not be used, with file and line; needs the admin scope."""
    return platform.catalogue.problems(source, limit, cursor)
