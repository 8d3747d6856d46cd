"""`NaasLocalSpawner`: servers as processes of this machine, each person under an own uid, forked from the launcher."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner
from jupyterhub.utils import random_port
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.logs import redact
from naas_client.models import StoragePlan
from naas_client.names import is_hub_name
from traitlets import Bool, Float, Integer, Unicode, default

from naas_spawner import nvidia, phases
from naas_spawner.agent import Agent, describe_trouble
from naas_spawner.launcher.client import LauncherClient
from naas_spawner.launcher.processes import started_at
from naas_spawner.launcher.protocol import Task
from naas_spawner.mixin import NaasSpawnerMixin
from naas_spawner.options import Choice
from naas_spawner.phases import Progress
from naas_spawner.readiness import NotReady, check_listener, wait_ready
from naas_spawner.uids import Uids, make_folder

LOOPBACK = "127.0.0.1"
CONFIG = Path(__file__).parent / "jupyter_config"
SHARED_CONFIG = CONFIG / "shared"
"""Where people share one machine: no debugger. Its adapter takes code for the kernel from whoever connects to its port first."""

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
LOG_NAME = "server.log"
TAIL = 2000
"""Bytes of a server's log that an error may quote."""


class NaasLocalSpawner(NaasSpawnerMixin, Spawner):
    """As root, servers run under people's own uids with homes of mode 0700; otherwise under the uid of whoever runs the hub.

    The sizes of a profile are told to the server (``MEM_LIMIT``, ``CPU_LIMIT``) but processes of one machine share it: they are not
    enforced here. Container spawners enforce them.
    """

    data_dir = Unicode(
        ".naas",
        help="""
        The data folder: below it are `homes/`, `servers/` and `uids.json`. It must be reachable for people's uids (mode 0711 or more).
        """,
    ).tag(config=True)

    launcher_socket = Unicode(
        help="Control socket of the launcher. Default: `run/launcher.sock` in the data folder."
    ).tag(config=True)

    mounts_socket = Unicode(
        help="""
        Control socket of the mount helper. Default: `run/mounts.sock` in the data folder when the hub runs as root.

        Empty: the agents mount through `fusermount3`.
        """
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

    @default("launcher_socket")
    def _default_launcher_socket(self) -> str:
        return str(self._data / "run" / "launcher.sock")

    @default("mounts_socket")
    def _default_mounts_socket(self) -> str:
        return str(self._data / "run" / "mounts.sock") if os.geteuid() == 0 else ""

    @default("poll_interval")
    def _default_poll_interval(self) -> int:
        return 5  # a look into /proc, so a server that ended by itself is noticed soon

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/lab"

    @default("ip")
    def _default_ip(self) -> str:
        return LOOPBACK

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._uid: int | None = None
        self._pid = self._started = 0
        self._agent: Agent | None = None

    # Names and places

    @property
    def _data(self) -> Path:
        return Path(self.data_dir).resolve()

    @property
    def key(self) -> str:
        """The server's name in folders and towards the launcher."""
        return f"{self.user.name}.{self.name}" if self.name else str(self.user.name)

    @property
    def home(self) -> Path:
        """The person's home."""
        return self._data / "homes" / str(self.user.name)

    @property
    def run_folder(self) -> Path:
        """The run folder of this server."""
        return self._data / "servers" / self.key

    @property
    def _launcher(self) -> LauncherClient:
        return LauncherClient(Path(self.launcher_socket))

    # Start

    def check_choice(self, choice: Choice) -> None:
        """Refuse what one machine without containers does not have."""
        if choice.image:
            raise InvalidInput(
                "Servers on this machine use the installed software; images need a container spawner. Choose another image.",
                code="image",
            )
        if choice.gpu and not self.gpus and nvidia.program() is None:
            raise InvalidInput(
                f"This machine has no GPU; the profile {choice.profile.name} needs one. Choose another profile.",
                code="gpu",
            )

    async def place(self) -> None:
        """Give the person a uid, a home and a run folder, and the server a port."""
        if not is_hub_name(self.user.name):
            raise InvalidInput(
                "This user name cannot have a server here. Sign in through IAM to get a usable one.", code="name"
            )
        await asyncio.to_thread(self._make_place)
        self.port = random_port()

    def _make_place(self) -> None:
        as_root = os.geteuid() == 0
        self._uid = Uids(self._data / "uids.json", self.first_uid).uid(self.user.name) if as_root else None
        for parent in (self.home.parent, self.run_folder.parent):
            make_folder(parent, None, 0o711)
        for own in (self.home, self.run_folder):
            make_folder(own, self._uid)

    async def launch(self, progress: Progress) -> str:
        """Fork the server and wait until it answers."""
        progress.begin(phases.SERVER)
        if (await self._launcher.poll("server", self.key)).running:
            # Left over by a hub that ended in the middle of a start: its token is not valid any more.
            await self._launcher.stop("server", self.key, self.stop_grace)
        started = await self._launcher.start("server", self.key, self._uid, self._task(self.get_env(), self.get_args()))
        self._pid, self._started = started.pid, started.started
        progress.end(phases.SERVER)
        progress.begin(phases.LAB)
        try:
            await wait_ready(
                f"http://{LOOPBACK}:{self.port}{self.server.base_url}", 0.9 * self.start_timeout, self._alive
            )
            if self._uid is not None:
                check_listener(self.port, self._uid)
        except NotReady as error:
            self.log.error("%s: %s. The end of its log:\n%s", self._log_name, error, self._log_tail())
            raise Unavailable(
                f"It was started, but {error}. Try again; the cause is at the end of its log: {_last_line(self._log_tail())}",
                code="not-ready",
            ) from error
        progress.end(phases.LAB)
        return f"http://{LOOPBACK}:{self.port}"

    def _task(self, env: dict[str, str], argv: list[str], **more: Any) -> Task:
        run = str(self.run_folder)
        return Task(
            gid=self._uid,
            home=str(self.home),
            cwd=run,
            log=f"{run}/{LOG_NAME}",
            env=env,
            argv=argv,
            examples=str(Path(self.examples_dir).resolve()) if self.examples_dir else None,
            first_folders=["local"],
            **more,
        )

    def get_env(self) -> dict[str, str]:
        """The server's whole environment; nothing of the hub's own comes along."""
        env = super().get_env()
        env.update(self._person_env())
        env["JUPYTERHUB_ROOT_DIR"] = str(self.home)
        env["JUPYTER_CONFIG_PATH"] = str(CONFIG) if self._uid is None else f"{SHARED_CONFIG}:{CONFIG}"
        env["JUPYTER_RUNTIME_DIR"] = str(self.run_folder / "runtime")
        env["NAAS_STORAGE_RUN"] = str(self.run_folder)
        env["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpu_devices)
        return env

    def _person_env(self) -> dict[str, str]:
        name = str(self.user.name)
        kept = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ") if key in os.environ}
        path = f"{Path(sys.executable).parent}:{SYSTEM_PATH}"
        return {**kept, "HOME": str(self.home), "USER": name, "LOGNAME": name, "SHELL": "/bin/bash", "PATH": path}

    def get_args(self) -> list[str]:
        """Arguments of the single-user server: how long it may be idle."""
        args = list(super().get_args())
        # JupyterLab takes these two from HOME when it is imported, and that was in the launcher, with the home of its owner.
        lab = self.home / ".jupyter" / "lab"
        args += [f"--LabApp.user_settings_dir={lab}/user-settings", f"--LabApp.workspaces_dir={lab}/workspaces"]
        if self.choice is not None and (seconds := self.choice.profile.idle_timeout):
            look = max(1, min(60, seconds // 4))
            args += [
                f"--ServerApp.shutdown_no_activity_timeout={seconds}",
                f"--MappingKernelManager.cull_idle_timeout={seconds}",
                f"--MappingKernelManager.cull_interval={look}",
                f"--MappingKernelManager.cull_connected={self.cull_connected}",
                f"--TerminalManager.cull_inactive_timeout={seconds}",
                f"--TerminalManager.cull_interval={look}",
            ]
        return args

    async def connect_folders(self, plan: StoragePlan) -> str:
        """Start the agent; it says in the panel, too, what is wrong."""
        self._agent = self._new_agent()
        task = self._task({**self._person_env(), "JUPYTERHUB_API_TOKEN": self.api_token}, [])
        status = await self._agent.start(plan, self._uid, task, self.gateway_api)
        return describe_trouble(status)

    def _new_agent(self) -> Agent:
        helper = Path(self.mounts_socket) if self.mounts_socket else None
        rclone = Path(self.rclone) if self.rclone else None
        return Agent(self.key, self.user.name, self.name, self.run_folder, self.home, self._launcher, helper, rclone)

    # Afterwards

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to find the server again."""
        state = super().get_state()
        if self._pid:
            state.update(pid=self._pid, started=self._started, agent=self._agent is not None)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a server that another run of the hub has started."""
        super().load_state(state)
        self._pid, self._started = int(state.get("pid", 0)), int(state.get("started", 0))
        self._was_up = bool(self._pid)
        self._agent = self._new_agent() if state.get("agent") else None

    def clear_state(self) -> None:
        """Forget the server."""
        super().clear_state()
        self._pid = self._started = 0
        self._agent = None

    async def poll(self) -> int | None:
        """None while the server runs, else its exit status (0 when unknown)."""
        if not self._pid:
            return 0
        if await self._alive():
            return None
        try:
            return (await self._launcher.poll("server", self.key)).exit or 0
        except NaasError:
            return 0

    async def _alive(self) -> bool:
        """Looks at the process itself, so that a launcher which is just being restarted does not look like a dead server."""
        return started_at(self._pid) == self._started

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

    async def end_server(self, now: bool) -> None:
        """End the server and everything it started."""
        await self._launcher.stop("server", self.key, 0 if now else self.stop_grace)

    async def release_storage(self) -> None:
        """End the agent and take away the folders."""
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.stop()

    async def explain_end(self) -> tuple[str, str]:
        """Tell an idle server's own end from a failure."""
        status = await self._exit_status()
        idle = self.choice.profile.idle_timeout if self.choice is not None else 0
        if status == 0 and idle:
            return (
                "culled",
                f"Your server was stopped because nothing ran on it for {idle / 3600:.3g} h. Your files are kept.",
            )
        why = f"was ended by signal {status - 128}" if status and status > 128 else f"ended with code {status or 0}"
        return "error", f"Your server {why}. Files in your folders are kept; start it again to go on."

    async def _exit_status(self) -> int | None:
        try:
            return (await self._launcher.poll("server", self.key)).exit
        except NaasError:
            return None

    def _log_tail(self) -> str:
        """The end of the server's log; the file is the person's, so a link in its place is not followed."""
        try:
            descriptor = os.open(self.run_folder / LOG_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != (self._uid or os.geteuid()):
                return ""
            file.seek(max(0, found.st_size - TAIL))
            return redact(file.read(TAIL).decode(errors="replace"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it is empty."
