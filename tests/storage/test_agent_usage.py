"""How full the bucket is: asked or counted, followed, and warned of without flapping."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from naas_client.models import Folder, Usage
from naas_storage.agent.usage import UsageKeeper
from naas_storage.plan import AgentPlan

WELCOME = len("hello alice\n")


def mounted_with(agent, used, code=""):
    return agent.wait(
        lambda status: (
            status.state == "mounted" and status.usage and (status.usage.used_bytes, status.code) == (used, code)
        ),
        f"{used} bytes used, {code or 'no warning'}",
        30,
    )


@pytest.mark.server
@pytest.mark.root
@pytest.mark.fuse
def test_a_bucket_is_counted_followed_and_counted_again(world):
    plan = world.plan(world.publish(), quota_bytes=1000)
    agent = world.start_agent(plan)
    usage = mounted_with(agent, WELCOME).usage
    assert (usage.source, usage.objects, usage.quota_bytes) == ("counted", 1, 1000)
    world.run(f"open('{plan.view}/alice/a', 'w').write('x' * 800)")
    status = mounted_with(agent, WELCOME + 800, "quota-warning")
    assert "80 %" in status.reason
    assert status.usage.objects == 2
    world.run(f"open('{plan.view}/alice/b', 'w').write('x' * 160)")
    mounted_with(agent, WELCOME + 960, "quota-critical")
    world.run(f"import os; os.unlink('{plan.view}/alice/a')")
    asyncio.run(agent.client.retry())
    assert mounted_with(agent, WELCOME + 160).usage.objects == 2
    agent.end()
    agent = world.start_agent(plan)
    assert mounted_with(agent, WELCOME + 160).usage.objects == 2  # known at once, and kept


@pytest.mark.server
@pytest.mark.root
@pytest.mark.fuse
def test_what_the_store_tells_is_taken(world):
    now = dt.datetime.now(dt.UTC).isoformat()
    world.gateway.usage = {"used_bytes": 70, "quota_bytes": 100, "objects": 3, "at": now, "source": "store"}
    agent = world.start_agent(world.plan(world.publish(), quota_bytes=1000))
    assert mounted_with(agent, 70).usage.model_dump(mode="json", exclude={"at"}) == {
        "used_bytes": 70,
        "quota_bytes": 100,
        "objects": 3,
        "source": "store",
    }


@pytest.mark.server
@pytest.mark.root
@pytest.mark.fuse
def test_df_tells_size_and_used_of_a_bucket_that_is_quickly_counted(world):
    (world.store.data / "alice/big").write_bytes(bytes(1_000_000))
    plan = world.plan(world.publish(), quota_bytes=10_000_000)
    agent = world.start_agent(plan)
    mounted_with(agent, WELCOME + 1_000_000)
    asyncio.run(agent.client.reconnect("alice"))
    agent.wait(lambda status: status.state == "mounted" and status.folders[0].restarts == 1, "mounted anew", 30)
    script = f"import shutil; print(*shutil.disk_usage('{plan.view}/alice'))"
    total, used, free = map(int, world.run(script).split())
    assert abs(total - 10_000_000) <= 4096
    assert abs(used - 1_000_000) <= 8192
    assert abs(free - 9_000_000) <= 8192


@pytest.mark.parametrize(
    ("used", "codes"),
    [
        ((79, 80, 79, 78, 77), ("", "quota-warning", "quota-warning", "quota-warning", "")),
        ((95, 94, 93, 92, 78, 77), ("quota-critical",) * 3 + ("quota-warning",) * 2 + ("",)),
        ((0, 150, 0), ("", "quota-critical", "")),
    ],
)
def test_a_warning_does_not_come_and_go_with_each_file(tmp_path, used, codes):
    async def never() -> Usage:
        raise AssertionError

    plan = AgentPlan(
        key="alice",
        username="alice",
        folders=[Folder(name="alice", bucket="alice")],
        endpoint="http://127.0.0.1:1",
        gateway_url="http://127.0.0.1:1",
        view=tmp_path,
        run=tmp_path,
        cache=tmp_path,
        quota_bytes=100,
    )
    keeper = UsageKeeper(plan, never, lambda: None, lambda: None)
    seen = []
    for number in used:
        keeper._set(Usage(used_bytes=number, quota_bytes=100, at=dt.datetime.now(dt.UTC), source="counted"))
        seen.append(keeper.code)
    assert tuple(seen) == codes
