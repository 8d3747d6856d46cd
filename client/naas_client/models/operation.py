"""What operators and people are told: reasons, events, the audit trail, health."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import Field

from naas_client.models.base import Document


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
