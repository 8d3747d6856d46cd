"""Healthchecks' documents (https://healthchecks.io/docs/api/) as our models. What a server says beside them is not taken over."""

from __future__ import annotations

import base64
import datetime as dt
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from naas_client.errors import Unavailable
from naas_client.models import Check, CheckBadge, CheckChannel, CheckFlip, CheckPing, CheckPingBody
from naas_client.models.checks import CHECK_STATES
from naas_client.schedules import kind_of

from naas_gateway.clients.healthchecks import TITLE, Document

PING_TYPES = ("success", "start", "fail", "log", "ign")
LARGEST_BODY = 100 * 1024
"""Bytes of a ping's body that are passed on; most servers keep less."""
LONGEST_UNKNOWN = 40

Read = TypeVar("Read")


def _understood(read: Callable[..., Read]) -> Callable[..., Read]:
    """A reader whose troubles are the server's: raises Unavailable."""

    @functools.wraps(read)
    def reading(*arguments: Any) -> Read:
        try:
            return read(*arguments)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Unavailable(
                f"{TITLE} sent an answer that cannot be read. Ask the operators.", code="healthchecks-down"
            ) from None

    return reading


def _one_of(known: tuple[str, ...], value: Any) -> str:
    text = str(value)
    return text if text in known else f"unknown: {text[:LONGEST_UNKNOWN]}"


@_understood
def check_of(document: Document, as_of: dt.datetime, ping_url: str) -> Check:
    """A check; its project is 0. Parameters: ``ping_url``, what stands before the UUID instead of the server's own; may be empty."""
    uuid = document.get("uuid") or _last_part(document.get("update_url") or document.get("ping_url"))
    schedule = document.get("schedule")
    own = {name: document[name] for name in Check.model_fields if document.get(name) is not None}
    return Check.model_validate(
        {
            **own,
            "id": uuid or document["unique_key"],
            "project": 0,
            "tags": str(document.get("tags") or "").split(),
            "status": _one_of(CHECK_STATES, document.get("status")),
            "kind": kind_of(schedule) if schedule else "simple",
            "channels": [channel for channel in str(document.get("channels") or "").split(",") if channel],
            "ping_url": f"{ping_url}/{uuid}" if ping_url and uuid else document.get("ping_url") or "",
            "as_of": as_of,
        }
    )


def _last_part(address: Any) -> str:
    return str(address).rstrip("/").rpartition("/")[2] if address else ""


@_understood
def ping_of(document: Document) -> CheckPing:
    """A logged ping."""
    same = {name: document[name] for name in ("n", "scheme", "method", "remote_addr") if document.get(name) is not None}
    return CheckPing(
        **same,
        at=document["date"],
        type=_one_of(PING_TYPES, document.get("type")),
        exit_status=document.get("exitstatus"),
        duration=document.get("duration"),
        run=document.get("rid"),
        user_agent=str(document.get("ua") or ""),
        has_body=bool(document.get("body_url")),
    )


def body_of(n: int, body: bytes) -> CheckPingBody:
    """What a ping said, as text if it is text."""
    kept = body[:LARGEST_BODY]
    fields: dict[str, Any] = {"n": n, "size": len(body), "truncated": len(body) > len(kept)}
    try:
        # a character that the cut went through does not make a text binary
        return CheckPingBody(text=kept.decode("utf-8") if kept == body else _cut(kept), **fields)
    except UnicodeDecodeError:
        return CheckPingBody(text="", binary=True, base64=base64.b64encode(kept).decode(), **fields)


def _cut(body: bytes) -> str:
    for left in range(4):
        try:
            return body[: len(body) - left].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return body.decode("utf-8")


@_understood
def flip_of(document: Document) -> CheckFlip:
    """A change of state."""
    return CheckFlip(at=document["timestamp"], up=bool(document["up"]))


@_understood
def channel_of(document: Document) -> CheckChannel:
    """An integration."""
    return CheckChannel(id=document["id"], name=document.get("name") or "", kind=document.get("kind") or "")


@_understood
def badge_of(tag: str, document: Mapping[str, Any]) -> CheckBadge:
    """The badges of a tag."""
    names = {
        "svg": "svg",
        "svg3": "svg3",
        "json": "json_url",
        "json3": "json3_url",
        "shields": "shields",
        "shields3": "shields3",
    }
    return CheckBadge(tag=tag, **{ours: document[theirs] for theirs, ours in names.items() if document.get(theirs)})
