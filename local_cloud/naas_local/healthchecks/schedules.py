"""When the next ping is expected: cron and systemd's OnCalendar expressions."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo

from cronsim import CronSimError
from naas_client.schedules import runs
from oncalendar import OnCalendarError

_ANY_DAY = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@functools.lru_cache(maxsize=1024)
def is_schedule(schedule: str) -> bool:
    """Whether the expression can be read and ever comes true (``* * 31 2 *`` does not)."""
    try:
        return next(runs(schedule, _ANY_DAY), None) is not None
    except (CronSimError, OnCalendarError):
        return False


@functools.lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """Names that a check's ``tz`` may have."""
    return frozenset(zoneinfo.available_timezones())


def next_run(schedule: str, tz: str, after: dt.datetime) -> dt.datetime | None:
    """The first time of a checked schedule after another, in the time zone ``tz``; None when there is none any more."""
    found = next(runs(schedule, after.astimezone(zoneinfo.ZoneInfo(tz))), None)
    return None if found is None else found.astimezone(dt.UTC)
