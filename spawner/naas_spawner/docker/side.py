"""The side container of a server: the mount agent in a world of its own, with the person's uid and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from naas_storage.mounts.client import Published
from naas_storage.plan import PLAN_NAME, AgentPlan

from naas_spawner.agent import Places
from naas_spawner.docker.engine import TMPFS, Engine, EngineRefused, NoSuchObject, explain
from naas_spawner.docker.places import write_as

RUN, CACHE, CONTROL = Path("/run/naas"), Path("/cache"), Path("/mounts")
"""In the side container; the server has the first one too, read-only."""
REMOTE_CONTROLS = Path("/tmp")  # noqa: S108 - of the container
"""A server must not reach them: they would let its programs act in the side container."""

PROCESSES = 512
RESTARTS = 5
"""By the engine, at once; then the spawner looks after it (`NaasMachineSpawner.look_after_agent`)."""


@dataclass(frozen=True)
class SideSettings:
    """What a side container is made of. ``run`` and ``cache`` in the hub's world, ``folders`` in the containers', ``memory`` in bytes."""

    name: str
    image: str
    uid: int
    run: Path
    cache: Path
    folders: Path
    network: str
    memory: int
    token: str = field(repr=False)
    environment: Mapping[str, str]
    labels: Mapping[str, str]


class SideContainer:
    """An agent in a container (`AgentHost`)."""

    def __init__(self, engine: Engine, settings: SideSettings) -> None:
        self.engine, self.settings = engine, settings
        self._published: Published | None = None

    @property
    def log(self) -> str:
        """Where operators find what it says."""
        return f"`docker logs {self.settings.name}`"

    def places(self, published: Published | None) -> Places:
        """Folders appear under the same path as in the server's container."""
        self._published = published
        control = CONTROL / published.control.name if published else None
        return Places(RUN, CACHE, self.settings.folders, control=control, remote_controls=REMOTE_CONTROLS)

    async def start(self, plan: AgentPlan) -> None:
        """Create and start it."""
        settings = self.settings
        await self.engine.remove(settings.name)  # of a hub that ended in the middle of a start
        await asyncio.to_thread(write_as, settings.run, PLAN_NAME, plan.model_dump_json(indent=2), settings.uid)
        try:
            await self.engine.create(
                self._host_config(),
                image=settings.image,
                command=[str(RUN / PLAN_NAME)],
                name=settings.name,
                user=f"{settings.uid}:{settings.uid}",
                working_dir=str(RUN),
                environment={**settings.environment, "HOME": str(RUN), "JUPYTERHUB_API_TOKEN": settings.token},
                labels=dict(settings.labels),
            )
            await self.engine.call("start", settings.name)
        except (EngineRefused, NoSuchObject) as error:
            raise explain(error, settings.image) from error

    def _host_config(self) -> dict[str, Any]:
        settings = self.settings
        binds: dict[str, dict[str, str]] = {
            str(settings.run): {"bind": str(RUN), "mode": "rw"},
            str(settings.cache): {"bind": str(CACHE), "mode": "rw"},
        }
        if self._published is not None:
            binds[str(self._published.control.parent)] = {"bind": str(CONTROL), "mode": "ro"}
            binds[str(self._published.view)] = {"bind": str(settings.folders), "mode": "rw", "propagation": "rslave"}
        return {
            "binds": binds,
            "network_mode": settings.network,
            "read_only": True,
            "tmpfs": {"/tmp": f"{TMPFS},noexec,size=64m"},  # noqa: S108 - of the container
            "mem_limit": settings.memory,
            "memswap_limit": settings.memory,
            "pids_limit": PROCESSES,
            "restart_policy": {"Name": "on-failure", "MaximumRetryCount": RESTARTS},
        }

    async def running(self) -> bool:
        """As the engine has it; one that is being started again counts."""
        found = await self.engine.inspect(self.settings.name)
        return found is not None and bool(found["State"]["Running"] or found["State"]["Restarting"])

    async def stop(self, limit: float) -> None:
        """It takes its mounts away itself when it is told to end."""
        await self.engine.end(self.settings.name, limit)
