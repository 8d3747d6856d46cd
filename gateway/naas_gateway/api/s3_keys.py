"""Long-lived S3 keys: a person's own, and everybody's for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from naas_client.models import MadeS3Key, NewS3Key, OwnS3Keys, Page, S3Key

from naas_gateway.api.auth import Caller, PersonDep, PlatformDep, admin

router = APIRouter()

KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/s3-keys", tags=["people"])
async def own(platform: PlatformDep, person: PersonDep) -> OwnS3Keys:
    """The caller's long-lived keys, newest first, without their secrets; 404 `no-s3-keys` where the site offers none."""
    return await platform.s3_keys.own(person.row)


@router.post("/s3-keys", tags=["people"], status_code=201)
async def make(platform: PlatformDep, person: PersonDep, new: NewS3Key, response: Response) -> MadeS3Key:
    """A key for a program that cannot renew temporary credentials. Its secret is in this answer and nowhere else."""
    response.headers["Cache-Control"] = "no-store"
    return await platform.s3_keys.make(person.row, person.claims, new)


@router.delete("/s3-keys/{key_id}", tags=["people"])
async def revoke(platform: PlatformDep, person: PersonDep, key_id: KeyId) -> S3Key:
    """End a key of the caller's: `ended`, or `revoking` while the store does not answer; it stays in the list until it has ended."""
    return await platform.s3_keys.revoke(person.row, key_id)


@router.get("/admin/s3-keys", tags=["operators"], dependencies=[Depends(admin)])
async def everybodys(
    platform: PlatformDep,
    username: Annotated[str | None, Query(max_length=63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> Page[S3Key]:
    """Everybody's long-lived keys, newest first; needs the admin scope."""
    return await platform.s3_keys.page(username, limit, cursor)


@router.delete("/admin/s3-keys/{key_id}", tags=["operators"])
async def revoke_any(platform: PlatformDep, caller: Annotated[Caller, Depends(admin)], key_id: KeyId) -> S3Key:
    """End anybody's key; needs the admin scope."""
    return await platform.s3_keys.revoke_any(caller.name, key_id)
