"""What spawners of one machine have in common: each person's uid, home and run folder, the folders' agent, the idle limit."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from naas_client import cvmfs
from naas_client.errors import InvalidInput, NaasError
from naas_client.folders import HostFolder
from naas_client.models import StoragePlan
from naas_client.names import is_hub_name
from traitlets import Bool, Float, Integer, Unicode, default

from naas_spawner import nvidia, phases
from naas_spawner.agent import Agent, AgentHost, Person, describe_trouble
from naas_spawner.host import HostPlaces, host_places
from naas_spawner.mixin import NaasSpawnerMixin
from naas_spawner.options import Choice
from naas_spawner.phases import Progress
from naas_spawner.uids import Uids, make_folder

LINK = "cloud-storage"
"""Where people find their folders in their home."""

MEND_EVERY = 30.0
"""Seconds between two tries to start an agent again that has gone, or one that was given no folders; the first is at once."""

TAIL = 2000
"""Bytes of a server's log that an error may quote."""


class NaasMachineSpawner(NaasSpawnerMixin):
    """Put it before a spawner class, like `NaasSpawnerMixin`. The subclass also gives `agent_host`."""

    data_dir = Unicode(
        ".naas",
        help="""
        The data folder: below it are `homes/`, `servers/` and `uids.json`. It must be reachable for people's uids (mode 0711 or more).
        """,
    ).tag(config=True)

    mounts_socket = Unicode(
        help="""
        Control socket of the mount helper. Default: `run/mounts.sock` in the data folder when the hub runs as root.

        Empty: the agents mount through `fusermount3`, which only servers without containers can.
        """
    ).tag(config=True)

    cvmfs_path = Unicode(
        str(cvmfs.MOUNT_DIR),
        help="Folder of this machine with the CVMFS repositories (`hub.cvmfs.path` in `naas.yaml`).",
    ).tag(config=True)

    first_uid = Integer(
        20000,
        min=1000,
        help="First uid for people, as root. Each name gets the next one, for good; the record is `uids.json` in the data folder.",
    ).tag(config=True)

    examples_dir = Unicode(
        help="""
        Folder with example notebooks. Each file is copied once to everybody's `examples/`; what people change or delete stays so.

        Empty: no examples.
        """
    ).tag(config=True)

    stop_grace = Float(
        10.0, min=0, help="Seconds that a server gets to end after SIGTERM, before it is killed with all it started."
    ).tag(config=True)

    cull_connected = Bool(
        False,
        help="Whether a kernel counts as idle although a browser shows it. False keeps servers with an open notebook alive.",
    ).tag(config=True)

    access_age = Integer(
        300,
        min=5,
        help="Seconds after which claims are read again (`iam.auth_refresh_age`). Shared servers ask the hub ten times as often.",
    ).tag(config=True)

    @default("mounts_socket")
    def _default_mounts_socket(self) -> str:
        return str(self._data / "run" / "mounts.sock") if os.geteuid() == 0 else ""

    @default("poll_interval")
    def _default_poll_interval(self) -> int:
        return 5  # a look that costs little, so a server that ended by itself is noticed soon

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/lab"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._uid: int | None = None
        self._host = HostPlaces()
        self._troubles: list[str] = []
        self._agent: Agent | None = None
        self._next_mend = 0.0
        self._unprepared = False
        """Whether the agent was perhaps given no folders for a cause that passes."""

    # Names and places

    @property
    def _data(self) -> Path:
        return Path(self.data_dir).resolve()

    @property
    def key(self) -> str:
        """The server's name in folders, and towards launcher, mount helper and engine."""
        return f"{self.user.name}.{self.name}" if self.name else str(self.user.name)

    @property
    def link_name(self) -> str:
        """What the folders' place in the home is called; each server of a person has its own."""
        return f"{LINK}-{self.name}" if self.name else LINK

    @property
    def home(self) -> Path:
        """The person's home."""
        return self._data / "homes" / str(self.user.name)

    @property
    def run_folder(self) -> Path:
        """The run folder of this server."""
        return self._data / "servers" / self.key

    async def place(self) -> None:
        """Give the person a uid, a home and a run folder."""
        if not is_hub_name(self.user.name):
            raise InvalidInput(
                "This user name cannot have a server here. Sign in through IAM to get a usable one.", code="name"
            )
        opened = self.open_host_folders  # asks the hub's database, which belongs to this thread
        _, seen = await asyncio.gather(
            asyncio.to_thread(self.make_place, opened), asyncio.to_thread(cvmfs.look_at, self._cvmfs_asked)
        )
        self._troubles = [*self._host.troubles, *(repository.trouble for repository in seen if repository.trouble)]

    @property
    def _cvmfs_asked(self) -> list[Path]:
        """Where the machine should have the CVMFS repositories that the person has chosen."""
        return [Path(self.cvmfs_path) / name for name in self.choice.cvmfs] if self.choice is not None else []

    def make_place(self, opened: list[HostFolder]) -> None:
        """The part of `place` that touches the disk."""
        as_root = os.geteuid() == 0
        self._uid = Uids(self._data / "uids.json", self.first_uid).uid(self.user.name) if as_root else None
        for parent in (self.home.parent, self.run_folder.parent):
            make_folder(parent, None, 0o711)
        make_folder(self.home, self._uid)
        self._host = host_places(self.host_folders, opened, self.user.name, self._uid)

    def tell_of_place(self, progress: Progress) -> None:
        """Say which folders of the host and which CVMFS repositories are missing; the server starts without them."""
        if self._troubles:
            self.log.warning("%s: %s", self._log_name, " ".join(self._troubles))
            progress.end(phases.PLACE, " ".join(self._troubles), "degraded")

    # The server

    def check_choice(self, choice: Choice) -> None:
        """Refuse a GPU where there can be none."""
        if choice.gpu and not self.gpus and nvidia.program() is None:
            raise InvalidInput(
                f"This machine has no GPU; the profile {choice.profile.name} needs one. Choose another profile.",
                code="gpu",
            )

    def person_env(self, home: Path, path: str) -> dict[str, str]:
        """Who the person is. Parameters: ``path``, the world's PATH."""
        name = str(self.user.name)
        kept = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ") if key in os.environ}
        return {**kept, "HOME": str(home), "USER": name, "LOGNAME": name, "SHELL": "/bin/bash", "PATH": path}

    def get_args(self) -> list[str]:
        """Arguments of the single-user server: how long it may be idle."""
        args = list(super().get_args())
        if seconds := self.idle_timeout:
            look = max(1, min(60, seconds // 4))
            args += [
                f"--ServerApp.shutdown_no_activity_timeout={seconds}",
                f"--MappingKernelManager.cull_idle_timeout={seconds}",
                f"--MappingKernelManager.cull_interval={look}",
                f"--MappingKernelManager.cull_connected={self.cull_connected}",
                f"--TerminalManager.cull_inactive_timeout={seconds}",
                f"--TerminalManager.cull_interval={look}",
            ]
        if self.collaboration is not None:
            every = max(1, min(30, self.access_age // 10))
            args += [
                "--ServerApp.identity_provider_class=naas_server.members.MembersIdentityProvider",
                f"--MembersIdentityProvider.check_every={every}",
                f"--HubOAuth.cache_max_age={every}",
            ]
        return args

    def sentence_of_end(self, status: int | None) -> tuple[str, str]:
        """Code and sentence for an exit status as a shell counts it: an idle server's own end, or a failure."""
        idle = self.idle_timeout
        if status == 0 and idle and self.collaboration is not None:
            return (
                "culled",
                f"Nobody had the shared server open for {idle / 60:.3g} min, so it was stopped. Its files are kept.",
            )
        if status == 0 and idle:
            return (
                "culled",
                f"Your server was stopped because nothing ran on it for {idle / 3600:.3g} h. Your files are kept.",
            )
        why = f"was ended by signal {status - 128}" if status and status > 128 else f"ended with code {status or 0}"
        return "error", f"Your server {why}. Files in your folders are kept; start it again to go on."

    # Storage

    def agent_host(self) -> AgentHost:
        """Where this server's agent runs."""
        raise NotImplementedError

    @property
    def agent_run(self) -> Path:
        """The agent's run folder, as the hub sees it."""
        return self.run_folder

    def new_agent(self) -> Agent:
        """The agent of this server, started or not."""
        helper = Path(self.mounts_socket) if self.mounts_socket else None
        rclone = Path(self.rclone) if self.rclone else None
        person = Person(self.user.name, self._uid)
        return Agent(self.key, person, self.agent_host(), self.agent_run, helper, rclone)

    async def connect_folders(self, plan: StoragePlan) -> str:
        """Start the agent; it says in the panel, too, what is wrong."""
        self._agent = self.new_agent()
        self._unprepared = plan.passing
        status = await self._agent.start(plan, self.gateway_api)
        self._unprepared = plan.passing or not (plan.degraded or status.folders)  # the mount helper was away
        return describe_trouble(status)

    async def look_after_agent(self) -> None:
        """While its server runs, start an agent again that has gone, or that came without folders when IAM, say, was away.

        The cache is where it was, so nothing is lost.
        """
        loop = asyncio.get_running_loop()
        if self._agent is None or not self._may_mend or loop.time() < self._next_mend:
            return
        try:
            self._unprepared = self._unprepared and await self._agent.idle()
            well = not self._unprepared and await self._agent.alive()
        except NaasError:
            return  # launcher or engine is away, and says nothing of the agent
        if well or not self._may_mend:
            return
        what = "has no folders, which are asked for anew" if self._unprepared else "is gone and is started again"
        self.log.warning("%s: the mount agent %s", self._log_name, what)
        self._next_mend = loop.time() + MEND_EVERY
        self._storage = asyncio.create_task(self._mend())  # a stop gives it up, as it does with the start's

    @property
    def _may_mend(self) -> bool:
        """The server is up, nobody stops it, and nothing of its storage is being started."""
        return self._was_up and (self._storage is None or self._storage.done())

    async def _mend(self) -> None:
        try:
            plan = await self.prepare_storage()
            # what may pass is tried again; until then the agent there is, if any, says what is wrong
            trouble = plan.degraded if plan.passing else await self.connect_folders(plan)
        except NaasError as error:
            trouble = error.message
        if trouble:
            self.log.warning("%s: the folders are not back: %s", self._log_name, trouble)

    async def drain(self, limit: float) -> None:
        """Wait for uploads; what is left over is kept and said."""
        if self._agent is None or limit <= 0:
            return
        try:
            pending = await self._agent.drain(limit)
        except NaasError as error:
            self.log.warning("%s: whether all uploads are done is not known: %s", self._log_name, error.message)
            return
        if pending:
            await self.add_reason("uploads", pending)

    async def release_storage(self) -> None:
        """End the agent and take away the folders."""
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.stop()

    # A hub that is restarted

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to find the agent again, or to start another."""
        return {**super().get_state(), "uid": self._uid, **({"agent": True} if self._agent is not None else {})}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what another run of the hub has started."""
        super().load_state(state)
        self._uid = state.get("uid")
        self._agent = self.new_agent() if state.get("agent") else None
        self._unprepared = True  # or not: the first look tells

    def clear_state(self) -> None:
        """Forget the server."""
        super().clear_state()
        self._agent = None


def last_line(text: str) -> str:
    """The end of a log, for a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it is empty."
