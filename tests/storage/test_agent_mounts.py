"""A person's folders: mounted, written, watched, taken away. The person has no capability and no new privilege."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from naas_client.models import Folder

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def agent(world):
    plan = world.plan(world.publish())
    agent = world.start_agent(plan)
    agent.mounted()
    return agent


def test_the_person_has_no_privilege(world, agent):
    said = world.run(
        "print([l.split()[1] for l in open('/proc/self/status') if l[:6] in ('CapEff', 'CapBnd', 'NoNewP')])"
    )
    assert said == f"['{0:016x}', '{0:016x}', '1']"


def test_folders_are_read_and_written_as_files(world, agent, wait):
    home = agent.plan.link
    assert world.run(f"print(open('{home}/alice/welcome.txt').read())") == "hello alice"
    assert world.run(f"open('{home}/alice/new.txt', 'w').write('mine'); print('done')") == "done"
    wait(lambda: world.store.text("alice/new.txt") == "mine", "the file is in the bucket")


@pytest.mark.parametrize(
    ("action", "script", "path", "content"),
    [
        pytest.param(
            "save a notebook",
            "open('.~n', 'w').write('v2'); fd = os.open('.~n', os.O_RDWR); os.fsync(fd); os.close(fd); os.replace('.~n', 'n.ipynb')",
            "alice/n.ipynb",
            "v2",
        ),
        pytest.param("append", "open('log', 'a').write('1\\n'); open('log', 'a').write('2\\n')", "alice/log", "1\n2\n"),
        pytest.param(
            "rename a folder",
            "os.makedirs('a/b'); open('a/b/f', 'w').write('x'); os.rename('a', 'c')",
            "alice/c/b/f",
            "x",
        ),
        pytest.param(
            "change the middle",
            "open('m', 'wb').write(b'000'); f = open('m', 'r+b'); f.seek(1); f.write(b'X')",
            "alice/m",
            "0X0",
        ),
        pytest.param(
            "use one's own part of scratch", "open('../scratch-alice/s', 'w').write('s')", "scratch/alice/s", "s"
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) and len(value) < 30 and " " in value else "",
)
def test_programs_find_what_they_expect_of_a_folder(world, agent, wait, action, script, path, content):
    assert world.run(f"import os; os.chdir('{agent.plan.view}/alice'); {script}") == ""
    wait(lambda: world.store.text(path) == content, f"{action}: in the store")


def test_scratch_is_read_only_in_the_kernel(world, agent):
    scratch = agent.plan.view / "scratch"
    assert world.run(f"print(open('{scratch}/bob/from-bob.txt').read())") == "bob's words"
    assert "Read-only file system" in world.run(f"open('{scratch}/bob/x', 'w')")
    assert "Read-only file system" in world.run(f"import os; os.unlink('{scratch}/bob/from-bob.txt')")


def test_nobody_else_gets_in_not_even_root(world, agent):
    for uid in (39001, 0):
        assert "Permission denied" in world.run(f"import os; os.listdir('{agent.plan.view}/alice')", uid=uid)
    assert "Permission denied" in world.run(f"import os; os.listdir('{agent.plan.view}')", uid=39001)


def test_the_kernel_reads_four_mebibytes_ahead(world, agent):
    script = (
        f"d = next(l.split()[2] for l in open('/proc/self/mountinfo') if l.split()[4] == '{agent.plan.view}/alice'); "
        "print(open(f'/sys/class/bdi/{d}/read_ahead_kb').read())"
    )
    assert world.run(script) == "4096"


def test_mounts_are_nosuid_nodev_and_private_to_the_person(world, agent):
    lines = world.run("print(open('/proc/self/mountinfo').read())", uid=0).splitlines()
    fuse = [line for line in lines if str(agent.plan.view) in line and "fuse.rclone" in line]
    assert len(fuse) == 3
    for line in fuse:
        assert {"nosuid", "nodev"} < set(line.split()[5].split(","))
        assert "user_id=39000,group_id=39000,default_permissions" in line
        assert "allow_other" not in line


def test_status_says_what_is_mounted_and_until_when(agent):
    status = agent.mounted()
    assert [(one.name, one.state, one.read_only, one.path) for one in status.folders] == [
        (name, "ok", read_only, str(agent.plan.link / name))
        for name, read_only in (("alice", False), ("scratch", True), ("scratch-alice", False))
    ]
    assert status.mode == "helper"
    assert status.engine.startswith("rclone v1.")
    assert status.credentials_expire_at is not None
    assert all(one.checked_at is not None for one in status.folders)


def test_a_folder_is_looked_at_again_and_again(agent):
    first = agent.mounted().folders[0].checked_at
    agent.wait(lambda status: status.folders[0].checked_at > first, "a later look")


def test_no_token_and_no_key_where_others_could_read_them(world, agent):
    for pid in agent.engines().values():
        for name in ("environ", "cmdline"):
            said = world.run(f"print(open('/proc/{pid}/{name}', 'rb').read())")
            assert "cache-dir" in said or "AWS_PROFILE" in said
            assert "the-hub-token-of-alice" not in said
            assert "alice-secret-access-key" not in said
    files = [path for path in agent.plan.run.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.stat().st_mode & 0o077]
    assert "the-hub-token-of-alice" not in agent.log() + "".join(p.read_text(errors="replace") for p in files)
    assert agent.plan.socket.stat().st_mode & 0o777 == 0o600


def test_stop_drains_unmounts_and_leaves_nothing(world, agent, wait):
    world.run(f"open('{agent.plan.view}/alice/last.bin', 'wb').write(bytes(3_000_000))")
    engines = agent.engines()
    status = asyncio.run(agent.client.stop())
    assert (status.state, status.uploads_total) == ("stopped", 0)
    assert agent.process.wait(10) == 0
    assert (world.store.data / "alice/last.bin").stat().st_size == 3_000_000
    assert not [pid for pid in engines.values() if Path(f"/proc/{pid}").exists()]
    assert not [point for point in world.mount_points() if point.endswith("/alice/s3/alice")]
    assert "Read-only file system" in world.run(f"open('{agent.plan.link}/alice/x', 'w')")
    world.unpublish()
    assert [point for point in world.mount_points() if "/alice/" in point] == []
    assert not (world.data / "run/mounts/alice").exists()


def test_sigterm_ends_it_the_same_way(world, agent):
    world.run(f"open('{agent.plan.view}/alice/last.txt', 'w').write('sent')")
    assert agent.end() == 0
    assert world.store.text("alice/last.txt") == "sent"
    assert not agent.plan.socket.exists()


def test_watchers_are_told_of_changes(world, agent):
    async def watch() -> list[str]:
        seen = []
        watcher = agent.client.watch()
        async for status in watcher:
            seen.append(next(one.state for one in status.folders if one.name == "alice"))
            if len(seen) == 1:
                os.kill(agent.engines()["alice"], 9)
            if seen[-1] == "ok" and "reconnecting" in seen:
                await watcher.aclose()
                return seen
        return seen

    assert asyncio.run(asyncio.wait_for(watch(), 60))[0] == "ok"


def test_a_plan_without_folders_says_why(world):
    plan = world.plan(None, folders=[], endpoint="", degraded="Storage opens to users/s3.", code="no-group", link=None)
    agent = world.start_agent(plan)
    status = agent.wait(lambda _: True, "an answer")
    assert (status.state, status.reason, status.code) == ("degraded", "Storage opens to users/s3.", "no-group")
    assert agent.end() == 0


def test_a_home_with_a_folder_of_that_name_is_not_touched(world):
    plan = world.plan(world.publish())
    (plan.link / "mine").mkdir(parents=True)
    agent = world.start_agent(plan)
    status = agent.wait(lambda status: status.code == "link-taken", "the cause")
    assert status.state == "degraded"
    assert "Rename it" in status.reason
    assert (plan.link / "mine").is_dir()


@pytest.mark.parametrize(
    "plan", ["", "{}", "[]", '{"key": "alice"}'], ids=["empty", "nothing-in-it", "a-list", "incomplete"]
)
def test_a_bad_plan_is_refused(world, plan):
    run = world.owned(world.data / "servers" / "alice")
    (run / "plan.json").write_text(plan)
    process = world.start(sys.executable, "-m", "naas_storage.agent", str(run / "plan.json"), log="agent.log")
    assert process.wait(20) == 2
    assert "the plan cannot be read" in json.loads((world.data / "agent.log").read_text().splitlines()[-1])["message"]


def test_folders_may_be_named_only_so(world):
    with pytest.raises(ValueError, match="lower-case"):
        world.plan(None, folders=[Folder(name="../x", bucket="alice")])


def test_a_folder_that_cannot_be_shared_is_shown_and_disturbs_no_other(world):
    why = "The bucket taken-data belongs to somebody else in the object store."
    plan = world.plan(world.publish())
    plan.folders.append(Folder(name="taken", bucket="taken-data", trouble=why))
    agent = world.start_agent(plan)
    agent.mounted()
    status = agent.status()
    assert (status.code, status.reason) == ("not-shared", f"taken: {why}")
    (taken,) = (folder for folder in status.folders if folder.name == "taken")
    assert (taken.state, taken.reason) == ("down", why)
    assert world.run(f"import os; print(sorted(os.listdir('{plan.link}')))") == "['alice', 'scratch', 'scratch-alice']"
