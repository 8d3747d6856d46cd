"""Long-lived S3 keys, for programs that cannot renew their access."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, field_validator

from naas_client.models.base import Document, Page


class NewS3Key(Document):
    """A long-lived key to be made, for a program that cannot renew temporary credentials."""

    description: str = Field(min_length=1, max_length=100, description="which program it is for, in one line")
    days: int = Field(strict=True, ge=1, le=366, description="how long it lives")
    read_only: bool = Field(default=False, strict=True)

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        value = value.strip()
        if not value or not value.isprintable():
            raise ValueError("write one line without control characters")
        return value


class S3Key(Document):
    """A long-lived key; its secret is known to its owner alone."""

    id: int
    username: str = Field(description="hub name of its owner")
    access_key_id: str
    description: str
    read_only: bool = False
    made_at: dt.datetime
    expires_at: dt.datetime
    state: Literal["active", "revoking", "ended"] = Field(
        description="`revoking`: it is to end, and the store has not confirmed that yet, which is tried again until it does; "
        "`ended`: only in the answer to its revocation"
    )
    reason: str = Field(default="", description="why it is to end: `revoked`, `expired`, `access-lost` or `not-seen`")


class MadeS3Key(S3Key):
    """The answer to making a key: the only time its secret is told."""

    secret_access_key: str
    bucket: str
    endpoint: str
    region: str


class OwnS3Keys(Page[S3Key]):
    """A person's keys, and how many of which life they may have."""

    longest_days: int
    most: int
