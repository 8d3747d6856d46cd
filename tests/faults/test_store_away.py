"""The store, its credentials or the cache's disk fail for a while: work goes on or says why not, and nothing saved is lost."""

from __future__ import annotations

import pytest
from fault_stage import LIMIT, Stage, on, seconds

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

MEBIBYTE = 2**20


def folder_state(status):
    return str(status.folders[0].state)


def well(agent):
    return agent.wait(lambda status: status.state == "mounted", "mounted", LIMIT)


def test_sts_is_down_for_less_than_a_sessions_life(stage: Stage):
    """90 s without STS and sessions of 3 minutes (short: 8 s of 20 s): no program notices."""
    stage.gateway.seconds = int(seconds(20, 180))
    agent, stop = stage.agent(), stage.mark("stop")
    loop = stage.program(agent, size=2000, pause=0.1, stop=stop, read=True)
    loop.wait("saved", 5)
    asked = len(stage.gateway.asked)
    stage.sts.stop()
    stage.while_it_lasts(seconds(8, 90), lambda: loop.told("error") == [])
    agent.wait(lambda _: len(stage.gateway.asked) > asked, "a renewal was tried", LIMIT)
    stage.sts.start()
    before, asked = agent.status().credentials_expire_at, len(stage.gateway.asked)
    agent.wait(lambda status: status.credentials_expire_at > before, "new credentials", LIMIT)
    stop.touch()
    loop.finish()
    assert loop.told("error") == []
    stage.all_saved(agent)
    assert agent.status().folders[0].restarts == 0


def test_the_store_is_down(stage: Stage):
    """60 s without the store (short: 4 s): writing goes on and is named, the folder says that the store is away, the mount stays."""
    agent = stage.agent()
    stage.program(agent, prefix="before", count=5, size=2000).finish()
    stage.all_saved(agent)
    stage.site.stop()
    try:
        during = stage.program(agent, prefix="during", count=20, size=50_000)
        during.finish()
        assert len(during.saved()) == 20
        stage.named(agent, during)
        status = agent.wait(lambda status: folder_state(status) == "down", "it is said", LIMIT)
        assert status.state == "degraded"
        assert status.folders[0].reason
        stage.while_it_lasts(seconds(4, 60), lambda: stage.named(agent, during))
    finally:
        stage.site.start()
    well(agent)
    assert len(stage.all_saved(agent)) == 25
    assert agent.status().folders[0].restarts == 0


def test_the_store_refuses_each_tenth_request(stage: Stage):
    """503 SlowDown: rclone tries again, programs do not notice."""
    agent = stage.agent()
    stage.proxy.every = 10
    small = stage.program(agent, prefix="small", count=int(seconds(40, 500)), size=20_000, read=True)
    big = stage.program(agent, prefix="big", count=1, size=48 * MEBIBYTE)
    small.finish()
    big.finish()
    assert small.told("error") + big.told("error") == []
    stage.all_saved(agent)
    assert stage.proxy.refused >= 5
    assert agent.status().folders[0].restarts == 0


def test_the_store_is_slow(stage: Stage):
    """0.3 s before each answer and 1 MiB a second: slower, and nothing else."""
    agent = stage.agent()
    stage.proxy.delay, stage.proxy.rate = 0.3, MEBIBYTE
    loop = stage.program(agent, count=int(seconds(8, 100)), size=20_000, read=True)
    big = stage.program(agent, prefix="big", count=1, size=int(seconds(4, 100)) * MEBIBYTE)
    big.finish()
    stage.named(agent, big)
    loop.finish()
    assert loop.told("error") + big.told("error") == []
    stage.all_saved(agent)
    status = well(agent)
    assert status.folders[0].restarts == 0


@on("embedded", "ceph")
def test_credentials_end_for_good(stage: Stage):
    """The gateway says that access has ended: the folder says so, files stay on this server and are named; back with access."""
    stage.gateway.seconds = 15
    agent = stage.agent()
    stage.program(agent, prefix="before", count=5, size=2000).finish()
    stage.all_saved(agent)
    stage.gateway.refusal = (403, "access-ended", "Your access has ended. Sign in again.")
    agent.wait(lambda status: folder_state(status) == "refused", "refused", LIMIT)
    during = stage.program(agent, prefix="during", count=5, size=2000)
    during.finish()
    status = stage.named(agent, during)
    assert status.state == "degraded"
    assert status.reason
    agent.wait(
        lambda status: len([one for one in status.uploads if one.error]) >= len(during.saved()), "why each waits", LIMIT
    )
    stage.while_it_lasts(seconds(1, 90), lambda: stage.named(agent, during))
    stage.gateway.refusal = None
    well(agent)
    stage.all_saved(agent)


def test_the_disk_of_the_cache_is_full(stage: Stage):
    """A program is told at once (ENOSPC), what it was told is saved is sent, and there is room again afterwards."""
    plan = stage.plan()
    stage.disk(plan.cache, 16 * MEBIBYTE)
    agent = stage.world.start_agent(plan)
    well(agent)
    stage.proxy.stop()
    full = stage.program(agent, prefix="full", count=6, size=4 * MEBIBYTE)
    full.finish()
    assert {one["errno"] for one in full.told("error")} <= {28, 5}
    assert 2 <= len(full.saved()) <= 4
    stage.named(agent, full)
    stage.proxy.well()
    stage.all_saved(agent)
    agent.wait(lambda _: stage.free(plan.cache) >= MEBIBYTE, "room on the disk", LIMIT)
    after = stage.program(agent, prefix="after", count=3, size=MEBIBYTE // 4)
    after.finish()
    stage.all_saved(agent)
    assert after.told("error") == []
