"""Where a fault happens: a store behind a fault proxy, an agent with short-lived credentials, programs that keep ledgers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fault_ledger import Ledger
from fault_proxy import FaultProxy
from fault_sites import BUCKET, SessionGateway, Site, as_alice
from naas_client.models import Folder, StorageStatus
from naas_storage.plan import Timings
from storage_world import REPOSITORY, AgentProcess, World
from waiting import wait_for

FULL = os.environ.get("NAAS_FAULTS") == "full"
"""`make faults`: real durations, big files and the agent's own timings."""
LIMIT = 600 if FULL else 60
FOLDER = [Folder(name="alice", bucket=BUCKET)]
SHORT = Timings(
    poll=0.1, hang_limit=10, check=0.3, check_limit=3, start_limit=30, retry_limit=1, drain_limit=30, lock_limit=5
)


def seconds(short: float, full: float) -> float:
    """How long a fault lasts."""
    return full if FULL else short


def on(*kinds: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a row on these stores, whatever is run."""

    def mark(row: Callable[..., None]) -> Callable[..., None]:
        row.kinds = kinds  # type: ignore[attr-defined]
        return row

    return mark


@dataclass
class Stage:
    """One world, its store behind a proxy, and what programs in it were told."""

    world: World
    site: Site
    gateway: SessionGateway
    proxy: FaultProxy
    sts: FaultProxy
    ledgers: list[Ledger] = field(default_factory=list)

    # -- actors --

    def plan(self, server: str = "alice", **changes: Any) -> Any:
        published = self.world.publish(server, changes.get("folders", FOLDER))
        timings = Timings() if FULL else SHORT
        run = self.world.owned(self.world.data / "servers" / server)
        link = self.world.owned(self.world.data / "homes" / server) / "cloud-storage"
        values = {"key": server, "folders": FOLDER, "endpoint": self.proxy.url, "provider": self.site.provider}
        places = {"run": run, "cache": run / "cache", "link": link}
        return self.world.plan(published, **{**values, **places, "timings": timings.model_copy(), **changes})

    def agent(self, server: str = "alice", **changes: Any) -> AgentProcess:
        """An agent that has mounted its folders."""
        agent = self.world.start_agent(self.plan(server, **changes))
        agent.wait(lambda status: status.state == "mounted", "mounted", LIMIT)
        return agent

    def program(self, agent: AgentProcess, shared: bool = False, **options: Any) -> Ledger:
        """A program of alice's that works in her folder and keeps a ledger; ``options`` are those of `ledger_writer`."""
        home = self.world.owned(self.world.data / "ledgers")
        path = home / f"{len(self.ledgers)}.jsonl"
        given = {"folder": str(agent.plan.view / "alice"), "ledger": str(path), **options}
        given = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
        script = str(REPOSITORY / "tests/support/ledger_writer.py")
        process = self.world.start(sys.executable, script, json.dumps(given), uid=self.world.person, log="programs.log")
        ledger = Ledger(path, process, shared)
        self.ledgers.append(ledger)
        return ledger

    def mark(self, name: str) -> Path:
        """A file that a program waits for; `touch` makes it."""
        return self.world.owned(self.world.data / "marks") / name

    def disk(self, folder: Path, size: int) -> None:
        """A disk of its own, of so many bytes, at a folder; it ends with the namespace of the tests."""
        self.world.owned(folder)
        options = f"size={size},mode=0700,uid={self.world.person},gid={self.world.person}"
        mounting = self.world.start("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
        assert mounting.wait(LIMIT) == 0

    def free(self, folder: Path) -> int:
        """Bytes that are free on the disk of a folder, as the namespace sees it."""
        return int(
            self.world.run(f"import os; found = os.statvfs({str(folder)!r}); print(found.f_bavail * found.f_bsize)")
        )

    # -- what the store has --

    def objects(self, only: set[str] | None = None) -> dict[str, str]:
        """MD5 by key of what is in the bucket, read from the store itself."""
        client = as_alice(self.site)
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for entry in page.get("Contents", []):
                if only is None or entry["Key"] in only:
                    found[entry["Key"]] = _md5(client, entry["Key"])
        return found

    def saved(self) -> dict[str, str]:
        return {name: md5 for one in self.ledgers if not one.shared for name, md5 in one.saved().items()}

    # -- what must hold --

    def accounted(self, agent: AgentProcess) -> None:
        """Everything that programs were told is saved is in the store, or the agent names it as pending. Holds during a fault."""

        def lost() -> set[str]:
            saved, status = self.saved(), agent.status()
            named = {one.name for one in status.uploads}
            assert status.uploads_total <= len(status.uploads) or len(named) == 100
            have = self.objects(set(saved) - named)
            return {name for name, md5 in saved.items() if name not in named and have.get(name) != md5}

        wait_for(lambda: not lost(), "all that is saved is in the store or named")

    def named(self, agent: AgentProcess, ledger: Ledger, limit: float = 30) -> StorageStatus:
        """While the store cannot be looked at: everything that a program saved is named as pending."""

        def all_named(status: StorageStatus) -> bool:
            return set(ledger.saved()) <= {one.name for one in status.uploads}

        return agent.wait(all_named, "all that is saved is named", limit)

    def while_it_lasts(self, length: float, holds: Callable[[], object]) -> None:
        """For the length of a fault in seconds, see again and again that something is true."""
        end = time.monotonic() + length
        while time.monotonic() < end:
            assert holds()
            time.sleep(0.1)

    def read_back(self, agent: AgentProcess) -> None:
        """Every saved file reads through the mount as it was written."""
        script = f"""
import hashlib, json, os
for name, md5 in json.loads({json.dumps(json.dumps(self.saved()))}).items():
    path = os.path.join({str(agent.plan.view / "alice")!r}, name)
    with open(path, 'rb') as file: got = hashlib.md5(file.read()).hexdigest()
    if got != md5: print(name, os.path.getsize(path))
"""
        found = self.world.run(script, limit=LIMIT)
        assert found == "", f"{found} {agent.log()}"

    def all_saved(self, *agents: AgentProcess) -> dict[str, str]:
        """After a fault: agents are well, nothing is pending, every object is as the ledgers say, and nothing else is there."""
        for agent in agents:
            agent.wait(lambda status: status.state == "mounted", "mounted", LIMIT)
            left = asyncio.run(agent.client.drain(LIMIT))
            assert not left.uploads_total, left
        saved, objects = self.saved(), self.objects()
        assert {name: objects.get(name) for name in saved} == saved
        begun = {name for ledger in self.ledgers for name in ledger.begun()}
        assert set(objects) <= begun
        shared = [one for ledger in self.ledgers if ledger.shared for one in ledger.told("saved")]
        for name in {one["name"] for one in shared}:
            assert objects[name] in {one["md5"] for one in shared if one["name"] == name}, name
        for ledger in self.ledgers:
            assert ledger.shared or not ledger.told("wrong"), ledger.told("wrong")
            for name, (size, md5) in ledger.synced().items():
                assert _md5(as_alice(self.site), name, size) == md5, f"{name}: what fsync promised"
        return objects


def _md5(client: Any, key: str, size: int | None = None) -> str:
    """Of an object, or of its first ``size`` bytes."""
    given = {} if size is None else {"Range": f"bytes=0-{size - 1}"}
    body, digest = client.get_object(Bucket=BUCKET, Key=key, **given)["Body"], hashlib.md5()
    for block in body.iter_chunks(2**20):
        digest.update(block)
    return digest.hexdigest()


def empty(site: Site) -> None:
    """Take everything out of alice's bucket."""
    client = as_alice(site)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
            client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys, "Quiet": True})


@contextlib.contextmanager
def stage_on(site: Site, data: Path, namespace: int) -> Iterator[Stage]:
    """A stage for one test: an empty bucket, no faults, an hour of credentials; everything ends with it."""
    empty(site)
    with FaultProxy(site.url).running() as proxy, FaultProxy(site.url).running() as sts:
        gateway = SessionGateway(site, proxy.url, sts.url)
        world = World(data, site, gateway, namespace)  # type: ignore[arg-type] - of the store it uses the address alone
        try:
            world.start_helper()
            yield Stage(world, site, gateway, proxy, sts)
        finally:
            world.close()
            gateway.close()
