"""Schedules as Healthchecks reads them: kinds, zones, summer time, and those that never come about."""

from __future__ import annotations

import datetime as dt

import pytest
from naas_client.errors import InvalidInput
from naas_client.schedules import kind_of, preview

NOW = dt.datetime(2026, 3, 27, 12, tzinfo=dt.UTC)  # two days before summer time in Europe


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        ("* * * * *", "cron"),
        ("  0 2 * * MON#1 ", "cron"),
        ("Mon..Fri 01:30", "oncalendar"),
        ("*-*-* 12:00\n*-*-* 13:00", "oncalendar"),
        ("a b c d", "oncalendar"),
    ],
)
def test_five_fields_in_one_line_are_cron(schedule: str, kind: str) -> None:
    assert kind_of(schedule) == kind


@pytest.mark.parametrize("schedule", ["30 1 * * *", "*-*-* 01:30"])
def test_runs_keep_the_time_of_the_zone_across_summer_time(schedule: str) -> None:
    runs = preview(schedule, "Europe/Rome", NOW).runs
    assert [run.strftime("%d %H:%M") for run in runs[:3]] == ["28 01:30", "29 01:30", "30 01:30"]
    assert [run.utcoffset() for run in runs[1:3]] == [dt.timedelta(hours=1), dt.timedelta(hours=2)]


def test_a_schedule_with_fewer_runs_left_shows_these() -> None:
    assert len(preview("2026-04-01,02 10:00", "UTC", NOW).runs) == 2


@pytest.mark.parametrize(
    ("schedule", "tz", "code"),
    [
        ("* * 31 2 *", "UTC", "bad-schedule"),
        ("60 * * * *", "UTC", "bad-schedule"),
        ("2020-01-01", "UTC", "bad-schedule"),
        ("*-02-30", "UTC", "bad-schedule"),
        ("* * * *", "UTC", "bad-schedule"),
        ("\x00", "UTC", "bad-schedule"),
        ("* * * * *", "", "bad-time-zone"),
        ("* * * * *", "/etc/passwd", "bad-time-zone"),
        ("* * * * *", "Europe/Atlantis", "bad-time-zone"),
    ],
)
def test_what_never_comes_about_is_refused(schedule: str, tz: str, code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        preview(schedule, tz, NOW)
    assert (error.value.code, error.value.message[-1]) == (code, ".")
