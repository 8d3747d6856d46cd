"""What people (their servers, panels, magics and CLI) ask for themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from naas_client.models import AccessToken, GpuState, Me, Page, S3Credentials, StopReason, StoragePlan, Usage
from pydantic import BaseModel, Field

from naas_gateway.api.auth import AccountDep, Person, PersonDep, PlatformDep

router = APIRouter(tags=["people"])


class TokenRequest(BaseModel):
    """Which token is wanted."""

    audience: str = Field(min_length=1, max_length=200, examples=["object"])


@router.get("/me")
async def me(platform: PlatformDep, person: AccountDep) -> Me:
    """The caller: name, groups, what is open to them."""
    if not isinstance(person, Person):
        return platform.shared_servers.me(person)
    return Me(
        name=person.name,
        groups=person.claims.groups,
        admin=person.admin or platform.access.administers(person.claims),
        email=person.claims.email if person.claims.email_verified else "",
        capabilities=platform.access.capabilities(person.claims),
    )


@router.post("/tokens")
async def tokens(platform: PlatformDep, person: PersonDep, wanted: TokenRequest) -> AccessToken:
    """A short-lived token for one of the audiences that the site allows."""
    return await platform.credentials.token(person.row, wanted.audience)


@router.post("/s3-credentials")
async def s3_credentials(platform: PlatformDep, person: AccountDep) -> S3Credentials:
    """Temporary credentials for the object store; needs the capability `storage`. A shared server gets its group's folders."""
    if not isinstance(person, Person):
        return await platform.shared_servers.credentials(person)
    return await platform.credentials.get(person.row)


@router.get("/storage")
async def storage(platform: PlatformDep, person: AccountDep) -> StoragePlan:
    """What the caller's server should mount, or why there is nothing."""
    if not isinstance(person, Person):
        return await platform.shared_servers.plan(person)
    return await platform.storage.plan(person.row)


@router.get("/storage/usage")
async def storage_usage(platform: PlatformDep, person: PersonDep) -> Usage:
    """How much the caller's buckets hold, and of how much; 404 `usage-unknown` where the store does not tell."""
    return await platform.storage.usage(person.row)


@router.get("/gpus")
async def gpus(platform: PlatformDep, _: AccountDep) -> Page[GpuState]:
    """How many GPUs there are of each flavour, and how many are free."""
    return await platform.gpus.states()


@router.get("/stop-reasons")
async def stop_reasons(
    platform: PlatformDep,
    person: AccountDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> Page[StopReason]:
    """Why the caller's servers were stopped, newest first."""
    return await platform.reasons.page(person.name, limit, cursor)


@router.post("/stop-reasons/seen", status_code=204)
async def stop_reasons_seen(platform: PlatformDep, person: AccountDep) -> None:
    """Mark the caller's stop reasons as seen."""
    await platform.reasons.seen(person.name)
