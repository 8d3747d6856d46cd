"""The tables. Times are aware UTC; every secret is in a column of type bytes, encrypted by `naas_gateway.db.keys`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[dt.datetime]):
    """An aware UTC time; SQLite keeps no time zone, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """To the database; a naive time is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: dt.datetime | None, _dialect: Dialect) -> dt.datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class IdentityRow(Base):
    """The fixed link between an IAM subject and a hub name, with the claims IAM gave last."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(63))
    preferred_username: Mapped[str] = mapped_column(String(300))
    claims: Mapped[dict[str, Any]] = mapped_column(JSON)
    claims_at: Mapped[dt.datetime] = mapped_column(Utc)
    created_at: Mapped[dt.datetime] = mapped_column(Utc)


class GrantRow(Base):
    """A person's grant: the current access token, and who is renewing it."""

    __tablename__ = "grants"
    __table_args__ = (Index("ix_grants_due", "state", "renew_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"), primary_key=True)
    serial: Mapped[str] = mapped_column(String(32))
    """Changes with each sign-in, so that nothing made from an older grant is mixed with a newer one."""
    origin: Mapped[str] = mapped_column(String(64))
    """Digest of the token that the sign-in brought: the same sign-in sent again is known by it."""
    state: Mapped[str] = mapped_column(String(16))
    """``active``, ``ended`` (IAM refused it) or ``signed-out``."""
    leaving: Mapped[bool] = mapped_column(Boolean)
    """The person has signed out while a server runs: the grant ends with the last server."""
    access_token: Mapped[bytes] = mapped_column(LargeBinary)
    access_client: Mapped[str] = mapped_column(String(16))
    """Which of our clients in IAM the access token was issued to: ``first`` or ``second``."""
    key_id: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(1000))
    expires_at: Mapped[dt.datetime] = mapped_column(Utc)
    renew_at: Mapped[dt.datetime] = mapped_column(Utc)
    used_at: Mapped[dt.datetime] = mapped_column(Utc)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[dt.datetime | None] = mapped_column(Utc)


class RefreshTokenRow(Base):
    """One refresh token. ``sent_at`` is written before it is sent to IAM: a sent one is never sent again."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_user_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"))
    serial: Mapped[str] = mapped_column(String(32))
    client: Mapped[str] = mapped_column(String(16))
    token: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    obtained_at: Mapped[dt.datetime] = mapped_column(Utc)
    sent_at: Mapped[dt.datetime | None] = mapped_column(Utc)
    revoke_at: Mapped[dt.datetime | None] = mapped_column(Utc)
    """When to (try again to) revoke it at IAM; set when it is no longer wanted."""


class LeaseRow(Base):
    """A recurring duty of one replica at a time: not due again before ``until``."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(32))
    until: Mapped[dt.datetime] = mapped_column(Utc)


