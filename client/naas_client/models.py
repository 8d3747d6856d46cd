"""Everything that crosses a process border as a typed document.

Times are aware UTC datetimes, durations seconds, sizes bytes. Field names are the field's standard terms.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator


class Document(BaseModel):
    """Base of all models: unknown fields of a newer sender are ignored, values are checked."""

    model_config = ConfigDict(extra="ignore")


class Claims(Document):
    """What IAM says about a person, after verification. Groups have no leading slash, in either token profile."""

    issuer: str
    subject: str
    preferred_username: str = ""
    name: str = ""
    email: str = ""
    groups: list[str] = Field(default_factory=list)
    fetched_at: dt.datetime


class SignIn(Document):
    """What the hub hands to the gateway after a sign-in: from here on, the gateway alone owns the tokens."""

    claims: Claims
    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_in: int = Field(default=3600, ge=1, description="life of the access token in seconds")
    scope: str = ""

    @field_serializer("access_token", "refresh_token", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value is not None else None


class Identity(Document):
    """The fixed link between an IAM subject and a hub name."""

    name: str = Field(description="hub name")
    issuer: str
    subject: str
    preferred_username: str = ""


class Capability(Document):
    """Whether a person may use one of the platform's services, and if not, why."""

    allowed: bool
    groups: list[str] = Field(default_factory=list, description="groups that open it")
    reason: str = Field(default="", description="for people; empty when allowed")


class Me(Document):
    """The signed-in person as the panel, the magics and the CLI see them."""

    name: str
    groups: list[str]
    admin: bool = False
    capabilities: dict[str, Capability] = Field(default_factory=dict)


class AccessToken(Document):
    """A short-lived token for one audience."""

    access_token: str
    audience: str
    expires_at: dt.datetime


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


class ClientConfiguration(Document):
    """What a program on somebody's own computer must know to sign in."""

    issuer: str
    client_id: str
    audience: str = Field(description="audience of tokens for this API")
    scopes: list[str]


class BackupSettings(Document):
    """What a person wants of the backup of their home; kept in the home."""

    every_hours: int = Field(default=0, ge=0, le=24 * 31, description="0: only when asked for")
    keep_days: int = Field(default=90, ge=1, le=3650, description="how long replaced and deleted files are kept")
    exclude: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="left out, as patterns below the home (https://rclone.org/filtering/), e.g. `/local/big/**`",
    )
    ping_url: str = Field(
        default="", max_length=500, description="address of a healthcheck: told of start, end and failure"
    )

    @field_validator("exclude")
    @classmethod
    def _one_line_each(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not pattern.strip() or len(pattern) > 500 or not pattern.isprintable():
                raise ValueError("a pattern is one line of at most 500 characters")
        return patterns

    @field_validator("ping_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("an address starts with https:// or http://")
        return value.rstrip("/")


class BackupRun(Document):
    """One backup: what was saved when. ``files`` and ``bytes`` count all that it holds, ``sent_…`` what was new."""

    id: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d{6}Z$", description="time of its start, UTC")
    started_at: dt.datetime
    ended_at: dt.datetime
    files: int
    bytes: int
    sent_files: int
    sent_bytes: int
    errors: list[str] = Field(default_factory=list, description="what could not be saved, with the cause; for people")


class BackupProgress(Document):
    """A backup or a restore at work."""

    what: Literal["backup", "restore"]
    started_at: dt.datetime
    files: int = 0
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0


class BackupStatus(Document):
    """The backup of a home as the panel shows it."""

    settings: BackupSettings
    running: BackupProgress | None = None
    last: BackupRun | None = Field(default=None, description="the newest backup that ended")
    problem: str = Field(default="", description="why the newest try failed as a whole; for people")
    next_at: dt.datetime | None = None


class StopReason(Document):
    """Why a server was stopped or did not start; kept until its owner has seen it."""

    username: str
    server: str = ""
    code: str = Field(description="access-lost, admin, culled, memory, quota, image, error…")
    message: str
    at: dt.datetime


class Event(Document):
    """One thing that happened; the one event model of gateway, server extension and panel."""

    id: int
    type: str = Field(description="dotted, e.g. server.stopped, access.ended, storage.degraded")
    username: str | None = Field(default=None, description="None: for everybody")
    data: dict[str, Any] = Field(default_factory=dict)
    at: dt.datetime


class AuditRow(Document):
    """Who did what to which object, from where, with what result; rows are never changed."""

    id: int
    at: dt.datetime
    actor: str
    action: str
    object: str
    result: str
    request_id: str = ""
    address: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class Part(Document):
    """One thing the platform depends on, as `/health` and `naas status` show it."""

    name: str
    state: Literal["ok", "starting", "degraded", "down", "stopped"]
    detail: str = ""
    latency_ms: float | None = None
    checked_at: dt.datetime | None = None


class Health(Document):
    """The gateway's own view of itself and of what it needs."""

    status: Literal["ok", "degraded", "down"]
    version: str
    parts: list[Part] = Field(default_factory=list)


Item = TypeVar("Item")


class Page(Document, Generic[Item]):
    """The shape of every list: filtered and paged on the server."""

    items: list[Item]
    total: int
    next: str | None = None
