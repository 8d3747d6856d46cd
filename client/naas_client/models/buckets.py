"""Buckets and objects as the storage browser shows them."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from naas_client.models.base import Document
from naas_client.models.storage import Usage


class Bucket(Document):
    """A bucket as the storage browser shows it."""

    name: str
    own: bool = Field(default=False, description="made by or for the person: may be emptied and deleted")
    created_at: dt.datetime | None = None
    versioning: bool = False
    object_lock: bool = False
    usage: Usage | None = Field(default=None, description="only in a single bucket's answer")


class NewBucket(Document):
    """A bucket to be made; its name starts with the hub name and a hyphen."""

    name: str
    versioning: bool = False
    object_lock: bool = False


class StoredObject(Document):
    """An entry of a listing: an object, or a common prefix (``folder``), whose key ends in a slash."""

    key: str
    folder: bool = False
    size: int = 0
    modified_at: dt.datetime | None = None
    version: str | None = None
    latest: bool = True
    deleted: bool = Field(default=False, description="a delete marker of a versioned bucket")


class ObjectPage(Document):
    """A page of a listing; S3 tells no total, so ``scanned`` says how many keys were looked at."""

    items: list[StoredObject]
    next: str | None = None
    scanned: int = 0


class PresignedLink(Document):
    """A link that opens one object for everybody who has it, until it expires."""

    url: str
    expires_at: dt.datetime
    longest_seconds: int = Field(description="the longest life that the session allows now, in seconds")
