"""Registries of images: a person's logins, and what they can choose."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from naas_client.images import LONGEST
from naas_client.models import ImagePage, NewRegistryLogin, Page, RegistryLogin, TagPage
from pydantic import BaseModel, Field

from naas_gateway.api.auth import PersonDep, PlatformDep

router = APIRouter(tags=["people"])

LONGEST_HOST = 260


class ImagesWanted(BaseModel):
    """Which images are looked for."""

    search: str = Field("", max_length=100)
    host: str = Field("", max_length=LONGEST_HOST, alias="registry")
    project: str = Field("", max_length=255)
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, max_length=20)


class TagsWanted(BaseModel):
    """Of which image tags are looked for."""

    image: str = Field(min_length=1, max_length=LONGEST)
    tag: str = Field("", max_length=128, description="only this one")
    limit: int = Field(20, ge=1, le=50)
    cursor: str | None = Field(None, max_length=20)


ImagesQuery = Annotated[ImagesWanted, Query()]
TagsQuery = Annotated[TagsWanted, Query()]
HostPath = Annotated[str, Path(max_length=LONGEST_HOST)]


@router.get("/registry-logins")
async def logins(platform: PlatformDep, person: PersonDep) -> Page[RegistryLogin]:
    """The site's registries, and how the caller is known there; never a secret."""
    return await platform.registries.logins(person.row, person.claims)


@router.put("/registry-logins/{registry}")
async def set_login(
    platform: PlatformDep, person: PersonDep, registry: HostPath, new: NewRegistryLogin
) -> RegistryLogin:
    """Keep the caller's user name and CLI secret; 400 `wrong-login` when the registry does not accept them."""
    return await platform.registries.set(person.row, person.claims, registry, new)


@router.delete("/registry-logins/{registry}", status_code=204)
async def forget_login(platform: PlatformDep, person: PersonDep, registry: HostPath) -> None:
    """Forget the caller's login."""
    await platform.registries.forget(person.row, registry)


@router.get("/images")
async def images(platform: PlatformDep, person: PersonDep, wanted: ImagesQuery) -> ImagePage:
    """Images of the site's registries, by name. Without a login only public ones."""
    return await platform.registries.images(person.row, person.claims, **wanted.model_dump())


@router.get("/images/tags")
async def tags(platform: PlatformDep, person: PersonDep, wanted: TagsQuery) -> TagPage:
    """Tags of an image with size, date and what a scan found; 404 `no-such-image`."""
    return await platform.registries.tags(person.row, person.claims, **wanted.model_dump())
