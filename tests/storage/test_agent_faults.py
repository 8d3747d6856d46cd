"""What breaks heals on the same path, and nothing that was written is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def agent(world):
    agent = world.start_agent(world.plan(world.publish()))
    agent.mounted()
    return agent


def restarts(status, name="alice"):
    return next(one.restarts for one in status.folders if one.name == name)


def state(status, name="alice"):
    return next(one.state for one in status.folders if one.name == name)


PATIENT_READER = """
import os, time
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        print(open('{path}').read()); break
    except OSError: time.sleep(0.01)
else: print('never')
"""


def test_killed_mount_programs_come_back_on_the_same_path(world, agent):
    for pid in agent.engines().values():
        os.kill(pid, signal.SIGKILL)
    script = PATIENT_READER.format(path=agent.plan.link / "alice/welcome.txt")
    assert world.run(script, limit=90) == "hello alice"

    def all_anew(status):
        return status.state == "mounted" and [one.restarts for one in status.folders] == [1, 1, 1]

    agent.wait(all_anew, "mounted again")


def test_killed_with_unsent_files_sends_them_afterwards(world, agent, wait):
    """One file is closed but not sent (the store is away), one is open still: both are in the store in the end."""
    os.kill(world.store.pid, signal.SIGSTOP)
    holding = world.start(
        *(
            "python3",
            "-Sc",
            f"""
import os, time
f = open('{agent.plan.view}/alice/open.txt', 'w'); f.write('half'); f.flush(); os.fsync(f.fileno())
open('{agent.plan.view}/alice/closed.txt', 'w').write('whole')
open('{world.data}/homes/alice/ready', 'w').close()
time.sleep(60)
""",
        ),
        uid=39000,
    )
    wait((world.data / "homes/alice/ready").exists, "files are written")
    agent.wait(
        lambda status: [one.name for one in status.uploads if one.folder == "alice"] == ["closed.txt"], "pending"
    )
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    holding.kill()
    os.kill(world.store.pid, signal.SIGCONT)
    wait(lambda: world.store.text("alice/closed.txt") == "whole", "the closed file is sent", 60)
    wait(lambda: world.store.text("alice/open.txt") == "half", "the open file is sent", 60)
    agent.wait(lambda status: status.state == "mounted" and not status.uploads_total, "mounted, nothing pending")


def test_a_mount_program_that_hangs_is_replaced(world, agent):
    pid = agent.engines()["alice"]
    os.kill(pid, signal.SIGSTOP)
    agent.wait(lambda status: restarts(status) == 1 and status.state == "mounted", "made anew")
    assert not Path(f"/proc/{pid}").exists()
    assert world.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"
    assert restarts(agent.status(), "scratch") == 0


def test_many_deaths_in_a_row_are_slowed_down(world):
    """The first time at once; later with pauses, so that a mount that cannot live does not eat the machine."""
    plan = world.plan(world.publish())
    plan.timings.settled = 3600
    agent = world.start_agent(plan)
    agent.mounted()
    pauses = []
    for death in range(1, 5):
        os.kill(agent.engines()["alice"], signal.SIGKILL)
        began = time.monotonic()
        agent.wait(lambda status, death=death: restarts(status) == death and state(status) == "ok", "back")
        pauses.append(time.monotonic() - began)
    assert pauses[3] > 0.6


def test_the_helper_may_restart_under_running_servers(world, agent):
    for number in (signal.SIGTERM, signal.SIGKILL):
        before = set(world.mount_points())
        world.stop_helper(number)
        assert set(world.mount_points()) == before
        assert world.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"
        world.start_helper()
        count = restarts(agent.status())
        os.kill(agent.engines()["alice"], signal.SIGKILL)
        agent.wait(lambda status, count=count: restarts(status) == count + 1 and status.state == "mounted", "healed")


def test_helper_and_mount_program_killed_together(world, agent):
    world.stop_helper(signal.SIGKILL)
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    status = agent.wait(lambda status: state(status) == "reconnecting", "it says so")
    agent.wait(lambda status: "helper does not answer" in status.reason, "and why")
    assert status.state == "degraded"
    world.start_helper()
    agent.wait(lambda status: status.state == "mounted", "healed")


def test_a_killed_agent_is_started_again(world, agent, wait):
    """What does the work is a child of the agent's process; the out-of-memory killer may take it."""
    engines = agent.engines()
    os.kill(agent.worker(), signal.SIGKILL)
    wait(lambda: not [pid for pid in engines.values() if Path(f"/proc/{pid}").exists()], "its mount programs end too")
    world.gateway.refusal = (503, "gateway-down", "The gateway does not answer.")
    agent.mounted()  # with the credentials that were left
    assert world.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"
    assert agent.end() == 0


