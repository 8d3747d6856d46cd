"""A file is removed or renamed in the moment it is being sent: the store may have it already, and it must not come back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import Any

import pytest
from fault_sites import as_alice
from fault_stage import BUCKET, LIMIT, Stage, on
from naas_storage.agent import rc
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

LATE = 60.0
"""Seconds, longer than any of these tests takes before it lets the answer come."""
NOTHING_MORE = 4.0
"""Seconds within which the agent looks three times."""


def taken(stage: Stage, agent: Any, *folder: str, **options: Any) -> str:
    """A file that the store has, while rclone does not know that yet; its name."""
    stage.proxy.late = LATE
    before = stage.proxy.taken
    given = {"count": 1, "size": 20_000, "prefix": "was", **options}
    stage.program(agent, **given, **({"folder": f"{agent.plan.view}/alice/{folder[0]}"} if folder else {})).finish()
    wait_for(lambda: stage.proxy.taken > before, "the store has it")
    return "/".join([*folder, f"{given['prefix']}00000"])


def change(stage: Stage, agent: Any, script: str) -> None:
    """Something that a program does in the folder."""
    stage.world.run(f"import os, pathlib, shutil; os.chdir('{agent.plan.view}/alice'); {script}", limit=LIMIT)


def listed(stage: Stage, agent: Any) -> list[str]:
    """What the folder shows, listed by rclone anew."""
    asyncio.run(_forget(agent))
    script = f"""
import os
top = '{agent.plan.view}/alice'
for folder, _, files in os.walk(top):
    for name in files: print(os.path.relpath(os.path.join(folder, name), top))
"""
    return sorted(stage.world.run(script, limit=LIMIT).split())


async def _forget(agent: Any) -> None:
    await rc.call(agent.plan.run / "alice.rc", "vfs/forget", 10)


def keys(stage: Stage) -> set[str]:
    """What is in the store, while that still changes."""
    return {entry["Key"] for entry in as_alice(stage.site).list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def drained(stage: Stage, agent: Any) -> dict[str, str]:
    """After a drain: MD5 by key; the folder shows the same names."""
    stage.proxy.well()
    assert not asyncio.run(agent.client.drain(LIMIT)).uploads_total
    objects = stage.objects()
    assert listed(stage, agent) == sorted(objects)
    assert agent.status().folders[0].restarts == 0
    return objects


@on("embedded", "ceph")
def test_removed_when_the_store_has_it(stage: Stage) -> None:
    agent = stage.agent()
    name = taken(stage, agent)
    assert name in stage.objects()
    change(stage, agent, f"os.remove('{name}')")
    assert drained(stage, agent) == {}


@on("embedded", "ceph")
def test_removed_and_the_store_finishes_it_later(stage: Stage) -> None:
    """The upload lies in the network, is given up, and arrives all the same."""
    agent = stage.agent()
    stage.proxy.linger = 3.0
    stage.program(agent, prefix="was", count=1, size=20_000).finish()
    wait_for(lambda: stage.proxy.lying, "it lies in the network")
    change(stage, agent, "os.remove('was00000')")
    wait_for(lambda: stage.proxy.taken, "it arrives")
    wait_for(lambda: not stage.objects(), "it is taken back", LIMIT)
    assert drained(stage, agent) == {}


def test_a_folder_removed_when_the_store_has_a_file_of_it(stage: Stage) -> None:
    agent = stage.agent()
    change(stage, agent, "os.makedirs('one/two')")
    taken(stage, agent, "one/two")
    change(stage, agent, "shutil.rmtree('one')")
    assert drained(stage, agent) == {}


@on("embedded", "ceph")
@pytest.mark.parametrize("folder", [(), ("one",)], ids=["a-file", "its-folder"])
def test_renamed_when_the_store_has_it(stage: Stage, folder: tuple[str, ...]) -> None:
    """Only the new name is left, with the right bytes."""
    agent = stage.agent()
    change(stage, agent, "os.mkdir('one')")
    name = taken(stage, agent, *folder)
    [md5] = stage.ledgers[0].saved().values()
    now = name.replace("one", "two") if folder else "is00000"
    change(stage, agent, f"os.rename({(folder or (name,))[0]!r}, {now.split('/')[0]!r})")
    assert drained(stage, agent) == {now: md5}


def test_removed_and_written_anew(stage: Stage) -> None:
    """The new file stays, before and after the old one is looked after."""
    agent = stage.agent()
    name = taken(stage, agent)
    change(stage, agent, f"os.remove('{name}')")
    stage.proxy.late = 0
    new = stage.program(agent, prefix="was", count=1, size=30_000)
    new.finish()
    assert drained(stage, agent) == new.saved()
    stage.while_it_lasts(NOTHING_MORE, lambda: stage.objects() == new.saved())


def test_written_over_then_removed(stage: Stage) -> None:
    """The first upload is broken off by a second write, which is removed before it is sent."""
    agent = stage.agent()
    name = taken(stage, agent)
    change(stage, agent, f"pathlib.Path('{name}').open('ab').write(b'more'); os.remove('{name}')")
    assert drained(stage, agent) == {}


def test_removed_and_another_client_wrote_that_name(stage: Stage) -> None:
    """What somebody else wrote is not ours to take away."""
    agent = stage.agent()
    name = taken(stage, agent)
    change(stage, agent, f"os.remove('{name}')")
    as_alice(stage.site).put_object(Bucket=BUCKET, Key=name, Body=b"from elsewhere")
    kept = {name: hashlib.md5(b"from elsewhere").hexdigest()}
    assert drained(stage, agent) == kept
    stage.while_it_lasts(NOTHING_MORE, lambda: stage.objects() == kept)


def test_renamed_there_and_back(stage: Stage) -> None:
    agent = stage.agent()
    name = taken(stage, agent)
    saved = stage.ledgers[0].saved()
    change(stage, agent, f"os.rename('{name}', 'is00000'); os.rename('is00000', '{name}')")
    assert drained(stage, agent) == saved
    stage.while_it_lasts(NOTHING_MORE, lambda: stage.objects() == saved)


@on("ceph")
def test_removed_in_a_bucket_with_versions(stage: Stage) -> None:
    """Older versions, and those of other files, stay."""
    client = as_alice(stage.site)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        old = [client.put_object(Bucket=BUCKET, Key=key, Body=b"old")["VersionId"] for key in ("was00000", "other")]
        agent = stage.agent()
        name = taken(stage, agent)
        change(stage, agent, f"os.remove('{name}')")
        assert set(drained(stage, agent)) == {"other"}
        kept = [one["VersionId"] for one in client.list_object_versions(Bucket=BUCKET)["Versions"]]
        assert set(old) <= set(kept)
    finally:
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        found = client.list_object_versions(Bucket=BUCKET)
        for one in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            client.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])


@on("embedded", "ceph")
def test_removed_and_renamed_at_any_moment(stage: Stage) -> None:
    """Many files, each changed about when its upload begins or ends: only the names that are left are in the bucket."""
    agent = stage.agent()
    stage.proxy.late = 0.03
    seed = int(os.environ.get("NAAS_SEED") or time.time_ns())
    print(f"NAAS_SEED={seed}")  # pytest shows it when this fails; set, the pauses are the same again
    script = """
