"""What every spawner of ours has in common: profiles, validated options, storage beside the start, progress by phase, stop reasons."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import SpawnException
from naas_client.errors import InvalidInput, NaasError
from naas_client.folders import HostFolder, HostFolders
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.models import Capability, StopReason, StoragePlan
from naas_client.settings import GroupSection, Section, read_secret
from naas_client.settings import validate as check_section
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, List, TraitError, Unicode, default, validate

from naas_spawner import phases
from naas_spawner.form import FormPage, render_options_form, request_language
from naas_spawner.leases import GpuLeases
from naas_spawner.options import Choice, from_form, validate_options
from naas_spawner.phases import Phase, Progress, UsualTimes
from naas_spawner.profiles import Profile, Profiles, default_profiles, opens

GATEWAY_LIMIT = 10.0
"""Seconds for one answer of the gateway during a start or stop."""

OLD_NAMES = ("JPY_API_TOKEN", "JUPYTERHUB_OAUTH_SCOPES")
"""Variables that JupyterHub sets twice for single-user servers older than the one we start."""


class _ProfilesOnly(Section):
    profiles: Profiles


class _HostFoldersOnly(Section):
    host_folders: HostFolders


class NaasSpawnerMixin(GpuLeases):
    """Put it before a spawner class. The subclass gives `place`, `launch`, `connect_folders`, `end_server`, `release_storage`."""

    phases: ClassVar[tuple[Phase, ...]] = (
        phases.GROUPS,
        phases.BUCKET,
        phases.FOLDERS,
        phases.PLACE,
        phases.SERVER,
        phases.LAB,
    )
    usual: ClassVar[UsualTimes] = UsualTimes()

    profiles = List(
        help="""
        What people may choose at the start of a server, and which groups may choose it.

        A list of `naas_spawner.profiles.Profile`, or of mappings with the same keys (see `naas config schema`, key `profiles`).
        Bad entries are refused with the path of each mistake. Example: `[{"slug": "standard", "name": "Standard", "cores": [1, 2]}]`.
        """
    ).tag(config=True)

    gateway_url = Unicode(
        help="""
        Where the hub reaches the gateway (`gateway.url` in `naas.yaml`), without the path of its API.

        It prepares people's buckets and keeps the reasons of failed starts. Empty: servers start without cloud storage and say so.
        """
    ).tag(config=True)

    gateway_token_file = Unicode(
        help="File (mode 0600) with the token that hub and gateway share (`gateway.hub_token_file` in `naas.yaml`)."
    ).tag(config=True)

    storage_groups = List(
        Unicode(),
        help="""
        Groups that have cloud storage (`capabilities.storage` in `naas.yaml`); empty: everybody.

        Only for what the spawn page says: the gateway itself decides.
        """,
    ).tag(config=True)

    scratch = Bool(
        True, help="Whether there is a shared scratch area (`storage.scratch_bucket`), for what the spawn page says."
    ).tag(config=True)

    group_folders = List(
        help="""
        The folders below `cloud-storage` that groups share (`storage.folders` in `naas.yaml`), for what the spawn page says.

        A list of `naas_client.folders.GroupFolder`; the gateway itself decides.
        """
    ).tag(config=True)

    host_folders = List(
        help="""
        Folders of the host that people find in their homes (`hub.host_folders` in `naas.yaml`).

        A list of `naas_client.folders.HostFolder`, or of mappings with the same keys; bad entries are refused with the path of each
        mistake. Example: `[{"name": "shared", "path": "/srv/naas/shared", "read_only": true}]`.
        """
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

    group_notes = Dict(help="What to tell people about a group: the section `groups` of `naas.yaml`.").tag(config=True)
    join_url = Unicode(help="Where to ask for a group that has no address of its own.").tag(config=True)
    contact = Unicode(help="Address that people write to (`site.contact` in `naas.yaml`).").tag(config=True)

    choice = AnyTrait(None, allow_none=True, help="The `naas_spawner.options.Choice` of the start that runs or ran.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._last_good = dict(getattr(self.orm_spawner, "user_options", None) or {})
        self._before = self._last_good
        self._storage: asyncio.Task[None] | None = None
        self._progress: Progress | None = None
        self._was_up = False

    # Profiles and options

    @default("profiles")
    def _default_profiles(self) -> list[Profile]:
        return default_profiles()

    @validate("profiles")
    def _check_profiles(self, proposal: Any) -> list[Profile]:
        """Mappings become profiles. Raises TraitError with the path of each mistake."""
        try:
            return check_section({"profiles": proposal.value}, _ProfilesOnly, type(self).__name__).profiles
        except InvalidInput as error:
            raise TraitError(error.message) from None

    @validate("host_folders")
    def _check_host_folders(self, proposal: Any) -> list[HostFolder]:
        """Mappings become folders. Raises TraitError with the path of each mistake."""
        try:
            return check_section({"host_folders": proposal.value}, _HostFoldersOnly, type(self).__name__).host_folders
        except InvalidInput as error:
            raise TraitError(error.message) from None

    @property
    def open_host_folders(self) -> list[HostFolder]:
        """The folders of the host that this person's groups open; `HostFolder.of` gives a person's place on the host."""
        groups = self.groups
        return [folder for folder in self.host_folders if folder.is_open_to(groups)]

    @property
    def groups(self) -> set[str]:
        """The person's groups as the hub knows them now."""
        return {group.name for group in self.user.groups}

    @default("options_form")
    def _default_options_form(self) -> Any:
        return type(self).render_form

    async def render_form(self) -> str:
        """The inside of the spawn page's form for this person."""
        groups = self.groups
        allowed = opens(self.storage_groups, groups)
        names = " or ".join(self.storage_groups)
        reason = "" if allowed else f"Cloud storage is open to members of {names}. Ask for access there."
        page = FormPage(
            user=self.user.name,
            groups=sorted(groups),
            profiles=self.profiles,
            storage=Capability(allowed=allowed, groups=list(self.storage_groups), reason=reason),
            scratch=self.scratch,
            group_folders=[f for f in self.group_folders if f.is_open_to(groups) and f.name != self.user.name],
            host_folders=self.open_host_folders,
            last=self.last_choice,
            last_at=self._last_time() if self._last_good else None,
            group_notes={name: GroupSection.model_validate(note) for name, note in self.group_notes.items()},
            join_url=self.join_url,
            contact=self.contact,
            usual_seconds={p.slug: s for p in self.profiles if (s := self.usual.median(p.slug)) is not None},
            language=request_language(self.handler),
            gpus=await self.gpu_states(),
        )
        return render_options_form(page)

    @property
    def last_choice(self) -> Choice | None:
        """The choice of the last start, if it is still open to the person."""
        if not self._last_good:
            return None
        try:
            return validate_options(self.profiles, self.groups, self._last_good)
        except InvalidInput:
            return None

    def _last_time(self) -> dt.datetime | None:
        moment = getattr(self.orm_spawner, "last_activity", None)
        return moment.replace(tzinfo=dt.UTC) if moment else None

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return self._options_from_form_fields

    def _options_from_form_fields(self, form_data: dict[str, Any]) -> dict[str, Any]:
        last = self.last_choice
        return from_form(form_data, last.as_options() if last else None)

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        return type(self).apply_choice

    def apply_choice(self, user_options: dict[str, Any]) -> None:
        """Check the options, wherever they come from, and remember their normal form; refused ones leave no trace."""
        try:
            choice = validate_options(self.profiles, self.groups, user_options)
            self.check_choice(choice)
        except InvalidInput as error:
            self._remember(self._last_good)
            raise SpawnException(error.message, reason=error.code) from None
        self.choice = choice
        self.mem_limit, self.cpu_limit = choice.memory, choice.cores
        self._before = self._last_good
        self._remember(choice.as_options())

    def check_choice(self, choice: Choice) -> None:
        """For subclasses: raise InvalidInput when this kind of spawner cannot give a choice."""

    def _remember(self, options: dict[str, Any]) -> None:
        self._last_good = options
        self.user_options = options
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = options
            self.user.db.commit()

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
                self._remember(self._before)  # what cannot be started is not offered again as the last choice
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
            return StoragePlan(degraded=f"Your cloud storage is not connected. {error.message}", code=error.code)

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
