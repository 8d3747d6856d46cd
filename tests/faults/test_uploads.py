"""Files and names that are not as one wishes: empty, big, taken away while they are sent, over the quota, unspeakable."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from fault_sites import as_alice
from fault_stage import BUCKET, FULL, LIMIT, Stage, on

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

MEBIBYTE = 2**20
BIG = 5 * 2**30 if FULL else 300 * MEBIBYTE

STRANGE = {
    "plain.txt": b"plain",
    "folder/inside.txt": b"inside",
    "ünï códe 漢字 🎉.txt": b"unicode",
    "new\nline.txt": b"newline",
    "tab\tand\x7fdel": b"control",
    "back\\slash": b"backslash",
    "quote'\"`$(x).txt": b"quotes",
    "e\u0301 combined": b"combining",
    "long/" + "/".join(["d" * 100] * 10): b"1014 bytes in folders",
    "n" * 1024: b"1024 bytes in one name",
}
"""Keys that a folder can show."""

UNREACHABLE = {
    "a//b": b"two slashes",
    "//": b"nothing but slashes",
    "/leading": b"leading slash",
    "marker/": b"",
    "trailing/": b"content below a slash",
    "../up": b"above",
    "a/./b": b"dot",
    "a/../b": b"dots",
}
"""Keys that are no paths: the rest must be there in spite of them."""


def shown(key: str) -> str:
    """A key as the folder shows it: control characters as their pictures (Unicode block 2400)."""
    return "".join(chr(0x2400 + ord(sign)) if sign < " " else sign.replace("\x7f", "\u2421") for sign in key)


@on("embedded", "ceph")
def test_empty_and_big_files(stage: Stage):
    agent = stage.agent()
    empty = stage.program(agent, prefix="empty", count=3, size=0)
    big = stage.program(agent, prefix="big", count=1, size=BIG)
    empty.finish()
    big.finish()
    stage.all_saved(agent)
    assert sorted(stage.saved()) == ["big00000", "empty00000", "empty00001", "empty00002"]
    if not FULL:
        stage.read_back(agent)


def test_a_file_that_is_removed_while_it_is_sent(stage: Stage):
    """It is not sent to the end and not named any more; the others are, and nothing of it stays in the bucket."""
    agent = stage.agent()
    stage.proxy.rate = MEBIBYTE
    big = stage.program(agent, prefix="big", count=1, size=40 * MEBIBYTE)
    big.finish()
    agent.wait(lambda status: [one.state for one in status.uploads] == ["uploading"], "it is being sent", LIMIT)
    stage.world.run(f"import os; os.remove('{agent.plan.view}/alice/big00000')")
    agent.wait(lambda status: status.uploads_total == 0, "not named any more", LIMIT)
    stage.proxy.rate = 0
    stage.program(agent, prefix="after", count=3, size=1000).finish()
    stage.ledgers.remove(big)
    assert sorted(stage.all_saved(agent)) == ["after00000", "after00001", "after00002"]
    assert agent.status().folders[0].restarts == 0
    uploads = as_alice(stage.site).list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert not uploads


@on("embedded", "ceph")
def test_names_that_are_no_paths_do_not_hide_the_others(stage: Stage):
    """Keys made by other programs: what can be a path is listed and read, the rest breaks nothing."""
    client = as_alice(stage.site)
    for key, body in {**STRANGE, **UNREACHABLE}.items():
        with contextlib.suppress(
            client.exceptions.ClientError
        ):  # the embedded store takes none that cannot be a file's
            client.put_object(Bucket=BUCKET, Key=key, Body=body)
    taken = set(stage.objects())
    assert len(taken) >= 7
    agent = stage.agent()
    script = f"""
import json, os
top, found = '{agent.plan.view}/alice', {{}}
for folder, _, files in os.walk(top, onerror=lambda error: print('cannot list', error)):
    for name in files:
        path = os.path.join(folder, name)
        try: found[os.path.relpath(path, top)] = open(path, 'rb').read().decode()
        except OSError as error: found[os.path.relpath(path, top)] = str(error)
print(json.dumps(found))
"""
    seen = json.loads(stage.world.run(script, limit=LIMIT).splitlines()[-1])
    there = {shown(key): body.decode() for key, body in STRANGE.items() if key in taken}
    assert {name: seen.get(name) for name in there} == there
    stage.program(agent, prefix="after", count=3, size=1000).finish()
    assert asyncio.run(agent.client.drain(LIMIT)).uploads_total == 0
    objects = stage.objects()
    assert taken <= set(objects)
    assert {name: objects[name] for name in stage.saved()} == stage.saved()
    assert agent.mounted().folders[0].restarts == 0


@on("ceph")
def test_a_quota_that_is_exceeded_already(stage: Stage):
    """Within 10 s the file is named with cause and remedy; it is sent once there is room."""
    admin = stage.site.store
    client = as_alice(stage.site)
    client.put_object(Bucket=BUCKET, Key="old", Body=bytes(2 * MEBIBYTE))
    admin.radosgw_admin("quota", "set", "--quota-scope=bucket", f"--bucket={BUCKET}", f"--max-size={MEBIBYTE}")
    admin.radosgw_admin("quota", "enable", "--quota-scope=bucket", f"--bucket={BUCKET}")
    try:
        agent = stage.agent()
        writing = stage.program(agent, prefix="over", count=1, size=100_000)
        writing.finish()
        status = agent.wait(lambda status: [one.state for one in status.uploads] == ["failed"], "it is told", LIMIT)
        assert status.uploads[0].name == "over00000"
        assert status.uploads[0].error == (
            "over00000 is not saved to the bucket: it is full. Your file is kept on this server; make room and it is sent."
        )
        stage.named(agent, writing)
        assert stage.objects({"over00000"}) == {}
    finally:
        admin.radosgw_admin("quota", "disable", "--quota-scope=bucket", f"--bucket={BUCKET}")
    client.delete_object(Bucket=BUCKET, Key="old")
    stage.all_saved(agent)
