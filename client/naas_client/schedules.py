"""Schedules of checks: cron and systemd's OnCalendar, as Healthchecks reads them.

The libraries are those that Healthchecks itself uses. They come with the extras `gateway` and `local`; nothing else imports this module.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from oncalendar import OnCalendar, OnCalendarError

from naas_client.errors import InvalidInput
from naas_client.models import SchedulePreview
from naas_client.models.checks import CalendarKind

RUNS = 5


def kind_of(schedule: str) -> CalendarKind:
    """How Healthchecks takes an expression: one line of five fields is cron, all else OnCalendar."""
    return "cron" if "\n" not in schedule.strip() and len(schedule.split()) == 5 else "oncalendar"


def runs(schedule: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """The runs after a time (aware), in its zone. Raises CronSimError or OnCalendarError for what is no expression."""
    return CronSim(schedule, after) if kind_of(schedule) == "cron" else OnCalendar(schedule, after)


def time_zone(name: str) -> ZoneInfo:
    """A time zone of the IANA database. Raises InvalidInput (``bad-time-zone``)."""
    if name not in available_timezones():
        raise InvalidInput(f"tz: “{name[:40]}” is no time zone. Write one like Europe/Rome.", code="bad-time-zone")
    return ZoneInfo(name)


def preview(
    schedule: str, tz: str, now: dt.datetime, kind: CalendarKind | None = None, count: int = RUNS
) -> SchedulePreview:
    """What a schedule means, and its next runs after ``now`` (aware), in its zone.

    Parameters: ``kind``, what the caller takes it for. Raises InvalidInput (``bad-schedule``, ``bad-time-zone``), also for one
    that never comes about.
    """
    zone, found = time_zone(tz), kind_of(schedule)
    if kind is not None and kind != found:
        wanted = "five fields, like 30 1 * * 1-5" if kind == "cron" else "an expression like Mon..Fri 01:30"
        raise InvalidInput(f"schedule: write {wanted}.", code="bad-schedule")
    try:
        following = list(itertools.islice(runs(schedule, now.astimezone(zone)), count))
        text = CronSim(schedule, now).explain() if found == "cron" else ""
    except (CronSimError, OnCalendarError) as error:
        raise InvalidInput(
            f"schedule: {_sentence(error)} Write cron like 30 1 * * 1-5, or OnCalendar like Mon..Fri 01:30.",
            code="bad-schedule",
        ) from None
    if not following:
        raise InvalidInput("schedule: it never comes about. Choose a day that there is.", code="bad-schedule")
    return SchedulePreview(kind=found, tz=tz, text=text, runs=following)


def _sentence(error: Exception) -> str:
    what = str(error).rstrip(".") or "it cannot be understood"
    return f"{what[0].lower()}{what[1:]}."
