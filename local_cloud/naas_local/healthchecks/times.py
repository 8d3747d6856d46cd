"""Times are kept as whole microseconds since 1970, UTC; here they are read and written."""

from __future__ import annotations

import datetime as dt

SECOND = 1_000_000
"""Microseconds."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def as_datetime(moment: int) -> dt.datetime:
    """A kept time as a datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=moment)


def as_moment(time: dt.datetime) -> int:
    """A datetime as it is kept."""
    return (time - _EPOCH) // dt.timedelta(microseconds=1)


def whole_seconds(moment: int | None) -> str | None:
    """A kept time in ISO 8601 without fractions, as checks and flips show it."""
    return None if moment is None else as_datetime(moment).replace(microsecond=0).isoformat()
