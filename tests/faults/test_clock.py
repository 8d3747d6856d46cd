"""This machine's clock is ten minutes off: folders work, or say that it is the clock; nothing saved is lost."""

from __future__ import annotations

import datetime as dt

import pytest
from fault_clock import MachineClock
from fault_stage import LIMIT, Stage, on, seconds
from naas_storage.agent.reasons import CLOCK

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

TEN_MINUTES, HOUR = 600, 3600
LIFE = 20
"""Seconds of a short session."""


@on("embedded", "ceph")
@pytest.mark.parametrize("ahead", [TEN_MINUTES, -TEN_MINUTES], ids=["we-are-behind", "we-are-ahead"])
def test_ten_minutes_off_with_sessions_of_an_hour(stage: Stage, ahead: int) -> None:
    """Nobody notices: not who works when the clock is set, nor who starts meanwhile, nor when it is right again."""
    with stage.site.clock(stage.world.data) as clock:
        agent, stop = stage.agent(), stage.mark("stop")
        loop = stage.program(agent, size=20_000, pause=0.1, read=True, stop=stop)
        loop.wait("saved", 5)
        clock.set(ahead)
        ends = dt.datetime.fromisoformat(stage.site.session(stage.site.url, HOUR)["expires_at"]).timestamp()
        assert abs(ends - clock.now() - HOUR) < TEN_MINUTES / 2, "the store has the other clock"
        second = stage.agent("alice.second")
        other = stage.program(second, prefix="second", count=20, size=20_000, read=True)
        other.finish()
        loop.wait("saved", loop.count("saved") + int(seconds(20, 200)))
        stage.accounted(agent)
        clock.set(0)
        loop.wait("saved", loop.count("saved") + 20)
        stop.touch()
        loop.finish()
        assert loop.told("error") + other.told("error") == []
        assert len(stage.all_saved(agent, second)) >= 60
        assert [one.status().folders[0].restarts for one in (agent, second)] == [0, 0]


@on("embedded", "ceph")
def test_ahead_by_more_than_a_sessions_life(stage: Stage) -> None:
    """Each session has ended when it comes. Who has folders keeps them; who starts is told that it is the clock, until it is right.

    Nobody notices when it is set right, nor later, when what came under the wrong clock has ended.
    """
    stage.gateway.seconds = LIFE
    clock = MachineClock(stage.world.data / "clock")
    agent, stop = stage.world.start_agent(stage.plan(), *clock.words), stage.mark("stop")
    agent.wait(lambda status: status.state == "mounted", "mounted", LIMIT)
    clock.give(agent.engines()["alice"])
    loop = stage.program(agent, size=2000, pause=0.1, read=True, stop=stop)
    loop.wait("saved", 5)
    clock.set(TEN_MINUTES)
    second = stage.world.start_agent(stage.plan("alice.second"), *clock.words)
    status = second.wait(lambda status: status.folders[0].reason == CLOCK, "it is said", LIMIT)
    assert (status.state, status.code) == ("degraded", "clock-wrong")
    new = agent.plan.view / "alice" / "new"
    made = stage.world.run(f"import os; os.mkdir('{new}'); print(os.stat('{new}').st_mtime)")
    assert abs(float(made) - clock.now()) < TEN_MINUTES / 2, "rclone has the other clock"
    stage.while_it_lasts(seconds(LIFE / 2, 60), lambda: loop.told("error") == [])
    stage.accounted(agent)
    clock.set(0)
    second.wait(lambda status: status.state == "mounted", "mounted", LIMIT)
    stage.program(second, prefix="second", count=5, size=2000, read=True).finish()
    stage.while_it_lasts(seconds(LIFE * 1.25, 60), lambda: loop.told("error") == [])
    stop.touch()
    loop.finish()
    assert loop.told("error") == []
    stage.all_saved(agent, second)
    assert [one.status().folders[0].restarts for one in (agent, second)] == [0, 0]
