"""What people may ask of their agent, and what a site may choose for it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from naas_client.errors import NotFound
from naas_client.models import Folder
from naas_storage.agent.engine import find_rclone

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


def test_retry_sends_what_waits_for_its_next_try(sessions):
    """rclone doubles its pauses up to 5 minutes: twelve tries would take it 7 minutes."""
    folders = [Folder(name="alice", bucket="alice"), Folder(name="wrong", bucket="scratch", prefix="bob")]
    sessions.store.make_bucket("alice")
    agent = sessions.start_agent(sessions.plan(sessions.publish(folders=folders), folders=folders))
    agent.mounted()
    assert sessions.run(f"open('{agent.plan.view}/wrong/mine.txt', 'w').write('kept')") == ""
    agent.wait(lambda status: [one.state for one in status.uploads] == ["failed"], "failed", 30)

    def tried(_status):
        return (uploads := asyncio.run(agent.client.retry()).uploads) and uploads[0].tries >= 12

    agent.wait(tried, "tried at once, again and again", 60)


def test_reconnect_makes_one_folder_anew(world):
    agent = world.start_agent(world.plan(world.publish()))
    agent.mounted()
    before = agent.engines()
    asyncio.run(agent.client.reconnect("alice"))
    status = agent.wait(lambda status: status.state == "mounted" and status.folders[0].restarts == 1, "anew", 30)
    assert [one.restarts for one in status.folders] == [1, 0, 0]
    after = agent.engines()
    assert after.pop("alice") != before.pop("alice")
    assert after == before
    assert world.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"
    with pytest.raises(NotFound, match="no such folder"):
        asyncio.run(agent.client.reconnect("bob"))


def test_reconnect_keeps_what_is_not_sent(world, wait):
    agent = world.start_agent(world.plan(world.publish()))
    agent.mounted()
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        world.run(f"open('{agent.plan.view}/alice/later.txt', 'w').write('later')")
        agent.wait(lambda status: [one.name for one in status.uploads] == ["later.txt"], "named as pending")
        status = asyncio.run(agent.client.reconnect("alice"))
        assert [one.name for one in status.uploads] == ["later.txt"]
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    wait(lambda: world.store.text("alice/later.txt") == "later", "sent", 60)
    agent.wait(
        lambda status: (status.state, status.uploads_total, status.folders[0].restarts) == ("mounted", 0, 1), "anew", 60
    )
    script = f"open('{agent.plan.view}/alice/later.txt', 'a').write(' and more')"
    assert world.run(script) == ""
    wait(lambda: world.store.text("alice/later.txt") == "later and more", "an append keeps what was there")


def test_a_site_may_name_another_rclone(world):
    other = world.data / "our-rclone"
    other.symlink_to(find_rclone())
    agent = world.start_agent(world.plan(world.publish(), rclone=other))
    agent.mounted()
    for pid in agent.engines().values():
        assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == str(other).encode()


@pytest.mark.parametrize("program", ["/bin/true", "/nonexistent/rclone", "/etc/passwd"])
def test_another_rclone_that_does_not_run_is_said(world, program):
    agent = world.start_agent(world.plan(world.publish(), rclone=program))
    status = agent.wait(lambda status: status.code == "no-rclone", "the cause")
    assert status.state == "degraded"
    assert f"{program} does not run as rclone. Correct storage.rclone" in status.reason
    agent.wait(lambda status: status.credentials_expire_at, "credentials all the same", 30)


def test_a_dead_mount_of_a_killed_agent_is_cleaned_although_nothing_is_to_be_mounted_now(laptop, wait):
    plan = laptop.plan(None)
    agent = laptop.start_agent(plan)
    agent.mounted()
    os.kill(agent.process.pid, signal.SIGSTOP)
    for pid in (*agent.engines().values(), agent.worker()):
        os.kill(pid, signal.SIGKILL)
    agent.process.kill()
    agent.process.wait(10)
    assert [point for point in laptop.mount_points() if "/mnt/" in point]
    agent = laptop.start_agent(plan.model_copy(update={"degraded": "Storage opens to users/s3.", "code": "no-group"}))
    agent.wait(lambda status: status.code == "no-group", "it says why")
    wait(lambda: not [point for point in laptop.mount_points() if "/mnt/" in point], "no dead mount is left")
    assert "No such file" in laptop.run(f"open('{plan.link}/alice/x', 'w')")


def test_the_clock_is_named_when_fresh_credentials_have_ended_already(world):
    world.gateway.life = -600.0
    agent = world.start_agent(world.plan(world.publish()))
    status = agent.wait(lambda status: status.code == "clock-wrong", "the cause", 30)
    assert "set the clock" in status.reason
    world.gateway.life = 3600.0
    agent.mounted()


def test_credentials_that_ended_for_good_are_said_in_the_gateways_words(sessions):
    sessions.store.make_bucket("alice")
    (sessions.store.data / "alice/there.txt").write_text("there")
    sessions.store.seconds = 15
    agent = sessions.start_agent(sessions.plan(sessions.publish()))
    agent.mounted()
    sessions.gateway.refusal = (403, "access-ended", "Your sign-in has ended. Sign in again.")
    status = agent.wait(lambda status: {one.state for one in status.folders} == {"refused"}, "refused", 60)
    assert (status.state, status.code) == ("degraded", "access-ended")
    assert "Sign in again" in status.reason
    assert "Input/output error" in sessions.run(f"open('{agent.plan.view}/alice/there.txt').read()")
    sessions.gateway.refusal = None
    status = agent.wait(lambda status: status.state == "mounted", "back", 60)
    assert sessions.run(f"print(open('{agent.plan.view}/alice/there.txt').read())") == "there"
    assert [one.restarts for one in status.folders] == [0, 0, 0]
