"""The agent against the embedded store: temporary credentials that really end, and rules that really refuse."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from naas_client.models import Folder

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def sessions(sessions):
    sessions.store.make_bucket("alice")
    return sessions


def test_a_large_file_goes_in_parts_and_comes_back(sessions):
    agent = sessions.start_agent(sessions.plan(sessions.publish()))
    agent.mounted()
    path = agent.plan.view / "alice/large.bin"
    script = f"""
import hashlib, os
data = os.urandom(1 << 20) * 40
open('{path}', 'wb').write(data)
print(hashlib.sha256(data).hexdigest())
"""
    digest = sessions.run(script)
    assert asyncio.run(agent.client.drain(30)).uploads_total == 0
    assert hashlib.sha256((sessions.store.data / "alice/large.bin").read_bytes()).hexdigest() == digest
    assert sessions.run(f"import hashlib; print(hashlib.sha256(open('{path}', 'rb').read()).hexdigest())") == digest


def test_work_goes_on_over_many_renewals(sessions):
    """Sessions of 15 s, renewed each 4 s; one file is held open, others are written, read and listed, for 20 s."""
    sessions.store.seconds = 15
    agent = sessions.start_agent(sessions.plan(sessions.publish()))
    agent.mounted()
    script = f"""
import os, time
os.chdir('{agent.plan.view}/alice')
held = open('held', 'w')
end, count, first = time.monotonic() + 20, 0, None
while time.monotonic() < end:
    name = f'f{{count % 50}}'
    open(name, 'w').write(str(count)); os.listdir('.')
    got = open(name).read(); assert got == str(count), (count, got, os.stat(name))
    held.write('x'); count += 1; time.sleep(0.1)
held.close(); print(count > 50)
"""
    assert sessions.run(script, limit=60) == "True"
    assert len(sessions.gateway.asked) >= 5
    assert asyncio.run(agent.client.drain(20)).uploads_total == 0
    status = agent.mounted()
    assert [one.restarts for one in status.folders] == [0, 0, 0]


def test_a_refused_upload_is_named_and_kept(sessions):
    """A folder that the plan calls writable, but the store does not: the write reaches the cache only, and people are told."""
    folders = [Folder(name="alice", bucket="alice"), Folder(name="wrong", bucket="scratch", prefix="bob")]
    agent = sessions.start_agent(sessions.plan(sessions.publish(folders=folders), folders=folders))
    agent.mounted()
    assert sessions.run(f"open('{agent.plan.view}/wrong/mine.txt', 'w').write('kept')") == ""
    status = agent.wait(lambda status: [one.state for one in status.uploads] == ["failed"], "failed", 30)
    upload = status.uploads[0]
    assert (upload.folder, upload.name, upload.size) == ("wrong", "mine.txt", 4)
    assert upload.tries >= 1
    assert upload.error == (
        "mine.txt is not saved to the bucket: the store refused it. Your file is kept on this server; "
        "move it to a folder that is yours, or ask whoever runs this service."
    )
    left = asyncio.run(agent.client.drain(1))
    assert [one.name for one in left.uploads] == ["mine.txt"]
    assert (agent.plan.cache / "wrong/vfs/s3/scratch/bob/mine.txt").read_text() == "kept"


def test_a_bucket_that_is_not_there_is_said(sessions):
    folders = [Folder(name="alice", bucket="nobody-made-this")]
    agent = sessions.start_agent(sessions.plan(sessions.publish(folders=folders), folders=folders))
    status = agent.wait(
        lambda status: status.state == "degraded" and status.folders[0].state in ("down", "refused"), "said"
    )
    assert status.reason.startswith("alice: The ")
