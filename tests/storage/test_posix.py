"""What a folder of the cloud can do as a file system, and what it cannot: one program a row, run by a person on a real mount.

After each program every file it left is compared with the object in the store. `docs/reference/posix.md` tells people the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import posix_programs
import pytest
from ceph import personal_role
from naas_client.models import Folder
from naas_local.ceph import CephStore
from naas_local.store import embedded_store
from s3_people import assume_role, s3_client
from storage_world import AgentProcess, Gateway, SessionStore, World
from token_issuer import TokenIssuer

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

QUOTA = 200 * 2**30
PROGRAM_LIMIT = 120
"""Seconds for one program; on an idle machine the slowest, git, needs three."""
WORKS = [
    "save_a_notebook",
    "append",
    "write_in_the_middle",
    "truncate_an_open_file",
    "truncate_by_opening",
    "sqlite_with_rollback_journal",
    "sqlite_with_write_ahead_log",
    "write_through_a_memory_map",
    "numpy_memmap",
    "rename_a_folder",
    "lock",
    "set_the_time",
    "make_an_empty_folder",
    "reserve_space",
    "hdf5",
    "parquet",
    "symbolic_link",
    "git",
    "pip_install_into_a_folder",
    "change_the_mode",
]
REMOVES = {
    "save_a_notebook",
    "sqlite_with_rollback_journal",
    "sqlite_with_write_ahead_log",
    "rename_a_folder",
    "git",
    "pip_install_into_a_folder",
}
"""They remove or rename files at once. A file that is on its way to the store just then may leave its old name there: rclone gives up
the upload, which the store may have taken already."""
FAILS = {
    "truncate_before_it_is_sent": "OSError: [Errno 5] Input/output error: 'data",
    "hard_link": "OSError: [Errno 95] Operation not supported: 'file' -> 'other'",
    "read_after_unlink": "FileNotFoundError: [Errno 2] No such file or directory",
    "named_pipe": "OSError: [Errno 5] Input/output error",
}
INVENTORY = """
import hashlib, json, os
found = {}
for folder, folders, files in os.walk('.'):
    for name in [*files, *folders]:
        path = os.path.relpath(os.path.join(folder, name))
        if os.path.islink(path):
            found[path + '.rclonelink'] = hashlib.md5(os.readlink(path).encode()).hexdigest()
        elif name in files:
            found[path] = hashlib.md5(open(path, 'rb').read()).hexdigest()
print(json.dumps(found))
"""


@dataclass
class Mounted:
    """A mounted bucket, and the bucket without the mount."""

    agent: AgentProcess
    store: Any

    def run(self, folder: str, script: str) -> str:
        """What a person's Python script prints in a folder of the mount, which is made when it is not there."""
        place = str(self.agent.plan.view / "alice" / folder)
        start = f"import os, sys\nos.makedirs({place!r}, exist_ok=True)\nos.chdir({place!r})\n"
        support = f"sys.path.insert(0, {str(Path(posix_programs.__file__).parent)!r})\n"
        return self.agent.world.run(start + support + script, limit=PROGRAM_LIMIT)

    def program(self, name: str) -> str:
        """The last line of what a program prints: nothing, or the error it ended with."""
        said = self.run(name, f"import posix_programs\nposix_programs.{name}()")
        return said.splitlines()[-1] if said else ""

    def compared(self, folder: str) -> tuple[list[str], list[str]]:
        """After everything was sent: files whose object is missing or another, and objects without a file."""
        assert asyncio.run(self.agent.client.drain(PROGRAM_LIMIT)).uploads_total == 0
        files = json.loads(self.run(folder, INVENTORY))
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket="alice", Prefix=f"{folder}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        objects = {key.removeprefix(f"{folder}/"): self._digest(key) for key in keys}
        wrong = [name for name, digest in files.items() if objects.get(name) != digest]
        return sorted(wrong), sorted(objects.keys() - files.keys())

    def _digest(self, key: str) -> str:
        return hashlib.md5(self.store.get_object(Bucket="alice", Key=key)["Body"].read()).hexdigest()


@contextlib.contextmanager
def embedded_world(data: Path, namespace: int) -> Iterator[tuple[World, Any]]:
    """The embedded store, and its bucket of alice."""
    with TokenIssuer().running() as issuer, embedded_store(data, issuer.url) as embedded:
        store = SessionStore(embedded, issuer)
        client = s3_client(store.url, assume_role(store.url, issuer.token("alice"), embedded.role_arn))
        client.create_bucket(Bucket="alice")
        yield World(data, store, Gateway(store.url, store.session), namespace), client


