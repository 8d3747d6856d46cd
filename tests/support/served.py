"""The whole product with one kind of spawner, and people signed in to it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import images
from hub_session import HubSession
from naas_storage.mounts.kernel import detach, mount_tmpfs
from product import Product, naas_up
from registry import DockerRegistry, docker_registry
from spawner_worlds import DockerWorld, LocalWorld, World

EVERYBODY = {"groups": ["users/naas"], "cores": [1]}
PROFILES: list[dict[str, Any]] = [
    {
        "slug": "small",
        "name": "Small",
        **EVERYBODY,
        "memory": ["512M"],
        "environment": {"OMP_NUM_THREADS": "1"},
        "default": True,
    },
    {
        "slug": "software",
        "name": "Software",
        **EVERYBODY,
        "memory": ["512M"],
        "cvmfs": ["sft.cern.ch", "late.cern.ch", "absent.cern.ch"],
    },
    {"slug": "wide", "name": "Wide", "groups": ["developers"], "cores": [2], "memory": ["1G"]},
]
CONTAINER_PROFILES: list[dict[str, Any]] = [
    {
        "slug": "images",
        "name": "Images",
        **EVERYBODY,
        "memory": ["1G", "1024T"],
        "images": [
            {"name": "nothing", "image": "naas-tests/not-there:1"},
            {"name": "no server", "image": "naas-tests/no-server:1"},
            {"name": "ends", "image": "naas-tests/ends:1"},
            {"name": "silent", "image": "naas-tests/silent:1"},
            {"name": "unreadable", "image": "naas-tests/unreadable:1"},
            {"name": "plain", "image": "naas-tests/plain:1"},
        ],
        "image_pattern": {"developers": r"naas-tests/[\w.-]+:[\w.-]+"},
    },
    {
        "slug": "registry",
        "name": "Registry",
        **EVERYBODY,
        "memory": ["512M"],
        "image_pattern": {"users/naas": r"(127\.0\.0\.1:[0-9]+|proxied\.example\.org)/.+:[\w.-]+"},
    },
    {"slug": "gpu", "name": "GPU", **EVERYBODY, "memory": ["1G"], "gpu": [{"name": "1g.10gb", "default": True}]},
]
SECRET = "what-alice-types-at-the-registry"
GPUS = [{"flavour": "1g.10gb", "devices": ["MIG-00000000-0000-0000-0000-000000000001"]}]
"""Of no machine: what is asked of the engine, and what comes of its refusal, is what can be seen without one."""


@dataclass
class Served:
    """A product with one kind of spawner."""

    product: Product
    world: World
    software: Path
    """In the place of the machine's `/cvmfs`."""
    registry: DockerRegistry | None = None
    """Where servers are containers."""
    sessions: list[HubSession] = field(default_factory=list)

    def sign_in(self, name: str) -> HubSession:
        session = HubSession(self.product.url, name)
        self.sessions.append(session)
        assert session.sign_in().status_code == 200
        return session

    def started(self, name: str, **options: Any) -> HubSession:
        """Somebody with a server (of the profile `small`, if nothing is said) whose folders are connected."""
        session = self.sign_in(name)
        session.start_server(**(options or {"profile": "small"}))
        session.wait_connected()
        return session

    def stored(self, path: str) -> bytes | None:
        """An object in the store, as the store's own disk has it."""
        file = self.product.data / "store" / "buckets" / path
        return file.read_bytes() if file.is_file() else None

    def stop_all(self) -> None:
        for session in self.sessions:
            if session.hub("GET", f"/users/{session.name}").json().get("servers"):
                session.stop_server()
            session.http.close()
        self.sessions.clear()


@contextmanager
def software() -> Iterator[Path]:
    """A folder in the place of the machine's CVMFS, open to everybody: one repository is mounted, one is still to come."""
    folder = Path(tempfile.mkdtemp(prefix="naas-tests-cvmfs-"))
    folder.chmod(0o755)
    mount_tmpfs(folder, 0o755, 0)  # shared, as systemd has /cvmfs
    try:
        (folder / "sft.cern.ch" / "lcg").mkdir(parents=True)
        (folder / "late.cern.ch").mkdir()
        yield folder
    finally:
        detach(folder)
        folder.rmdir()


SHARED = [{"group": "developers", "profile": "wide"}]


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[Served]:
    """`naas up --spawner KIND` for the length of a `with` block."""
    with software() as place, contextlib.ExitStack() as more:
        hub = {"start_timeout": 60, "docker": {"pids_limit": 256}, "cvmfs": {"path": str(place)}}
        settings: dict[str, Any] = {"profiles": PROFILES, "hub": hub, "collaborations": SHARED}
        registry = None
        if kind == "docker":
            images("lab", "agent")
            registry = more.enter_context(docker_registry(folder / "registry", {"alice": SECRET}))
            proxies = {"proxied.example.org": "cache"}
            settings |= {
                "profiles": [*PROFILES, *CONTAINER_PROFILES],
                "gpus": GPUS,
                "registries": [{"url": registry.url, "kind": "docker", "name": "Plain", "proxy_caches": proxies}],
            }
        with naas_up(folder, settings, options=("--spawner", kind)) as product:
            yield Served(product, {"local": LocalWorld, "docker": DockerWorld}[kind](product), place, registry)
