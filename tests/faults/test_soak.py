"""`make soak`: a read/write loop over credentials that end again and again. Not part of `make test`."""

from __future__ import annotations

import os
import time

import pytest
from fault_stage import Stage, on

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SESSION = 60
"""Seconds that credentials live; they are renewed each quarter of it."""


@pytest.mark.skipif(not MINUTES, reason="set SOAK_MINUTES, or type `make soak`")
@on("embedded", "ceph")
def test_a_long_time_over_short_credentials(stage: Stage) -> None:
    """Small files over and over, big ones now and then, everything read again: no error, no wrong byte, no new mount."""
    stage.gateway.seconds = SESSION
    agent, stop = stage.agent(), stage.mark("stop")
    small = stage.program(agent, prefix="small", names=500, size=4000, pause=0.2, read=True, stop=stop)
    big = stage.program(agent, prefix="big", names=3, size=40 * 2**20, pause=10, read=True, stop=stop)
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        for ledger in (small, big):
            assert ledger.told("error") + ledger.told("wrong") == []
        agent.wait(lambda status: not [one for one in status.uploads if one.state == "failed"], "no upload failed")
        time.sleep(1)
    stop.touch()
    for ledger in (small, big):
        ledger.finish()
        assert ledger.told("error") + ledger.told("wrong") == []
    stage.all_saved(agent)
    assert agent.status().folders[0].restarts == 0
    assert len(stage.gateway.asked) >= 60 * MINUTES / (SESSION / 4) / 2
    written, read = small.count("saved") + big.count("saved"), small.count("read") + big.count("read")
    print(f"\n{MINUTES:g} minutes: {written} files written, {read} read, {len(stage.gateway.asked)} renewals, no error")