@contextlib.contextmanager
def ceph_world(data: Path, namespace: int, cluster: CephStore) -> Iterator[tuple[World, Any]]:
    """The bucket of alice on Ceph, opened by a role of hers."""
    with TokenIssuer().running() as issuer:
        role = personal_role(cluster, f"{issuer.url}/", "alice")
        cluster.client().create_bucket(Bucket="alice")

        def session() -> dict[str, str]:
            found = assume_role(cluster.url, issuer.token("alice"), role)
            names = {"access_key_id": "AccessKeyId", "secret_access_key": "SecretAccessKey"}
            given = {name: found[key] for name, key in {**names, "session_token": "SessionToken"}.items()}
            return {**given, "expires_at": found["Expiration"].isoformat()}

        client = s3_client(cluster.url, assume_role(cluster.url, issuer.token("alice"), role))
        yield World(data, cluster, Gateway(cluster.url, session), namespace), client


@pytest.fixture(scope="module", params=["embedded", "ceph"])
def mounted(request: pytest.FixtureRequest, namespace: int, root_folder: Path) -> Iterator[Mounted]:
    """One mount for all rows on a store; each row has a folder of its own."""
    data = Path(tempfile.mkdtemp(dir=root_folder))
    data.chmod(0o711)
    (data / "run").mkdir(mode=0o711)
    with contextlib.ExitStack() as stack:
        if request.param == "ceph":
            world, client = stack.enter_context(ceph_world(data, namespace, request.getfixturevalue("ceph")))
        else:
            world, client = stack.enter_context(embedded_world(data, namespace))
        stack.callback(world.gateway.close)
        stack.callback(world.close)
        world.start_helper()
        folders = [Folder(name="alice", bucket="alice")]
        provider = "Ceph" if request.param == "ceph" else "Rclone"
        plan = world.plan(world.publish(folders=folders), folders=folders, quota_bytes=QUOTA, provider=provider)
        agent = world.start_agent(plan)
        agent.mounted()
        yield Mounted(agent, client)


@pytest.mark.parametrize("program", WORKS)
def test_programs_that_work(mounted, program):
    assert mounted.program(program) == ""
    wrong, without_file = mounted.compared(program)
    assert wrong == []
    assert program in REMOVES or without_file == []


@pytest.mark.parametrize("program", FAILS)
def test_programs_that_get_an_error(mounted, program):
    assert mounted.program(program).startswith(FAILS[program])
    assert mounted.compared(program)[0] == []


def test_a_folder_is_renamed_in_the_bucket(mounted):
    make = "os.makedirs('old/deep')\nfor name in 'abc': open(f'old/deep/{name}', 'w').write(name)"
    assert mounted.run("moved", make) == ""
    assert mounted.compared("moved") == ([], [])
    move = "import posix_programs; posix_programs.move_and_read('old', 'new', ['deep/a', 'deep/b', 'deep/c'])"
    assert mounted.run("moved", move) == ""
    assert mounted.compared("moved") == ([], [])


def test_a_path_is_truncated_once_the_file_is_sent(mounted):
    assert mounted.run("sent", "open('data', 'w').write('x' * 1000)") == ""
    assert mounted.compared("sent") == ([], [])
    assert mounted.run("sent", "os.truncate('data', 10); print(open('data').read())") == "x" * 10
    assert mounted.compared("sent") == ([], [])


def test_df_shows_the_quota_as_size(mounted):
    assert mounted.run("", "disk = os.statvfs('.'); print(disk.f_blocks * disk.f_frsize)") == str(QUOTA)


def test_after_the_mount_is_made_anew(mounted):
    """Files and links are there as they were; a folder without files never was in the bucket, and is gone."""
    make = "os.mkdir('empty'); os.symlink('file', 'link'); open('file', 'w').write('words')"
    assert mounted.run("anew", make) == ""
    assert mounted.compared("anew") == ([], [])
    agent = mounted.agent
    before = agent.status().folders[0].restarts
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    agent.wait(lambda status: status.folders[0].restarts == before + 1 and status.state == "mounted", "made anew")
    assert mounted.run("anew", "print(sorted(os.listdir('.')), open('link').read())") == "['file', 'link'] words"
    assert mounted.compared("anew") == ([], [])
