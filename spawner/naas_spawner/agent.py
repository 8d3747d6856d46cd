"""The spawner's side of one server's mount agent: plan, start, drain, end (docs/architecture.md, Storage contract)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from naas_client.errors import NaasError, Unavailable
from naas_client.models import StoragePlan, StorageStatus
from naas_storage.client import AgentClient
from naas_storage.mounts.client import MountsClient, Published
from naas_storage.plan import PLAN_NAME, SOCKET_NAME, AgentPlan

from naas_spawner.launcher.client import LauncherClient
from naas_spawner.launcher.protocol import Task

LOOK = 0.03
"""Seconds between two looks for the agent's socket."""

START_LIMIT = 15.0
"""Seconds for the agent to listen; its folders may take longer and are waited for separately."""

FOLDERS_LIMIT = 60.0
"""Seconds for the folders to be connected; afterwards the agent goes on trying, and the panel tells."""

STOP_LIMIT = 30.0


@dataclass(frozen=True)
class Person:
    """Whose agent it is: uid and gid that the mounts are for; None: those of whoever runs the hub."""

    name: str
    uid: int | None


@dataclass(frozen=True)
class Places:
    """Where an agent finds things, as paths of its own world (see `AgentPlan`)."""

    run: Path
    cache: Path
    view: Path
    link: Path | None = None
    control: Path | None = None
    remote_controls: Path | None = None


class AgentHost(Protocol):
    """The world in which an agent runs: a process forked by the launcher, or a side container."""

    @property
    def log(self) -> str:
        """Where operators find what it says."""

    def places(self, published: Published | None) -> Places:
        """The agent's paths. Parameters: ``published``, what the mount helper offers, in the hub's world."""

    async def start(self, plan: AgentPlan) -> None:
        """Start it, after one that an earlier hub left has ended. Raises NaasError when it cannot."""

    async def running(self) -> bool:
        """Whether it lives."""

    async def stop(self, limit: float) -> None:
        """Have it end and return when it is gone; it is killed after ``limit`` seconds. No agent is no error."""


class Agent:
    """The agent of one server.

    Parameters: ``run``, its run folder in the hub's world; ``helper``, the mount helper's control socket (None:
    ``fusermount3`` is used); ``rclone``, another program for the mounts than the one that comes with us.
    """

    def __init__(
        self, key: str, person: Person, host: AgentHost, run: Path, helper: Path | None, rclone: Path | None = None
    ) -> None:
        self.key, self.person, self.host, self.rclone = key, person, host, rclone
        self.helper = MountsClient(helper) if helper else None
        self.client = AgentClient(run / SOCKET_NAME)

    async def start(self, storage: StoragePlan, gateway_api: str) -> StorageStatus:
        """Start the agent with a plan and wait for its folders. Raises NaasError when it does not come up at all."""
        await self.host.start(await self._plan(storage, gateway_api))
        return await self._wait_settled()

    async def _plan(self, storage: StoragePlan, gateway_api: str) -> AgentPlan:
        published, degraded, code = None, storage.degraded, storage.code
        uid = self.person.uid
        if self.helper is not None and uid is not None and storage.folders:
            try:
                mounted = [folder for folder in storage.folders if not folder.trouble]
                published = await self.helper.publish(self.key, mounted, uid, uid)
            except NaasError as error:
                degraded, code = error.message, error.code
        places = self.host.places(published)
        return AgentPlan(
            key=self.key,
            username=self.person.name,
            folders=storage.folders,
            endpoint=storage.endpoint,
            endpoints=storage.endpoints,
            rclone=self.rclone,
            public_endpoint=storage.public_endpoint,
            region=storage.region,
            gateway_url=gateway_api,
            control_socket=places.control,
            view=places.view,
            link=places.link,
            run=places.run,
            cache=places.cache,
            remote_controls=places.remote_controls,
            quota_bytes=storage.quota_bytes,
            degraded=degraded,
            code=code,
        )

    async def _wait_settled(self) -> StorageStatus:
        await self._wait_listening()
        try:
            async with asyncio.timeout(FOLDERS_LIMIT):
                async for status in self.client.watch():
                    if status.state != "starting":
                        return status
        except TimeoutError:
            return await self.client.status()
        raise Unavailable(f"The mount agent ended during its start; see {self.host.log}.", code="no-agent")

    async def _wait_listening(self) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                while not await self._listens():  # noqa: ASYNC110 - another process makes the socket
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            raise Unavailable(f"The mount agent did not start within {START_LIMIT:.0f} s.", code="no-agent") from None

    async def _listens(self) -> bool:
        try:
            await self.client.status()
        except Unavailable:
            if not await self.host.running():
                raise Unavailable(
                    f"The mount agent ended at its start; the cause is in {self.host.log}.", code="no-agent"
                ) from None
            return False
        return True

    async def alive(self) -> bool:
        """Whether it answers, or is at least there. Raises NaasError when its world does not tell."""
        try:
            await self.client.status()
        except Unavailable:
            return await self.host.running()
        return True

    async def idle(self) -> bool:
        """Whether it says that it serves no folder at all, because its plan has none."""
        try:
            return not (await self.client.status()).folders
        except Unavailable:
            return False

    async def drain(self, limit: float) -> str:
        """Wait for uploads; a sentence about what is still pending, empty when nothing is. Raises Unavailable without an answer."""
        status = await self.client.drain(limit)
        if not status.uploads_total:
            return ""
        files = "1 file was" if status.uploads_total == 1 else f"{status.uploads_total} files were"
        return f"{files} not uploaded when your server stopped. They are kept and uploaded at the next start."

    async def stop(self) -> None:
        """End the agent, then take its folders away."""
        await self.host.stop(STOP_LIMIT)
        if self.helper is not None:
            await self.helper.unpublish(self.key)


class LaunchedAgent:
    """An agent as a process of this machine (`AgentHost`). Parameters: ``task``, gives the process's environment and places."""

    def __init__(
        self,
        key: str,
        uid: int | None,
        run: Path,
        link: Path,
        launcher: LauncherClient,
        task: Callable[[], Task],
    ) -> None:
        self.key, self.uid, self.run, self.link, self.launcher, self.task = key, uid, run, link, launcher, task

    @property
    def log(self) -> str:
        """A file beside its plan."""
        return "agent.log in the server's folder"

    def places(self, published: Published | None) -> Places:
        """Hub and agent see the same paths."""
        if published is None:
            return Places(self.run, self.run / "cache", self.run / "s3", self.link)
        return Places(self.run, self.run / "cache", published.view, self.link, published.control)

    async def start(self, plan: AgentPlan) -> None:
        """Have the launcher fork it."""
        await self.stop(STOP_LIMIT)
        task = self.task().model_copy(
            update={
                "argv": [str(self.run / PLAN_NAME)],
                "files": {PLAN_NAME: plan.model_dump_json(indent=2)},
                "log": str(self.run / "agent.log"),
                "examples": None,
            }
        )
        await self.launcher.start("agent", self.key, self.uid, task)

    async def running(self) -> bool:
        """As the launcher has it."""
        return (await self.launcher.poll("agent", self.key)).running

    async def stop(self, limit: float) -> None:
        """Through the launcher."""
        await self.launcher.stop("agent", self.key, limit)


def describe_trouble(status: StorageStatus) -> str:
    """Why folders are not as they should be, for people; empty when all is well."""
    if status.state == "mounted":
        return ""
    return status.reason or "The folders are still being connected. They appear in the running server."
