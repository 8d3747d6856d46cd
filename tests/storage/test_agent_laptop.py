"""Without root: mounts through fusermount3, and what is left where nothing can be mounted."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def agent(laptop):
    agent = laptop.start_agent(laptop.plan(None))
    agent.mounted()
    return agent


def test_folders_appear_as_links_to_mounts(laptop, agent, wait):
    assert agent.status().mode == "fusermount"
    assert laptop.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"
    assert laptop.run(f"open('{agent.plan.link}/alice/x', 'w').write('1')") == ""
    wait(lambda: laptop.store.text("alice/x") == "1", "in the store")
    assert "Read-only file system" in laptop.run(f"open('{agent.plan.link}/scratch/x', 'w')")


def test_a_folder_without_its_mount_is_not_there(laptop, agent, wait):
    """The store is away and the mount program dies: while it is not back, nothing can be written to the local disk."""
    laptop.gateway.refusal = (503, "gateway-down", "The gateway does not answer.")
    agent.end()
    assert "No such file" in laptop.run(f"open('{agent.plan.link}/alice/x', 'w')")
    assert "Permission denied" in laptop.run(f"open('{agent.plan.run}/mnt/alice/x', 'w')")
    assert [point for point in laptop.mount_points() if "/mnt/" in point] == []


def test_it_heals_on_the_same_path(laptop, agent):
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    agent.wait(lambda status: status.folders[0].restarts == 1 and status.state == "mounted", "healed")
    os.kill(agent.engines()["alice"], signal.SIGSTOP)
    agent.wait(lambda status: status.folders[0].restarts == 2 and status.state == "mounted", "healed from a hang")
    assert laptop.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"


def test_a_killed_agent_leaves_nothing_to_write_into_and_is_started_again(laptop, agent, wait):
    """Its rclones end with it. A mount that was just in use then stays behind, dead; the next agent takes it away."""
    worker = agent.worker()
    os.kill(agent.process.pid, signal.SIGSTOP)  # nobody starts it again
    os.kill(worker, signal.SIGKILL)
    refusals = ("Permission denied", "not connected")
    wait(
        lambda: any(why in laptop.run(f"open('{agent.plan.link}/alice/x', 'w')") for why in refusals),
        "nothing can be written",
    )
    os.kill(agent.process.pid, signal.SIGCONT)
    agent.mounted()
    asyncio.run(agent.client.stop())
    assert agent.process.wait(10) == 0


def test_without_fuse_it_says_so_and_keeps_credentials_fresh(laptop, wait):
    """As on a machine without the package fuse3: the notebook still has fsspec."""
    plan = laptop.plan(None)
    agent = laptop.start_agent(plan, "env", "PATH=/nonexistent")
    status = agent.wait(lambda status: status.code == "no-fuse", "the cause")
    assert status.state == "degraded"
    assert "fuse3" in status.reason
    assert "naas_storage.filesystem()" in status.reason
    wait((plan.run / "access.json").exists, "credentials are there")
    assert json.loads((plan.run / "access.json").read_text())["Endpoint"] == laptop.store.url
    assert agent.end() == 0
