"""What every spawner of ours has in common: storage beside the start, progress by phase, GPUs, stop reasons; choices are in `choosing`."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import SpawnException
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.models import StopReason, StoragePlan
from naas_client.settings import read_secret
from traitlets import Float, Unicode

from naas_spawner import phases
from naas_spawner.choosing import Choosing
from naas_spawner.leases import GpuLeases
from naas_spawner.options import Choice
from naas_spawner.phases import Phase, Progress

GATEWAY_LIMIT = 10.0
"""Seconds for one answer of the gateway during a start or stop."""

OLD_NAMES = ("JPY_API_TOKEN", "JUPYTERHUB_OAUTH_SCOPES")
"""Variables that JupyterHub sets twice for single-user servers older than the one we start."""


class NaasSpawnerMixin(GpuLeases, Choosing):
    """Put it before a spawner class. The subclass gives `place`, `launch`, `connect_folders`, `end_server`, `release_storage`."""

    phases: ClassVar[tuple[Phase, ...]] = (
        phases.GROUPS,
        phases.BUCKET,
        phases.FOLDERS,
        phases.PLACE,
        phases.SERVER,
        phases.LAB,
    )

    gateway_url = Unicode(
        help="""
        Where the hub reaches the gateway (`gateway.url` in `naas.yaml`), without the path of its API.

        It prepares people's buckets and keeps the reasons of failed starts. Empty: servers start without cloud storage and say so.
        """
    ).tag(config=True)

    gateway_token_file = Unicode(
        help="File (mode 0600) with the token that hub and gateway share (`gateway.hub_token_file` in `naas.yaml`)."
    ).tag(config=True)

    rclone = Unicode(
        help="""
        Another rclone program (absolute path) for the folders (`storage.rclone` in `naas.yaml`); it must run in the person's world.

        Empty: the one that comes with this product.
        """
    ).tag(config=True)

    storage_wait = Float(
        3.0,
        min=0,
        help="""
        Seconds that a server which answers already waits for its folders, so that they are there when Lab opens.

        Folders that take longer appear in the running server.
        """,
    ).tag(config=True)

    drain_limit = Float(
        60.0,
        min=0,
        help="Seconds that a stop waits for files on their way to the store. What is left over is uploaded at the next start.",
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._storage: asyncio.Task[None] | None = None
        self._progress: Progress | None = None
        self._was_up = False

    # Environment

    @property
    def gateway_api(self) -> str:
        """Base address of the gateway's API; empty without a gateway."""
        return f"{self.gateway_url.rstrip('/')}{API_PATH}" if self.gateway_url else ""

    def get_env(self) -> dict[str, str]:
        """The server's environment: the profile's variables below JupyterHub's; its only secret is the server's own hub token."""
        env: dict[str, str] = {key: str(value) for key, value in super().get_env().items()}
        for name in OLD_NAMES:
            env.pop(name, None)
        if self.gateway_api:
            env["NAAS_GATEWAY_URL"] = self.gateway_api
        choice: Choice | None = self.choice
        if choice is None:
            return env
        if choice.cvmfs:
            env["CVMFS_REPOSITORIES"] = ",".join(choice.cvmfs)
        return {**choice.profile.environment, **env}

    # Start

    async def start(self) -> str:
        """Start server and storage side by side; returns the server's address when it answers.

        Raises SpawnException with a sentence for the person. A failure of the storage never stops the server.
        """
        if self.choice is None:
            self.apply_choice(self.user_options)
        progress = self._progress = Progress(self.phases, self.choice.profile.slug, self.usual)
        progress.end(phases.GROUPS, self.choice.describe())
        self._was_up = False
        try:
            progress.begin(phases.PLACE)
            await self.place()
            await self.take_gpus()
            progress.end(phases.PLACE)
            self._storage = asyncio.create_task(self._start_storage(progress))
            url: str = await self.launch(progress)
            await asyncio.wait({self._storage}, timeout=self.storage_wait)
        except BaseException as error:
            progress.close(succeeded=False)
            await self._give_up_storage()
            if isinstance(error, InvalidInput):
                self.take_back_choice()
            if not isinstance(error, NaasError):
                if isinstance(error, Exception):
                    await self.add_reason(
                        "error", "Your server could not start. Try again; if it stays so, write to support."
                    )
                raise
            await self.add_reason(error.code, f"Your server could not start. {error.message}")
            raise SpawnException(error.message, reason=error.code, status_code=error.status) from error
        self._was_up = True
        progress.close(succeeded=True)
        return url

    async def _start_storage(self, progress: Progress) -> None:
        """Bucket, then folders; whatever goes wrong is said, not raised."""
        progress.begin(phases.BUCKET)
        plan = await self.prepare_storage()
        progress.end(phases.BUCKET, plan.degraded, "degraded" if plan.degraded else "done")
        progress.begin(phases.FOLDERS)
        try:
            trouble = await self.connect_folders(plan)
        except Exception as error:
            known = isinstance(error, NaasError)
            self.log.warning("The storage of %s is not connected: %s", self._log_name, error, exc_info=not known)
            trouble = error.message if isinstance(error, NaasError) else "The folders could not be connected."
        progress.end(phases.FOLDERS, trouble, "degraded" if trouble else "done")

    async def prepare_storage(self) -> StoragePlan:
        """Have the gateway prepare the person's bucket; without it, a plan that says why there is none."""
        if not self.gateway_url:
            return StoragePlan(degraded="This site has no cloud storage.", code="no-gateway")
        try:
            async with self._gateway() as gateway:
                return await gateway.prepare_storage(self.user.name)
        except NaasError as error:
            self.log.warning("No storage for %s: %s", self._log_name, error.message)
            trouble = f"Your cloud storage is not connected. {error.message}"
            return StoragePlan(degraded=trouble, code=error.code, passing=isinstance(error, Unavailable))

    async def _give_up_storage(self) -> None:
        if self._storage is not None and not self._storage.done():
            self._storage.cancel()
            await asyncio.wait({self._storage})

    def _gateway(self) -> GatewayClient:
        token = read_secret(Path(self.gateway_token_file) if self.gateway_token_file else None, "gateway_token_file")
        return GatewayClient(self.gateway_api, token, timeout=GATEWAY_LIMIT)

    async def add_reason(self, code: str, message: str) -> None:
        """Keep for the person why a server did not start or was stopped; without the gateway, at least in the log."""
        self.log.warning("%s: %s", self._log_name, message)
        if not self.gateway_url:
            return
        reason = StopReason(
            username=self.user.name, server=self.name, code=code, message=message, at=dt.datetime.now(dt.UTC)
        )
        try:
            async with self._gateway() as gateway:
                await gateway.add_stop_reason(reason)
        except NaasError as error:
            self.log.warning("The reason could not be kept: %s", error.message)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Events by phase; beside JupyterHub's keys: ``phase title lane state seconds at detail``."""
        if self._progress is not None:
            async for event in self._progress.follow():
                yield event

    # Stop

    async def stop(self, now: bool = False) -> None:
        """Wait for uploads (not when ``now``), end the server, then what connected its folders."""
        self._was_up = False
        await self._give_up_storage()
        await self.drain(0 if now else self.drain_limit)
        await self.end_server(now)
        await self.return_gpus()
        await self.release_storage()

    async def run_post_stop_hook(self) -> None:
        """After every end, also one that nobody asked for: what is left is ended, GPUs and storage are let go, the person learns why."""
        was_up, self._was_up = self._was_up, False
        await self._give_up_storage()
        try:
            why = await self.explain_end() if was_up else None
            await self.end_server(now=True)
            await self.return_gpus()
        except NaasError as error:
            # its GPUs stay its own until the gateway finds that the hub has no such server, and the next start ends it
            why = await NaasSpawnerMixin.explain_end(self) if was_up else None
            self.log.warning("Whether %s has ended is not known: %s", self._log_name, error.message)
        try:
            await self.release_storage()
        except NaasError as error:
            self.log.warning("The storage of %s is not let go: %s", self._log_name, error.message)
        if why is not None:
            await self.add_reason(*why)
        if (result := super().run_post_stop_hook()) is not None:
            await result

    async def explain_end(self) -> tuple[str, str]:
        """Code and sentence for a server that ended by itself."""
        return "error", "Your server ended by itself. Files in your folders are kept; start it again to go on."

    # What a subclass gives

    async def place(self) -> None:
        """Find or make the server's place: uid, folders, port."""

    async def launch(self, progress: Progress) -> str:
        """Start the server and return its address when it answers."""
        raise NotImplementedError

    async def connect_folders(self, plan: StoragePlan) -> str:
        """Start the mount agent; returns when the folders are there, or a sentence why they are not."""
        raise NotImplementedError

    async def drain(self, limit: float) -> None:
        """Wait up to ``limit`` seconds for uploads."""

    async def end_server(self, now: bool) -> None:
        """End the server."""

    async def release_storage(self) -> None:
        """End the agent and take away the folders; nothing to do is no error."""
