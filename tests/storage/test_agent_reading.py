"""A read after an overwrite through the mount gives the new content, whatever the agent, the cache and the uploads do meanwhile."""

from __future__ import annotations

import os

import pytest
from naas_storage.agent.engine import find_rclone

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

SECONDS = float(os.environ.get("NAAS_READ_AFTER_WRITE_SECONDS", "8"))
"""For a long look: NAAS_READ_AFTER_WRITE_SECONDS=600."""

DIR_CACHE = os.environ.get("NAAS_READ_AFTER_WRITE_DIR_CACHE", "")

OVERWRITER = """
import os, random, time
os.chdir('{view}')
end, count, wrong, errors = time.monotonic() + {seconds}, 0, [], []
while time.monotonic() < end:
    count += 1
    name, want = f'f{{count % 7}}', str(count) + 'x' * random.choice((0, 1, 5000))
    if count % 3 == 0:
        try:
            with open('.new', 'w') as file: file.write(want)
            os.replace('.new', name)
        except OSError as error:
            errors.append((count, name, str(error)))
            continue
    else:
        with open(name, 'w') as file: file.write(want)
    for pause in (0, random.choice((0, 0.01, 0.1, 0.13, 0.2))):
        time.sleep(pause)
        try:
            with open(name) as file: got = file.read()
            if got != want: wrong.append((count, name, 'read', got[:12], want[:12]))
            size = os.stat(name).st_size
            if size != len(want): wrong.append((count, name, 'size', size, len(want)))
        except OSError as error:
            wrong.append((count, name, 'error', str(error)))
    if random.random() < 0.2: os.listdir('.')
print('enough' if count > {seconds} / 2 else count, (wrong + errors)[:9], sep='|')
"""


def test_a_read_after_an_overwrite_is_never_old(world):
    """Checks each 100 ms, and the cache keeps nothing that is sent: neither may bring back an old listing or old content.

    With listings that expire within 50 ms (NAAS_READ_AFTER_WRITE_DIR_CACHE=50ms) rclone 1.75.2 itself fails here: a listing begun
    before an upload ended, and applied after it, gives a file its old object. With a minute that is one chance a minute.
    """
    plan = world.plan(world.publish(), cache_bytes=1)
    if DIR_CACHE:
        plan.rclone = world.data / "hasty-rclone"
        plan.rclone.write_text(
            f'#!/bin/sh\n[ "$1" = version ] && exec {find_rclone()} version\n'
            f'exec {find_rclone()} "$@" --dir-cache-time {DIR_CACHE}\n'
        )
        plan.rclone.chmod(0o755)
    plan.timings.check = 0.1
    agent = world.start_agent(plan)
    agent.mounted()
    said = world.run(OVERWRITER.format(view=plan.view / "alice", seconds=SECONDS), limit=SECONDS + 90)
    assert said == "enough|[]"