def test_an_agent_killed_for_good_leaves_nothing_running_and_the_next_one_takes_over(world, agent, wait):
    pids = [*agent.engines().values(), agent.worker()]
    agent.process.kill()
    agent.process.wait()
    wait(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "everything of it ends")
    second = world.start_agent(agent.plan)
    second.mounted()
    assert world.run(f"print(open('{agent.plan.link}/alice/welcome.txt').read())") == "hello alice"


def test_two_agents_never_share_a_cache(world, agent):
    second = world.start_agent(agent.plan)
    assert second.process.wait(20) == 2
    assert "Another mount agent" in agent.log()
    assert agent.mounted()


def test_credentials_are_renewed_long_before_they_end(world, agent):
    file = agent.plan.run / "access.json"
    world.gateway.life = 4.0
    agent.end()
    file.unlink()
    asked = len(world.gateway.asked)
    agent = world.start_agent(agent.plan)
    agent.mounted()
    first = json.loads(file.read_text())
    assert first["Expiration"] <= first["ExpiresAt"]
    agent.wait(lambda _: len(world.gateway.asked) >= asked + 4, "renewed each second")
    assert world.gateway.asked[-1] == "Bearer the-hub-token-of-alice"


def test_a_gateway_that_is_away_for_a_while_is_not_noticed(world, agent):
    world.gateway.life = 8.0
    agent.end()
    (agent.plan.run / "access.json").unlink()
    agent = world.start_agent(agent.plan)
    agent.mounted()
    world.gateway.refusal = (503, "iam-down", "IAM does not answer. Try again in a moment.")
    asked = len(world.gateway.asked)
    agent.wait(lambda _: len(world.gateway.asked) >= asked + 2, "renewal is tried")
    agent.mounted()
    assert (
        world.run(f"open('{agent.plan.view}/alice/w', 'w').write('1'); print(open('{agent.plan.view}/alice/w').read())")
        == "1"
    )
    world.gateway.refusal = None


@pytest.mark.parametrize(
    ("refusal", "state_then"),
    [
        pytest.param((503, "sts-down", "The object store gives no credentials just now."), "connecting", id="sts-down"),
        pytest.param((403, "forbidden", "Storage opens to users/s3."), "refused", id="forbidden"),
    ],
)
def test_no_credentials_at_the_start_is_said_in_the_gateways_words(world, refusal, state_then):
    world.gateway.refusal = refusal
    plan = world.plan(world.publish())
    agent = world.start_agent(plan)
    status = agent.wait(lambda status: status.code == refusal[1], "the cause")
    assert refusal[2] in status.reason
    assert {one.state for one in status.folders} == {state_then}
    world.gateway.refusal = None
    agent.mounted()


def test_a_store_that_refuses_shows_as_refused_not_as_an_empty_folder(world, agent):
    world.gateway.life, world.gateway.key = 3600.0, "a-key-the-store-does-not-know"
    agent.end()
    (agent.plan.run / "access.json").unlink()
    agent = world.start_agent(agent.plan)
    status = agent.wait(lambda status: state(status) == "refused", "refused")
    assert status.state == "degraded"
    assert "refused your access" in status.reason
    assert "Input/output error" in world.run(f"import os; os.listdir('{agent.plan.view}/alice')")


def test_a_store_that_is_away_is_told_apart_and_comes_back(world, agent):
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        status = agent.wait(lambda status: state(status) == "down", "down")
        assert "did not answer" in status.reason
        assert restarts(status) == 0
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    agent.wait(lambda status: status.state == "mounted" and restarts(status) == 0, "back, without a new mount")


def test_pending_uploads_are_named_and_a_drain_says_what_is_left(world, agent, wait):
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        world.run(f"open('{agent.plan.view}/alice/big.bin', 'wb').write(bytes(2_000_000))")
        status = agent.wait(lambda status: status.uploads_total == 1, "pending")
        assert (status.bytes_pending, status.uploads[0].name) == (2_000_000, "big.bin")
        began = time.monotonic()
        left = asyncio.run(agent.client.drain(1))
        assert time.monotonic() - began > 0.9
        assert [one.name for one in left.uploads] == ["big.bin"]
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    assert asyncio.run(agent.client.drain(20)).uploads_total == 0
    assert (world.store.data / "alice/big.bin").stat().st_size == 2_000_000


@pytest.mark.parametrize(("folder", "place"), [("alice", "alice"), ("scratch-alice", "scratch/alice")])
def test_what_could_not_be_sent_before_the_end_is_sent_by_the_next_agent(world, wait, folder, place):
    published = world.publish()
    plan = world.plan(published)
    plan.timings.drain_limit = 0.5
    agent = world.start_agent(plan)
    agent.mounted()
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        world.run(f"open('{plan.view}/{folder}/later.txt', 'w').write('later')")
        left = asyncio.run(agent.client.stop())
        assert [one.name for one in left.uploads] == ["later.txt"]
        agent.process.wait(10)
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    assert world.store.text(f"{place}/later.txt") is None
    world.start_agent(plan).mounted()
    wait(lambda: world.store.text(f"{place}/later.txt") == "later", "sent at the next start")
