"""When the next ping is expected: cron and systemd's OnCalendar expressions."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections.abc import Iterator

from cronsim import CronSim, CronSimError
from oncalendar import OnCalendar, OnCalendarError

_ANY_DAY = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def kind(schedule: str) -> str:
    """What a schedule is written in, as Healthchecks tells it: "cron" for one line of five fields, else "oncalendar"."""
    return "cron" if "\n" not in schedule.strip() and len(schedule.split()) == 5 else "oncalendar"


@functools.lru_cache(maxsize=1024)
def is_schedule(schedule: str) -> bool:
    """Whether the expression can be read and ever comes true (``* * 31 2 *`` does not)."""
    try:
        return next(_runs(schedule, _ANY_DAY), None) is not None
    except (CronSimError, OnCalendarError):
        return False


@functools.lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """Names that a check's ``tz`` may have."""
    return frozenset(zoneinfo.available_timezones())


def next_run(schedule: str, tz: str, after: dt.datetime) -> dt.datetime | None:
    """The first time of a checked schedule after another, in the time zone ``tz``; None when there is none any more."""
    found = next(_runs(schedule, after.astimezone(zoneinfo.ZoneInfo(tz))), None)
    return None if found is None else found.astimezone(dt.UTC)


def _runs(schedule: str, after: dt.datetime) -> Iterator[dt.datetime]:
    return CronSim(schedule, after) if kind(schedule) == "cron" else OnCalendar(schedule, after)
