"""The spawner's side of one server's mount agent: plan, start, drain, end (docs/architecture.md, Storage contract)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from naas_client.errors import NaasError, Unavailable
from naas_client.models import StoragePlan, StorageStatus
from naas_storage.client import AgentClient
from naas_storage.mounts.client import MountsClient
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
LINK = "cloud-storage"


class Agent:
    """The agent of one server. Parameters: ``helper``, the mount helper's control socket; None: ``fusermount3`` is used;
    ``rclone``, another program for the mounts than the one that comes with us."""

    def __init__(
        self,
        key: str,
        username: str,
        server: str,
        run: Path,
        home: Path,
        launcher: LauncherClient,
        helper: Path | None,
        rclone: Path | None = None,
    ) -> None:
        self.rclone = rclone
        self.key, self.username, self.run = key, username, run
        self.link = home / (f"{LINK}-{server}" if server else LINK)
        self.launcher = launcher
        self.helper = MountsClient(helper) if helper else None
        self.client = AgentClient(run / SOCKET_NAME)

    async def start(self, storage: StoragePlan, uid: int | None, task: Task, gateway_api: str) -> StorageStatus:
        """Start the agent with a plan and wait for its folders. Raises NaasError when it does not come up at all."""
        plan = await self._plan(storage, uid, gateway_api)
        await self.launcher.stop("agent", self.key, STOP_LIMIT)  # of an earlier hub; nothing to do is no error
        argv = [str(self.run / PLAN_NAME)]
        files = {PLAN_NAME: plan.model_dump_json(indent=2)}
        more = {"argv": argv, "files": files, "log": str(self.run / "agent.log"), "examples": None}
        await self.launcher.start("agent", self.key, uid, task.model_copy(update=more))
        return await self._wait_settled()

    async def _plan(self, storage: StoragePlan, uid: int | None, gateway_api: str) -> AgentPlan:
        control, view, degraded, code = None, self.run / "s3", storage.degraded, storage.code
        if self.helper is not None and uid is not None and storage.folders:
            try:
                mounted = [folder for folder in storage.folders if not folder.trouble]
                published = await self.helper.publish(self.key, mounted, uid, uid)
                control, view = published.control, published.view
            except NaasError as error:
                degraded, code = error.message, error.code
        return AgentPlan(
            key=self.key,
            username=self.username,
            folders=storage.folders,
            endpoint=storage.endpoint,
            endpoints=storage.endpoints,
            rclone=self.rclone,
            public_endpoint=storage.public_endpoint,
            region=storage.region,
            gateway_url=gateway_api,
            control_socket=control,
            view=view,
            link=self.link,
            run=self.run,
            cache=self.run / "cache",
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
        raise Unavailable(
            "The mount agent ended during its start; see agent.log in the server's folder.", code="no-agent"
        )

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
            if not (await self.launcher.poll("agent", self.key)).running:
                raise Unavailable(
                    "The mount agent ended at its start; the cause is in agent.log in the server's folder.",
                    code="no-agent",
                ) from None
            return False
        return True

    async def drain(self, limit: float) -> str:
        """Wait for uploads; a sentence about what is still pending, empty when nothing is. Raises Unavailable without an answer."""
        status = await self.client.drain(limit)
        if not status.uploads_total:
            return ""
        files = "1 file was" if status.uploads_total == 1 else f"{status.uploads_total} files were"
        return f"{files} not uploaded when your server stopped. They are kept and uploaded at the next start."

    async def stop(self) -> None:
        """End the agent, then take its folders away."""
        await self.launcher.stop("agent", self.key, STOP_LIMIT)
        if self.helper is not None:
            await self.helper.unpublish(self.key)


def describe_trouble(status: StorageStatus) -> str:
    """Why folders are not as they should be, for people; empty when all is well."""
    if status.state == "mounted":
        return ""
    return status.reason or "The folders are still being connected. They appear in the running server."
