"""Clocks that are set, machines that sleep, servers that are away: none of them makes a check late."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_clock import Clock as WrongClock
from healthchecks_late import kept
from healthchecks_site import HealthchecksSite, ping
from naas_local.healthchecks import EmbeddedHealthchecks, prepare
from naas_local.healthchecks import clock as clocks
from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.clock import Alarm, Clock, Reading
from naas_local.healthchecks.database import SCHEMA
from naas_local.healthchecks.rows import check_of_code, save
from naas_local.healthchecks.times import SECOND
from naas_local.ports import free_port

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
NOON = 1_700_049_600 * SECOND
"""12:00 UTC of a day."""


@dataclass
class Machine:
    """Clocks that do what a test says. Times in microseconds."""

    wall: int = NOON
    boot: str = "first"
    since_boot: int = HOUR
    slept: int = 0

    def passes(self, time: int) -> None:
        self.wall += time
        self.since_boot += time

    def sleeps(self, time: int) -> None:
        self.passes(time)
        self.slept += time

    def reading(self) -> Reading:
        return Reading(self.boot, self.wall - self.since_boot, self.slept)

    def clock(self) -> Clock:
        return Clock(self.reading, lambda: self.wall)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def db(machine: Machine) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(SCHEMA)
    connection.execute(
        "INSERT INTO projects (id, owner, name, email, created, badge_key) VALUES (1, 'a', 'a', '', 0, 'b')"
    )
    machine.clock().look(connection)
    yield connection
    connection.close()


def up(db: sqlite3.Connection, machine: Machine, **fields: object) -> Check:
    """A check that has just been pinged."""
    check = Check(project_id=1, created=machine.wall, **fields)  # type: ignore[arg-type]
    check.take("success", None, machine.wall)
    save(db, check)
    return check


def again(db: sqlite3.Connection, check: Check) -> Check:
    found = check_of_code(db, check.code)
    assert found is not None
    return found


def left(db: sqlite3.Connection, check: Check, machine: Machine) -> int:
    """Microseconds until a check is down."""
    after = again(db, check).alert_after
    assert after is not None
    return after - machine.wall


@pytest.mark.parametrize("by", [5 * HOUR, -5 * HOUR, 90 * SECOND, -90 * SECOND])
def test_a_set_clock_changes_nothing_for_a_simple_check(db: sqlite3.Connection, machine: Machine, by: int) -> None:
    check = up(db, machine, timeout=600, grace=60)
    machine.passes(4 * MINUTE)
    machine.wall += by
    machine.clock().look(db)
    assert left(db, check, machine) == 7 * MINUTE
    assert again(db, check).state(machine.wall) == "up"
    machine.clock().look(db)
    assert left(db, check, machine) == 7 * MINUTE, "it is put right once"


@pytest.mark.parametrize("by", [5 * HOUR, -5 * HOUR])
def test_a_set_clock_leaves_a_run_its_time(db: sqlite3.Connection, machine: Machine, by: int) -> None:
    check = up(db, machine, timeout=86400, grace=600)
    check.take("start", None, machine.wall)
    save(db, check)
    machine.passes(4 * MINUTE)
    machine.wall += by
    machine.clock().look(db)
    assert left(db, check, machine) == 6 * MINUTE
    ended = again(db, check)
    ended.take("success", None, machine.wall)
    assert ended.last_duration == 4 * MINUTE


def test_a_clock_set_forward_past_a_cron_run_gives_the_grace_from_now(db: sqlite3.Connection, machine: Machine) -> None:
    check = up(db, machine, kind="cron", schedule="30 * * * *", grace=300)
    machine.wall += 50 * MINUTE
    machine.clock().look(db)
    # The ping was, by the new clock, at 12:50; the next run is at 13:30.
    assert left(db, check, machine) == 45 * MINUTE
    machine.passes(35 * MINUTE)
    machine.wall += HOUR
    machine.clock().look(db)
    assert left(db, check, machine) > 0


def test_a_clock_set_back_waits_for_the_next_cron_run(db: sqlite3.Connection, machine: Machine) -> None:
    check = up(db, machine, kind="cron", schedule="30 * * * *", grace=300)
    machine.wall -= HOUR
    machine.clock().look(db)
    assert left(db, check, machine) == 35 * MINUTE


def test_small_steps_are_no_matter_and_add_up(db: sqlite3.Connection, machine: Machine) -> None:
    check = up(db, machine, timeout=600, grace=60)
    machine.wall += SECOND // 2
    machine.clock().look(db)
    assert again(db, check).last_ping == NOON
    machine.wall += SECOND
    machine.clock().look(db)
    assert again(db, check).last_ping == NOON + SECOND * 3 // 2


def test_after_a_sleep_what_was_due_gets_its_grace_and_what_was_not_keeps_its_time(
    db: sqlite3.Connection, machine: Machine
) -> None:
    late, in_time = up(db, machine, timeout=600, grace=120), up(db, machine, timeout=86400, grace=120)
    machine.sleeps(8 * HOUR)
    machine.clock().look(db)
    assert left(db, late, machine) == 2 * MINUTE
    assert again(db, late).state(machine.wall) == "grace"
    assert left(db, in_time, machine) == 16 * HOUR + 2 * MINUTE
    machine.passes(3 * MINUTE)
    machine.clock().look(db)
    assert again(db, late).state(machine.wall) == "down", "grace is given once"


def test_a_new_boot_starts_the_count_anew(db: sqlite3.Connection, machine: Machine) -> None:
    check = up(db, machine, timeout=600, grace=60)
    machine.boot, machine.since_boot, machine.slept = "second", 10 * SECOND, 0
    machine.passes(MINUTE)
    machine.clock().look(db)
    assert left(db, check, machine) == 10 * MINUTE
    assert again(db, check).last_ping == NOON


def test_the_clocks_of_this_machine_agree() -> None:
    first, second = clocks.read_clocks(), clocks.read_clocks()
    assert abs(first.ahead - second.ahead) < SECOND // 10
    assert first.boot == second.boot
    assert abs(clocks.now() - time.time_ns() // 1000) < SECOND


def test_an_alarm_rings_at_its_time_and_at_once_for_a_past_one() -> None:
    async def rings(seconds: float) -> float:
        rung = asyncio.Event()
        alarm = Alarm(rung.set)
        try:
            alarm.set(clocks.now() + int(seconds * SECOND))
            began = time.monotonic()
            await asyncio.wait_for(rung.wait(), 30)
            return time.monotonic() - began
        finally:
            alarm.close()

    assert asyncio.run(rings(-3600)) < 1
    assert 0.3 <= asyncio.run(rings(0.3)) < 5


@pytest.fixture
def wrong(tmp_path: Path) -> WrongClock:
    return WrongClock(tmp_path / "clock")


@pytest.fixture
def server(tmp_path: Path, wrong: WrongClock) -> Iterator[EmbeddedHealthchecks]:
    """A real server, whose wall clock is set by the test."""
    data = tmp_path / "healthchecks"
    spec = dataclasses.replace(prepare(data, free_port()), environment=wrong.environment())
    running = EmbeddedHealthchecks(spec, tmp_path / "log", data)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.mark.server
@pytest.mark.parametrize("by", [7200, -7200])
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "away"])
def test_a_server_whose_clock_is_set_raises_no_alarm(
    server: EmbeddedHealthchecks, wrong: WrongClock, by: int, restarted: bool
) -> None:
    site = HealthchecksSite(server.url, server.project("alice")["api_key"])
    check, other = site.create(timeout=3600, grace=600), site.create()
    ping(check["ping_url"])
    before = kept(server, check, "alert_after") - time.time() * SECOND
    if restarted:
        server.kill()
    wrong.set(by)
    if restarted:
        server.start()
    ping(other["ping_url"])
    assert site.show(check)["status"] == "up"
    assert site.flips(check) == [1]
    remaining = kept(server, check, "alert_after") - (time.time() + by) * SECOND
    assert abs(remaining - before) < 60 * SECOND
    assert "The clock was set by" in server.log.read_text()
