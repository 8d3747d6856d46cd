"""Registries of container images: a person's login there, and what can be chosen."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, SecretStr, field_serializer, field_validator

from naas_client.models.base import Document, Page


class RegistryLogin(Document):
    """One of the site's registries, and how a person is known there. The secret is told to nobody."""

    registry: str = Field(description="its host, as image names begin")
    title: str
    url: str
    kind: Literal["harbor", "docker"]
    proxy_caches: dict[str, str] = Field(default_factory=dict, description="other registry → project that is its cache")
    username: str = Field(default="", description="empty: no login is kept, so only what is public is shown")
    state: Literal["none", "good", "refused"] = Field(
        default="none", description="`refused`: the registry does not accept the kept secret any more"
    )
    set_at: dt.datetime | None = None


class NewRegistryLogin(Document):
    """A login to be kept: at Harbor the user name and the CLI secret of the profile page."""

    username: str = Field(default="", max_length=255, description="empty: the name that IAM has")
    secret: SecretStr = Field(min_length=1, max_length=1000)

    @field_validator("username")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value.isprintable() or ":" in value or value != value.strip():
            raise ValueError("a user name has no colon, no control characters and no spaces around it")
        return value

    @field_validator("secret")
    @classmethod
    def _printable(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().isprintable():
            raise ValueError("the secret has control characters; copy it again")
        return value

    @field_serializer("secret", when_used="json")
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


class RegistryCredentials(Document):
    """For the hub alone, which gives them to the container engine for one download."""

    username: str
    secret: SecretStr

    @field_serializer("secret", when_used="json")
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


class RegistryImage(Document):
    """A repository of a registry: an image without its tag."""

    image: str = Field(description="name with the registry, without a tag", examples=["harbor.example.org/naas/lab"])
    description: str = ""
    updated_at: dt.datetime | None = None


class Scan(Document):
    """What a scan for vulnerabilities found. ``severity``: of the worst."""

    severity: str
    critical: int = 0
    high: int = 0
    scanned_at: dt.datetime | None = None


class ImageTag(Document):
    """One tag. ``size`` in bytes, to be downloaded; ``scan``: None where nothing was scanned."""

    reference: str = Field(examples=["harbor.example.org/naas/lab:2026.11"])
    tag: str
    digest: str = ""
    size: int | None = None
    pushed_at: dt.datetime | None = None
    scan: Scan | None = None


class ImagePage(Page[RegistryImage]):
    """Images; ``troubles``: a sentence for each registry that shows less than it might."""

    troubles: list[str] = Field(default_factory=list)


class TagPage(Page[ImageTag]):
    """Tags of an image, the newest first where the registry knows; ``troubles`` as above."""

    troubles: list[str] = Field(default_factory=list)
