"""What the address of a ping names (https://healthchecks.io/docs/http_api/)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from naas_local.healthchecks.errors import Refused

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SLUG = re.compile(r"[a-z0-9_-]{1,100}")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EXIT = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True)
class Target:
    """What an address names: a check by ``code``, or by ``key`` and ``slug``; and what it says."""

    action: str
    exit_status: int | None
    code: str = ""
    key: str = ""
    slug: str = ""


@dataclass(frozen=True)
class Ping:
    """One ping as it came."""

    target: Target
    rid: str | None
    create: bool
    method: str
    scheme: str
    remote: str
    ua: str
    body: bytes


def parse(path: str) -> Target:
    """The target of an address's path below ``/ping/``. Raises Refused."""
    steps = path.removesuffix("/").split("/")
    by_code = bool(UUID.fullmatch(steps[0]))
    named = 1 if by_code else 2
    if not named <= len(steps) <= named + 1:
        raise Refused(400, "invalid url format")
    action, exit_status = _said(steps[named]) if len(steps) > named else ("success", None)
    if by_code:
        return Target(action, exit_status, code=steps[0].lower())
    if not (_KEY.fullmatch(steps[0]) and _SLUG.fullmatch(steps[1])):
        raise Refused(400, "invalid url format")
    return Target(action, exit_status, key=steps[0], slug=steps[1])


def _said(step: str) -> tuple[str, int | None]:
    if step in ("start", "fail", "log"):
        return step, None
    if not _EXIT.fullmatch(step) or int(step) > 255:
        raise Refused(400, "invalid url format")
    return ("fail" if int(step) else "success"), int(step)
