"""The time, in the one form we keep it."""

from __future__ import annotations

import datetime as dt


def utcnow() -> dt.datetime:
    """Now, aware, UTC."""
    return dt.datetime.now(dt.UTC)


def seconds(value: float) -> dt.timedelta:
    """A duration."""
    return dt.timedelta(seconds=value)