class EventRow(Base):
    """One event, for one person or (``username`` null) for everybody."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_username", "username", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(60))
    username: Mapped[str | None] = mapped_column(String(63))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[dt.datetime] = mapped_column(Utc)


class AuditRowRow(Base):
    """Who did what; rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_actor", "actor", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(Utc)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(60))
    object: Mapped[str] = mapped_column(String(200))
    result: Mapped[str] = mapped_column(String(60))
    request_id: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class StopReasonRow(Base):
    """Why a server was stopped; ``seen_at`` is null until its owner has seen it."""

    __tablename__ = "stop_reasons"
    __table_args__ = (Index("ix_stop_reasons_username", "username", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(63))
    server: Mapped[str] = mapped_column(String(63))
    code: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(String(1000))
    at: Mapped[dt.datetime] = mapped_column(Utc)
    seen_at: Mapped[dt.datetime | None] = mapped_column(Utc)


class GpuDeviceRow(Base):
    """A GPU or a slice of one, and the server that has it. One row a device, so it cannot have two holders."""

    __tablename__ = "gpu_devices"

    node: Mapped[str] = mapped_column(String(253), primary_key=True)
    device: Mapped[str] = mapped_column(String(120), primary_key=True)
    flavour: Mapped[str] = mapped_column(String(80))
    present: Mapped[bool] = mapped_column(Boolean)
    """False: the hub does not find it any more, but a server still holds it."""
    seen_at: Mapped[dt.datetime] = mapped_column(Utc)
    username: Mapped[str | None] = mapped_column(String(63))
    server: Mapped[str | None] = mapped_column(String(63))
    since: Mapped[dt.datetime | None] = mapped_column(Utc)
    renewed_at: Mapped[dt.datetime | None] = mapped_column(Utc)
    """When the holder was last known to run or to start."""


class S3KeyRow(Base):
    """A long-lived S3 key. The row is there before the key and until the store has confirmed its end, so none is ever forgotten."""

    __tablename__ = "s3_keys"
    __table_args__ = (
        Index("ix_s3_keys_user_id", "user_id"),
        UniqueConstraint("access_key_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"))
    access_key_id: Mapped[str] = mapped_column(String(40))
    description: Mapped[str] = mapped_column(String(100))
    read_only: Mapped[bool] = mapped_column(Boolean)
    made_at: Mapped[dt.datetime] = mapped_column(Utc)
    expires_at: Mapped[dt.datetime] = mapped_column(Utc)
    state: Mapped[str] = mapped_column(String(16))
    """``making`` (its owner has not seen the secret yet), ``active`` or ``revoking``."""
    reason: Mapped[str] = mapped_column(String(20))
    """Why it is to end, when ``revoking``."""


class RegistryLoginRow(Base):
    """A person's login at a registry of images."""

    __tablename__ = "registry_logins"
    __table_args__ = (UniqueConstraint("user_id", "host"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"))
    host: Mapped[str] = mapped_column(String(260))
    username: Mapped[str] = mapped_column(String(255))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    refused: Mapped[bool] = mapped_column(Boolean)
    """The registry did not accept it when it was last asked."""
    set_at: Mapped[dt.datetime] = mapped_column(Utc)
    checked_at: Mapped[dt.datetime] = mapped_column(Utc)


class CheckProjectRow(Base):
    """A project of the Healthchecks server that somebody registered, with its API key."""

    __tablename__ = "check_projects"
    __table_args__ = (
        UniqueConstraint("scope", "key_digest"),
        Index("ix_check_projects_key_digest", "key_digest"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(String(270))
    """``user:<id>`` or ``group:<name>``: whose it is."""
    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"))
    group: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(100))
    api_key: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    key_digest: Mapped[str] = mapped_column(String(64))
    read_only: Mapped[bool] = mapped_column(Boolean)
    members_write: Mapped[bool] = mapped_column(Boolean)
    provisioned: Mapped[bool] = mapped_column(Boolean)
    registered_at: Mapped[dt.datetime] = mapped_column(Utc)


class CheckKeyRow(Base):
    """What all replicas know of an API key (by its digest): how many requests it has left, and what has become of it."""

    __tablename__ = "check_keys"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    tokens: Mapped[float] = mapped_column(Float)
    """Requests that might be made at ``counted_at``."""
    counted_at: Mapped[dt.datetime] = mapped_column(Utc)
    held_until: Mapped[dt.datetime | None] = mapped_column(Utc)
    held_for: Mapped[float] = mapped_column(Float)
    """Seconds of the last pause that the server asked for."""
    revoked_at: Mapped[dt.datetime | None] = mapped_column(Utc)
    """When the server said last that it does not know the key."""
    changed_at: Mapped[dt.datetime | None] = mapped_column(Utc)
    """The last change made here: what was read before is not kept."""


class CheckWatcherRow(Base):
    """A person who looks at a project."""

    __tablename__ = "check_watchers"

    project_id: Mapped[int] = mapped_column(ForeignKey("check_projects.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("identities.id"), primary_key=True)
    notify: Mapped[bool] = mapped_column(Boolean)
    looked_at: Mapped[dt.datetime] = mapped_column(Utc)


class CheckStatesRow(Base):
    """The states of a key's checks as the watcher saw them last, by id."""

    __tablename__ = "check_states"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    states: Mapped[dict[str, str]] = mapped_column(JSON)


class CheckNotificationsRow(Base):
    """Up to which of its notifications an embedded server's have been told in Lab."""

    __tablename__ = "check_notifications"

    server: Mapped[str] = mapped_column(String(2000), primary_key=True)
    told: Mapped[int] = mapped_column(BigInteger)
