"""Checks in words, the same in a terminal and in a notebook."""

from __future__ import annotations

from naas_client.durations import written
from naas_client.models import Check


def expected(check: Check) -> str:
    """When a check expects pings."""
    if check.kind == "simple":
        return f"every {written(check.timeout or 0)}, grace {written(check.grace)}"
    return f"{' / '.join((check.schedule or '').splitlines())} ({check.tz}), grace {written(check.grace)}"


def state(check: Check) -> str:
    """How it is, and whether it is at work."""
    return f"{check.status}, running" if check.started else check.status


def title(check: Check) -> str:
    """What people call it."""
    return check.name or check.slug or check.id
