"""A person's folders: what to mount, how that goes, and the credentials for it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Literal

from pydantic import Field

from naas_client.models.base import Document


class S3Credentials(Document):
    """Temporary credentials from STS, with where to use them."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: dt.datetime
    endpoint: str
    region: str = "us-east-1"


class Folder(Document):
    """One folder below ``cloud-storage``: a bucket, or a prefix of one."""

    name: str = Field(description="path component below cloud-storage")
    bucket: str
    prefix: str = Field(default="", description="without slashes at the ends")
    read_only: bool = False
    trouble: str = Field(default="", description="why it cannot be connected, for people; it is then only shown")


class StoragePlan(Document):
    """What a server should mount; ``degraded`` says why there is nothing, in a sentence for people."""

    endpoint: str = ""
    endpoints: list[str] = Field(default_factory=list, description="further sites, in the order to try them")
    public_endpoint: str = ""
    region: str = "us-east-1"
    folders: list[Folder] = Field(default_factory=list)
    degraded: str = ""
    code: str = Field(default="", description="stable name of the cause when degraded")
    passing: bool = Field(
        default=False, description="whether that cause may pass by itself, so that a later plan has folders"
    )
    quota_bytes: int | None = None


class FolderState(StrEnum):
    """States of a mounted folder, as the panel words them."""

    CONNECTING = "connecting"
    OK = "ok"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    DOWN = "down"
    OFF = "off"


class FolderStatus(Document):
    """A folder as it was when the agent last listed and read it."""

    name: str
    path: str = Field(description="absolute path in the user's world")
    state: FolderState
    read_only: bool = False
    bucket: str = ""
    prefix: str = Field(default="", description="in the bucket, without slashes at the ends")
    checked_at: dt.datetime | None = Field(default=None, description="last time it was listed and read")
    reason: str = Field(default="", description="for people, when the state is not ok")
    restarts: int = 0


class Upload(Document):
    """A file on its way to the store."""

    folder: str
    name: str = Field(description="path inside the folder")
    size: int
    state: Literal["waiting", "uploading", "failed"]
    tries: int = 0
    error: str = ""


class Usage(Document):
    """How much of a bucket is used, and of how much."""

    used_bytes: int = Field(ge=0)
    quota_bytes: int | None = Field(default=None, description="None: no limit is known")
    objects: int | None = None
    at: dt.datetime = Field(description="when it was counted")
    source: Literal["store", "counted"] = Field(description="told by the store, or counted by listing")


class StorageStatus(Document):
    """The agent's status document: served on its socket, relayed by the server extension."""

    state: Literal["starting", "mounted", "degraded", "draining", "stopped"]
    reason: str = Field(default="", description="for people, when degraded")
    code: str = ""
    mode: Literal["helper", "fusermount", "none"] = "none"
    engine: str = Field(default="", description="name and version of the mount program")
    folders: list[FolderStatus] = Field(default_factory=list)
    uploads: list[Upload] = Field(default_factory=list)
    uploads_total: int = 0
    bytes_pending: int = 0
    usage: Usage | None = Field(default=None, description="of the person's own bucket")
    endpoint: str = Field(default="", description="the site in use")
    credentials_expire_at: dt.datetime | None = None
    updated_at: dt.datetime
