"""`NaasLocalSpawner`: servers as processes of this machine, each person under an own uid, forked from the launcher."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner
from jupyterhub.utils import random_port
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.folders import HostFolder
from naas_client.logs import redact
from traitlets import Unicode, default

from naas_spawner import phases
from naas_spawner.agent import LaunchedAgent
from naas_spawner.launcher.client import LauncherClient
from naas_spawner.launcher.processes import started_at
from naas_spawner.launcher.protocol import Task
from naas_spawner.machine import TAIL, NaasMachineSpawner, last_line
from naas_spawner.options import Choice
from naas_spawner.phases import Progress
from naas_spawner.readiness import NotReady, check_listener, wait_ready
from naas_spawner.uids import make_folder

LOOPBACK = "127.0.0.1"
CONFIG = Path(__file__).parent / "jupyter_config"
SHARED_CONFIG = CONFIG / "shared"
"""Where people share one machine: no debugger. Its adapter takes code for the kernel from whoever connects to its port first."""
COLLABORATION_CONFIG = CONFIG / "collaboration"
"""In the shared server of a group documents are edited together; in a person's own, all of that is switched off."""

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
LOG_NAME = "server.log"


class NaasLocalSpawner(NaasMachineSpawner, Spawner):
    """As root, servers run under people's own uids with homes of mode 0700; otherwise under the uid of whoever runs the hub.

    The sizes of a profile are told to the server (``MEM_LIMIT``, ``CPU_LIMIT``) but processes of one machine share it: they are not
    enforced here. Container spawners enforce them.
    """

    launcher_socket = Unicode(
        help="Control socket of the launcher. Default: `run/launcher.sock` in the data folder."
    ).tag(config=True)

    @default("launcher_socket")
    def _default_launcher_socket(self) -> str:
        return str(self._data / "run" / "launcher.sock")

    @default("ip")
    def _default_ip(self) -> str:
        return LOOPBACK

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pid = self._started = 0

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
        super().check_choice(choice)

    async def place(self) -> None:
        """Also give the server a port."""
        await super().place()
        if (await self._launcher.poll("server", self.key)).running:
            # Left over by a hub that ended in the middle of a start: its token is not valid any more.
            await self._launcher.stop("server", self.key, self.stop_grace)
        self.port = random_port()

    def make_place(self, opened: list[HostFolder]) -> None:
        """The run folder is the person's."""
        super().make_place(opened)
        make_folder(self.run_folder, self._uid)

    async def launch(self, progress: Progress) -> str:
        """Fork the server and wait until it answers."""
        self.tell_of_place(progress)
        progress.begin(phases.SERVER)
        host: dict[str, Any] = {
            "groups": self._host.gids,
            "links": {name: str(path) for name, path in self._host.links.items()},
            "withdrawn": {name: str(path) for name, path in self._host.withdrawn.items()},
        }
        task = self._task(self.get_env(), self.get_args(), **host)
        started = await self._launcher.start("server", self.key, self._uid, task)
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
                f"It was started, but {error}. Try again; the cause is at the end of its log: {last_line(self._log_tail())}",
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
        folders = [COLLABORATION_CONFIG] if self.collaboration is not None else []
        folders += [CONFIG] if self._uid is None else [SHARED_CONFIG, CONFIG]
        env["JUPYTER_CONFIG_PATH"] = ":".join(map(str, folders))
        env["JUPYTER_RUNTIME_DIR"] = str(self.run_folder / "runtime")
        env["NAAS_STORAGE_RUN"] = str(self.run_folder)
        if self.choice is not None and self.choice.cvmfs:
            env["CVMFS_MOUNT_DIR"] = self.cvmfs_path
        env["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpu_devices)
        return env

    def _person_env(self) -> dict[str, str]:
        return self.person_env(self.home, f"{Path(sys.executable).parent}:{SYSTEM_PATH}")

    def get_args(self) -> list[str]:
        """JupyterLab takes two folders from HOME when it is imported, and that was in the launcher, with the home of its owner."""
        lab = self.home / ".jupyter" / "lab"
        args: list[str] = super().get_args()
        return [*args, f"--LabApp.user_settings_dir={lab}/user-settings", f"--LabApp.workspaces_dir={lab}/workspaces"]

    def agent_host(self) -> LaunchedAgent:
        """A process of its own, which the launcher forks."""
        return LaunchedAgent(
            self.key,
            self._uid,
            self.run_folder,
            self.home / self.link_name,
            self._launcher,
            lambda: self._task({**self._person_env(), "JUPYTERHUB_API_TOKEN": self.api_token}, []),
        )

    # Afterwards

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to find the server again."""
        state: dict[str, Any] = super().get_state()
        if self._pid:
            state.update(pid=self._pid, started=self._started)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a server that another run of the hub has started."""
        super().load_state(state)
        self._pid, self._started = int(state.get("pid", 0)), int(state.get("started", 0))
        self._was_up = bool(self._pid)

    def clear_state(self) -> None:
        """Forget the server."""
        super().clear_state()
        self._pid = self._started = 0

    async def poll(self) -> int | None:
        """None while the server runs, else its exit status (0 when unknown)."""
        if not self._pid:
            return 0
        if await self._alive():
            await self.look_after_agent()
            return None
        try:
            return (await self._launcher.poll("server", self.key)).exit or 0
        except NaasError:
            return 0

    async def _alive(self) -> bool:
        """Looks at the process itself, so that a launcher which is just being restarted does not look like a dead server."""
        return started_at(self._pid) == self._started

    async def end_server(self, now: bool) -> None:
        """End the server and everything it started."""
        await self._launcher.stop("server", self.key, 0 if now else self.stop_grace)

    async def explain_end(self) -> tuple[str, str]:
        """From the exit status that the launcher kept."""
        return self.sentence_of_end(await self._exit_status())

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