for number in range(60):
    name = f'f{number:03d}'
    pathlib.Path(name).write_bytes(os.urandom(5000))
    time.sleep(random.uniform(0.09, 0.2))
    if number % 3 == 0: os.remove(name)
    if number % 3 == 1: os.rename(name, f'new{number:03d}')
"""
    change(stage, agent, f"import random, time; random.seed({seed})\n{script}")
    expected = {f"f{number:03d}" for number in range(60) if number % 3 == 2}
    expected |= {f"new{number:03d}" for number in range(60) if number % 3 == 1}
    assert set(drained(stage, agent)) == expected


def test_removed_after_a_try_of_which_nobody_knows_the_end(stage: Stage) -> None:
    """The connection breaks when the store has every byte; the file is removed before a later try ends well."""
    agent = stage.agent()
    name = taken(stage, agent)
    stage.proxy.stop()
    agent.wait(lambda status: [one.tries > 0 for one in status.uploads] == [True], "a try has failed", LIMIT)
    change(stage, agent, f"os.remove('{name}')")
    assert drained(stage, agent) == {}


@on("embedded", "ceph")
def test_a_link_in_the_place_of_the_folder_leads_nowhere(stage: Stage) -> None:
    """As programs do with `latest`: what the link leads to has a file of the same name, and keeps it."""
    agent = stage.agent()
    change(stage, agent, "os.mkdir('latest'); os.mkdir('run42'); pathlib.Path('run42/was00000').write_text('kept')")
    kept = drained(stage, agent)
    assert list(kept) == ["run42/was00000"]
    name = taken(stage, agent, "latest")
    change(stage, agent, "shutil.rmtree('latest'); os.symlink('run42', 'latest')")
    stage.proxy.well()
    wait_for(lambda: {name, "run42/was00000"} - keys(stage), "an object is taken back")
    asyncio.run(agent.client.drain(LIMIT))
    objects = stage.objects()
    assert sorted(objects) == ["latest.rclonelink", "run42/was00000"]
    assert objects["run42/was00000"] == kept["run42/was00000"]


@on("embedded", "ceph")
def test_a_link_in_the_place_of_the_file_stays(stage: Stage) -> None:
    agent = stage.agent()
    name = taken(stage, agent)
    change(stage, agent, f"os.remove('{name}'); os.symlink('elsewhere', '{name}')")
    stage.proxy.well()
    wait_for(lambda: name not in keys(stage), "the object is taken back")
    asyncio.run(agent.client.drain(LIMIT))
    assert list(stage.objects()) == [f"{name}.rclonelink"]
