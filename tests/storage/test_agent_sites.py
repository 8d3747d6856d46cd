"""Two sites of one store: the folders go where somebody answers, take unsent files along, and come home."""

from __future__ import annotations

import os
import signal

import pytest

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def second(world):
    twin = world.store.twin()
    twin.start()
    yield twin
    twin.stop()


@pytest.fixture
def plan(world, second):
    plan = world.plan(world.publish(), endpoints=[second.url])
    plan.timings.probe, plan.timings.probe_limit, plan.timings.home_again = 0.3, 2, 1
    return plan


def at(url, code):
    return lambda status: (status.endpoint, status.state, status.code) == (url, "mounted", code)


def test_the_folders_move_with_what_is_not_sent_and_come_home(world, second, plan, wait):
    agent = world.start_agent(plan)
    agent.wait(at(world.store.url, ""), "at the first site")
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        assert world.run(f"open('{plan.view}/alice/new.txt', 'w').write('written while the site was away')") == ""
        status = agent.wait(at(second.url, "other-site"), "at the second site", 60)
        assert "first site does not answer" in status.reason
        wait(lambda: world.store.text("alice/new.txt") == "written while the site was away", "sent to the second site")
        assert world.run(f"print(open('{plan.link}/alice/welcome.txt').read())") == "hello alice"
        assert f'"Endpoint": "{second.url}"' in (plan.run / "access.json").read_text()
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    agent.wait(at(world.store.url, ""), "home again", 60)
    assert f'"Endpoint": "{world.store.url}"' in (plan.run / "access.json").read_text()


def test_an_open_file_keeps_the_folders_from_going_home(world, second, plan, wait):
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        agent = world.start_agent(plan)
        agent.wait(at(second.url, "other-site"), "begun at the second site", 60)
        ready = world.data / "homes/alice/ready"
        script = (
            f"f = open('{plan.view}/alice/welcome.txt'); open('{ready}', 'w').close(); import time; time.sleep(300)"
        )
        holder = world.start("python3", "-Sc", script, uid=world.person)
        wait(ready.exists, "a program has a file open")
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    first = agent.status().folders[0].checked_at
    agent.wait(
        lambda status: (status.folders[0].checked_at - first).total_seconds() > 3, "the first site is back for long", 60
    )
    assert agent.status().endpoint == second.url
    holder.kill()
    agent.wait(at(world.store.url, ""), "home when the file is closed", 60)


def test_with_every_site_away_nothing_moves(world, second, plan):
    agent = world.start_agent(plan)
    agent.wait(at(world.store.url, ""), "at the first site")
    second.stop()
    os.kill(world.store.pid, signal.SIGSTOP)
    try:
        status = agent.wait(lambda status: all(one.state == "down" for one in status.folders), "down", 60)
        assert (status.endpoint, status.code) == (world.store.url, "store-silent")
    finally:
        os.kill(world.store.pid, signal.SIGCONT)
    status = agent.wait(at(world.store.url, ""), "back", 60)
    assert [one.restarts for one in status.folders] == [0, 0, 0]
