"""What the hub asks, with the token that hub and gateway share."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from naas_client.errors import InvalidInput
from naas_client.models import (
    Claims,
    GpuDevices,
    GpuLease,
    GpuRequest,
    GpuState,
    Identity,
    ImagePage,
    Page,
    RegistryCredentials,
    SignIn,
    StopReason,
    StoragePlan,
    TagPage,
)
from naas_client.names import is_hub_name

from naas_gateway.api.auth import NameDep, PlatformDep, hub_only
from naas_gateway.api.images import LONGEST_HOST, ImagesQuery, TagsQuery

router = APIRouter(prefix="/hub", tags=["hub"], dependencies=[Depends(hub_only)])

LONGEST_CODE, LONGEST_MESSAGE, LONGEST_SERVER = 40, 1000, 63


@router.post("/sign-ins")
async def sign_in(platform: PlatformDep, sign_in: SignIn) -> Identity:
    """Fix the identity and take over the grant; 409 when the name belongs to another subject."""
    return await platform.people.sign_in(sign_in)


@router.get("/users/{name}/claims")
async def claims(platform: PlatformDep, name: NameDep, max_age: Annotated[float, Query(ge=0, le=86400)] = 0) -> Claims:
    """Claims at most `max_age` seconds old; while IAM does not answer, its last ones. 403 `access-ended` when the grant is over."""
    return await platform.people.claims(await platform.people.by_name(name), max_age)


@router.post("/users/{name}/sign-out", status_code=204)
async def sign_out(platform: PlatformDep, name: NameDep) -> None:
    """Revoke the person's grant, now or with their last server."""
    await platform.departures.begin(name)


@router.post("/users/{name}/storage")
async def prepare_storage(platform: PlatformDep, name: NameDep) -> StoragePlan:
    """Make bucket and scratch prefix where they are missing; the plan says what to mount, or why there is nothing."""
    if shared := platform.shared_servers.find(name):
        return await platform.shared_servers.plan(shared)
    return await platform.storage.prepare(await platform.people.by_name(name))


@router.put("/gpus", status_code=204)
async def report_gpus(platform: PlatformDep, found: GpuDevices) -> None:
    """All GPUs that there are now. One that is left out is not given out any more; a server that has it keeps it."""
    await platform.gpus.report(found.devices)


@router.get("/gpus")
async def gpus(platform: PlatformDep) -> Page[GpuState]:
    """How many GPUs there are of each flavour, and how many are free."""
    return await platform.gpus.states()


@router.post("/users/{name}/gpus")
async def lease_gpus(platform: PlatformDep, name: NameDep, wanted: GpuRequest) -> GpuLease:
    """Give GPUs to a server of the person until it stops; 409 `gpu-none-free`. Asked again, the server keeps what it has."""
    return await platform.gpus.lease(name, wanted)


@router.delete("/users/{name}/gpus", status_code=204)
async def release_gpus(
    platform: PlatformDep, name: NameDep, server: Annotated[str, Query(max_length=LONGEST_SERVER)] = ""
) -> None:
    """Take back the GPUs of one of the person's servers."""
    await platform.gpus.release(name, server)


@router.get("/users/{name}/registry-logins/{registry}")
async def registry_credentials(
    platform: PlatformDep, name: NameDep, registry: Annotated[str, Path(max_length=LONGEST_HOST)], response: Response
) -> RegistryCredentials:
    """The person's login at a registry, for one download by the container engine; 404 `no-registry-login`."""
    response.headers["Cache-Control"] = "no-store"
    return await platform.registries.credentials(await platform.people.by_name(name), registry)


@router.get("/users/{name}/images")
async def user_images(platform: PlatformDep, name: NameDep, wanted: ImagesQuery) -> ImagePage:
    """As `GET /images`, for the spawn page."""
    row = await platform.people.by_name(name)
    claims = await platform.people.claims(row, platform.settings.iam.auth_refresh_age)
    return await platform.registries.images(row, claims, **wanted.model_dump())


@router.get("/users/{name}/images/tags")
async def user_image_tags(platform: PlatformDep, name: NameDep, wanted: TagsQuery) -> TagPage:
    """As `GET /images/tags`, for the spawn page."""
    row = await platform.people.by_name(name)
    claims = await platform.people.claims(row, platform.settings.iam.auth_refresh_age)
    return await platform.registries.tags(row, claims, **wanted.model_dump())


@router.post("/stop-reasons", status_code=204)
async def add_stop_reason(platform: PlatformDep, reason: StopReason) -> None:
    """Keep a stop reason and tell its owner."""
    if not is_hub_name(reason.username):
        raise InvalidInput("username: not a hub name.")
    lengths = (
        len(reason.server) <= LONGEST_SERVER,
        len(reason.code) <= LONGEST_CODE,
        len(reason.message) <= LONGEST_MESSAGE,
    )
    if not all(lengths):
        raise InvalidInput("server, code or message: too long. Shorten it and send it again.")
    await platform.reasons.add(reason, "hub")


@router.get("/users/{name}/stop-reasons")
async def user_stop_reasons(platform: PlatformDep, name: NameDep) -> Page[StopReason]:
    """The person's unseen stop reasons, newest first."""
    return await platform.reasons.unseen(name)
