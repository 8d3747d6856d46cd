"""Where people's servers run, one class per kind of spawner: the processes and leftovers of a server, seen from outside."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Protocol

import docker
from docker.errors import NotFound
from product import Product


class World(Protocol):
    """What the contract of spawners needs to know of one."""

    enforces: bool
    """Whether a profile's limits are held by the kernel."""

    def server_pid(self, key: str) -> int:
        """The process of a server."""

    def agent_pid(self, key: str) -> int:
        """The first process of its mount agent; 0 while there is none."""

    def leftovers(self, key: str) -> list[str]:
        """What is there of a server: processes, containers, mounts."""


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
    return found


def engines(world: World, key: str) -> dict[str, int]:
    """The rclones of a server, by folder."""
    found = {}
    for pid in descendants(world.agent_pid(key)):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"mount2" in words:
                found[Path(words[words.index(b"--cache-dir") + 1].decode()).name] = pid
    return found


def _mounts(product: Product, pid: int | str, key: str) -> list[str]:
    top = f"{product.data.resolve()}/run/mounts/{key}"
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(top)]


class LocalWorld:
    """Processes forked by the launcher."""

    enforces = False

    def __init__(self, product: Product) -> None:
        self.product = product

    def _entries(self, key: str) -> dict[str, int]:
        entries: list[dict[str, Any]] = json.loads((self.product.data / "run" / "launcher.json").read_text())
        return {entry["kind"]: int(entry["pid"]) for entry in entries if entry["key"] == key}

    def server_pid(self, key: str) -> int:
        return self._entries(key)["server"]

    def agent_pid(self, key: str) -> int:
        return self._entries(key).get("agent", 0)

    def leftovers(self, key: str) -> list[str]:
        return [*map(str, self._entries(key)), *_mounts(self.product, self.product.pid("mounts"), key)]


class DockerWorld:
    """Containers, and a side container each."""

    enforces = True

    def __init__(self, product: Product) -> None:
        self.product = product
        self.client = docker.from_env()
        self.installation = product.site()["hub"]["docker"]["prefix"]

    def container(self, key: str, kind: str = "") -> Any:
        return self.client.containers.get(f"{self.installation}-{key}{kind and f'_{kind}'}")

    def server_pid(self, key: str) -> int:
        return int(self.container(key).attrs["State"]["Pid"])

    def agent_pid(self, key: str) -> int:
        try:
            return int(self.container(key, "agent").attrs["State"]["Pid"])
        except NotFound:
            return 0

    def leftovers(self, key: str) -> list[str]:
        user, _, server = key.partition(".")
        labels = [
            f"io.infn.naas.{name}={value}" for name, value in (("installation", self.installation), ("user", user))
        ]
        found = self.client.containers.list(all=True, filters={"label": labels})
        names = [one.name for one in found if one.labels["io.infn.naas.server"] == server]
        return [*names, *_mounts(self.product, "self", key)]
