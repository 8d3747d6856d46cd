"""rclone is killed or told to end: the same path works again, and what was saved is sent."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from fault_stage import LIMIT, Stage

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

MEBIBYTE = 2**20


def again(agent, count=1):
    """Until the mount program was started again so many times, and the folder is well."""
    return agent.wait(
        lambda status: status.state == "mounted" and status.folders[0].restarts >= count, "mounted again", LIMIT
    )


def test_killed_while_a_program_reads(stage: Stage):
    """The open file ends with an error; opened anew, the same path gives the right bytes."""
    agent = stage.agent()
    writing = stage.program(agent, count=1, size=64 * MEBIBYTE)
    writing.finish()
    stage.all_saved(agent)
    stage.proxy.rate = 8 * MEBIBYTE  # so that it is read for certain when rclone dies
    go = stage.mark("go")
    reading = stage.world.start(
        "python3",
        "-Sc",
        f"""
import hashlib, os, pathlib
digest, path, told = hashlib.md5(), '{agent.plan.view}/alice/f00000', pathlib.Path('{go}')
try:
    with open(path, 'rb') as file:
        digest.update(file.read(1 << 20)); told.touch()
        while block := file.read(1 << 20): digest.update(block)
    print('whole')
except OSError as error: print('broken', error.errno in (5, 103, 107))
""",
        uid=stage.world.person,
        stdout=-1,
    )
    agent.wait(lambda _: go.exists(), "it reads")
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    assert reading.communicate(timeout=LIMIT)[0].split() == [b"broken", b"True"]
    stage.proxy.rate = 0
    again(agent)
    script = f"import hashlib; print(hashlib.md5(open('{agent.plan.view}/alice/f00000', 'rb').read()).hexdigest())"
    assert stage.world.run(script, limit=LIMIT) == stage.saved()["f00000"]
    stage.all_saved(agent)


def test_killed_while_programs_write(stage: Stage):
    """What was closed or synced before is in the store; the file that was open ends with an error, and work goes on."""
    agent, go, stop = stage.agent(), stage.mark("go"), stage.mark("stop")
    open_file = stage.program(agent, prefix="open", count=1, size=8 * MEBIBYTE, hold=go)
    loop = stage.program(agent, prefix="loop", size=100_000, pause=0.02, stop=stop, read=True)
    open_file.wait("synced")
    loop.wait("saved", 20)
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    again(agent)
    loop.wait("saved", loop.count("saved") + 20)
    stage.accounted(agent)
    go.touch()
    stop.touch()
    open_file.finish()
    loop.finish()
    assert [one["name"] for one in open_file.told("error")] == ["open00000"]
    assert "open00000" in stage.all_saved(agent)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told-to-end"])
def test_ended_with_a_dirty_cache(stage: Stage, number: int):
    """Many files wait and a big one is half sent: they stay named, and the next rclone sends them."""
    agent = stage.agent()
    stage.proxy.rate = MEBIBYTE
    big = stage.program(agent, prefix="big", count=1, size=40 * MEBIBYTE)
    big.finish()
    agent.wait(lambda status: [one.state for one in status.uploads] == ["uploading"], "it is being sent", LIMIT)
    stage.proxy.stop()
    small = stage.program(agent, prefix="small", count=30, size=5000)
    empty = stage.program(agent, prefix="empty", count=3, size=0)
    small.finish()
    empty.finish()
    os.kill(agent.engines()["alice"], number)
    stage.named(agent, big)
    stage.named(agent, small)
    stage.named(agent, empty)
    stage.proxy.well()
    again(agent)
    assert len(stage.all_saved(agent)) == 34
    stage.read_back(agent)


def test_the_agent_told_to_end_with_a_dirty_cache(stage: Stage):
    """It sends what it can within its limit, says what is left, and the next agent sends that."""
    plan = stage.plan()
    plan.timings.drain_limit = 1
    agent = stage.world.start_agent(plan)
    agent.wait(lambda status: status.state == "mounted", "mounted", LIMIT)
    stage.proxy.stop()
    stage.program(agent, count=10, size=5000).finish()
    left = asyncio.run(agent.client.stop())
    assert {one.name for one in left.uploads} == set(stage.saved())
    assert agent.process.wait(LIMIT) == 0
    stage.proxy.well()
    assert len(stage.all_saved(stage.agent())) == 10


def test_two_servers_at_once(stage: Stage):
    """Each has a cache of its own; what both write over is one of the two, never a mixture."""
    first, second = stage.agent(), stage.agent("alice.second")
    assert first.plan.cache != second.plan.cache
    programs = [
        stage.program(first, prefix="first", count=25, size=50_000, read=True),
        stage.program(second, prefix="second", count=25, size=50_000, read=True),
        stage.program(first, shared=True, prefix="both", count=25, names=5, size=50_000),
        stage.program(second, shared=True, prefix="both", count=25, names=5, size=50_000),
    ]
    os.kill(first.engines()["alice"], signal.SIGKILL)
    for program in programs:
        program.finish()
    assert not programs[1].told("error")
    objects = stage.all_saved(first, second)
    assert len([name for name in objects if name.startswith("second")]) == 25
    assert second.status().folders[0].restarts == 0
