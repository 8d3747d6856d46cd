"""`NaasDockerSpawner`: servers in containers without any privilege, on one machine with a Docker engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from dockerspawner import DockerSpawner
from jupyterhub.traitlets import ByteSpecification
from naas_client import labels
from naas_client.cvmfs import MOUNT_DIR
from naas_client.errors import InvalidInput, NaasError, NotFound, Unavailable
from naas_client.folders import HostFolder
from naas_client.images import by_name
from naas_client.logs import redact
from naas_client.models import StoragePlan
from naas_client.registries import RegistrySection, pulled_name, registry_of
from naas_client.sizes import format_size
from naas_storage.mounts.client import MountsClient
from naas_storage.mounts.kernel import propagates
from traitlets import Integer, TraitError, Unicode, default, validate

from naas_spawner import phases
from naas_spawner.docker.engine import TMPFS, Engine, EngineRefused, NoSuchObject, explain, no_server
from naas_spawner.docker.images import Image, Images, Right, Wish, shared
from naas_spawner.docker.places import ACCOUNTS, mount_point, write_accounts
from naas_spawner.docker.side import RUN, SideContainer, SideSettings
from naas_spawner.machine import TAIL, NaasMachineSpawner, last_line
from naas_spawner.phases import Phase, Progress
from naas_spawner.readiness import NotReady, wait_ready
from naas_spawner.uids import make_folder

HOMES = Path("/home")
EXAMPLES = Path("/opt/naas-examples")
COLLABORATION_CONFIG = "/opt/naas/etc/jupyter/collaboration"
PATH = "/opt/naas/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_USED = ("extra_create_kwargs", "mounts", "pull_policy", "allowed_images", "post_start_cmd")
"""Traits of DockerSpawner that say what a profile says here, or would open what is closed."""

IMAGE_SHARE, READY_SHARE = 0.7, 0.9
"""Of `start_timeout`: until a download is left to itself, and until a server must answer; the rest is for saying so."""

NO_LOGIN = "no-registry-login"
"""The gateway's code for somebody who has never given a login."""

KILLED = 137
NOT_STARTED = (126, 127)
"""Exit codes of an init, as of a shell, that cannot run its command."""
CPU_PERIOD = 100_000
"""Microseconds, the kernel's default; the quota is the cores' share of it."""


class NaasDockerSpawner(NaasMachineSpawner, DockerSpawner):
    """Each server is a container with the person's own uid: no capability, `no-new-privileges`, the engine's seccomp profile, limits on
    memory, cores and processes, a read-only root where the image's label allows it. A side container with as little connects the folders.

    The hub runs as root on the machine of the engine, because it makes people's homes; the privilege to mount has the mount helper alone.
    """

    phases: ClassVar[tuple[Phase, ...]] = (
        phases.GROUPS,
        phases.BUCKET,
        phases.FOLDERS,
        phases.PLACE,
        phases.IMAGE,
        phases.SERVER,
        phases.LAB,
    )

    image: str  # DockerSpawner's trait: of a profile that names none

    agent_image = Unicode(
        help="Image of the side containers, which run the mount agent (`make images` builds `naas/agent`)."
    ).tag(config=True)

    agent_memory = ByteSpecification(2 * 2**30, help="Memory of a side container, in bytes or as `2G`.").tag(
        config=True
    )

    pids_limit = Integer(
        2048,
        min=64,
        help="Processes and threads of one server; more cannot be started, so a fork bomb stays in its container.",
    ).tag(config=True)

    tmp_size = ByteSpecification(
        4 * 2**30,
        help="""
        Largest size of /tmp of a server whose root is read-only, in bytes or as `4G`. It counts as memory, so it is never more than a
        quarter of that: what is in it cannot be given back when memory runs out.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._site_image = self.image
        self._view: Path | None = None
        self._no_folders: tuple[str, str] | None = None

    @validate(*NOT_USED)
    def _refuse(self, proposal: Any) -> Any:
        if proposal.value != proposal.trait.default_value and proposal.value not in ({}, [], None):
            raise TraitError(
                f"NaasDockerSpawner does not use `{proposal.trait.name}`: images and who may start them are in `profiles`, and a container "
                "is always made by the same rules. Remove it."
            )
        return proposal.value

    @default("prefix")
    def _default_prefix(self) -> str:
        return "naas"

    @default("network_name")
    def _default_network_name(self) -> str:
        return "naas"

    @default("remove")
    def _default_remove(self) -> bool:
        return True  # nothing that matters is in a container

    def _object_name_default(self) -> str:
        """Letters, digits, hyphens and one dot: a container's name as it is."""
        return f"{self.prefix}-{self.key}"

    @property
    def agent_name(self) -> str:
        """Name of the side container. No hub name and no server's name has an underscore, so it is never a server's container."""
        return f"{self.object_name}_agent"

    @property
    def engine(self) -> Engine:
        """The engine that this spawner talks to, shared by all with the same settings."""
        return self._shared_engine()[0]

    def _shared_engine(self) -> tuple[Engine, Images]:
        return shared(self.tls_config, self.client_kwargs)

    async def docker(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """DockerSpawner's own calls go the same way."""
        return await self.engine.call(method, *args, **kwargs)

    # Place

    @property
    def agent_run(self) -> Path:
        """Below the run folder, which is root's, the person has two folders: this one and the cache."""
        return self.run_folder / "run"

    @property
    def inner_home(self) -> Path:
        """The home as the person sees it."""
        return HOMES / str(self.user.name)

    async def place(self) -> None:
        """Also look whether the machine has what the choice asks for, and have the folders' place made."""
        await self._check_memory()
        await super().place()
        await self.engine.remove(self.object_name)  # of a hub that ended in the middle of a start
        await self._open_view()

    async def _open_view(self) -> None:
        """Have the helper make the folders' place, without folders yet: those come with the plan, while the container starts."""
        self._view = None
        mounts = Path(self.mounts_socket).parent if self.mounts_socket else self.run_folder
        if trouble := await asyncio.to_thread(mount_point, self.home, self.link_name, self._uid, mounts):
            self._no_folders = ("link-taken", trouble)
        elif not self.mounts_socket:
            self._no_folders = ("no-helper", "This site has no mount helper for containers. Tell the operators.")
        else:
            self._no_folders = None
            uid = self._uid or 0
            try:
                self._view = (await MountsClient(Path(self.mounts_socket)).publish(self.key, [], uid, uid)).view
            except NaasError as error:
                self._no_folders = (error.code, error.message)

    async def _check_memory(self) -> None:
        machine = int((await self.docker("info"))["MemTotal"])
        if self.choice is not None and self.choice.memory > machine:
            raise InvalidInput(
                f"This machine has {format_size(machine)} of memory; {format_size(self.choice.memory)} cannot be given. "
                "Choose a smaller size.",
                code="memory",
            )

    def make_place(self, opened: list[HostFolder]) -> None:
        """Homes and folders of the person's own; what containers are told about accounts."""
        super().make_place(opened)
        if self._uid is None:
            raise Unavailable(
                "Servers in containers need a hub that runs as root. Tell the operators.", code="not-root"
            )
        make_folder(self.run_folder, 0, 0o711)
        accounts = self.run_folder / "etc"
        make_folder(accounts, 0, 0o755)
        write_accounts(accounts, self.user.name, self._uid, self.inner_home)
        for own in (self.agent_run, self.run_folder / "cache"):
            make_folder(own, self._uid)
        for name, place in list(self._host.links.items()):
            if trouble := mount_point(self.home, name, self._uid, place):
                del self._host.links[name]
                self._host.troubles.append(trouble)

    # Start

    async def launch(self, progress: Progress) -> str:
        """Have the image here, start the container, wait until it answers."""
        self.tell_of_place(progress)
        begin = asyncio.get_running_loop().time()
        progress.begin(phases.IMAGE)
        wish = self._image_wish()
        image = await self._shared_engine()[1].ready(
            wish, lambda text: progress.note(phases.IMAGE, text), IMAGE_SHARE * self.start_timeout
        )
        progress.end(phases.IMAGE, "" if image.name == wish.reference else image.name)
        self.image = image.reference
        try:
            address = await self._start_container(image, progress)
            progress.begin(phases.LAB)
            left = begin + READY_SHARE * self.start_timeout - asyncio.get_running_loop().time()
            await self._wait_ready(address, image.name, left)
        except BaseException:
            await self.engine.remove(self.object_name)
            raise
        progress.end(phases.LAB)
        return address

    def _image_wish(self) -> Wish:
        """The image that was chosen, and how to get it."""
        reference = str((self.choice.image if self.choice is not None else "") or self._site_image)
        own = self.choice is not None and self.choice.custom_image
        if own:
            reference = by_name(reference)
        pulled = pulled_name(reference, self.registries)
        registry = registry_of(pulled, self.registries)
        if registry is None:
            return Wish(reference, pulled)
        return Wish(reference, pulled, lambda: self._right_at(registry), each_time=own)

    async def _right_at(self, registry: RegistrySection) -> Right:
        """The person's login at a registry; without one, nobody's."""
        remedy = f"If it is private, give your login at {registry.title} with `%image login` in a notebook; or choose another image."
        if not self.gateway_url:
            return Right(remedy=remedy)
        try:
            async with self._gateway() as gateway:
                kept = await gateway.registry_credentials(self.user.name, registry.host)
        except NotFound as error:
            return Right(remedy=remedy if error.code == NO_LOGIN else error.message)
        except NaasError as error:
            self.log.warning("%s: its login at %s cannot be had: %s", self._log_name, registry.host, error.message)
            return Right(remedy=remedy)
        return Right({"username": kept.username, "password": kept.secret.get_secret_value()}, remedy)

    async def _start_container(self, image: Image, progress: Progress) -> str:
        progress.begin(phases.SERVER)
        try:
            self.object_id = await self._create(image)
            await self.docker("start", self.object_id)
            ip, port = await self.get_ip_and_port()
        except (EngineRefused, NoSuchObject) as error:
            raise explain(error, image.name) from error
        progress.end(phases.SERVER)
        return f"http://{ip}:{port}"

    async def _wait_ready(self, address: str, reference: str, limit: float) -> None:
        try:
            await wait_ready(f"{address}{self.server.base_url}", limit, self._alive)
        except NotReady as error:
            if (found := await self.engine.inspect(self.object_id)) and found["State"]["ExitCode"] in NOT_STARTED:
                raise no_server(reference) from error
            said = redact(await self.engine.log_tail(self.object_id))[-TAIL:]
            self.log.error("%s: %s. The end of its log:\n%s", self._log_name, error, said)
            raise Unavailable(
                f"The image {reference} was started, but {error}. Choose another image, or try again; the cause is at the end of its "
                f"log: {last_line(said)}",
                code="not-ready",
            ) from error

    async def _create(self, image: Image) -> str:
        operator = self.extra_host_config(self) if callable(self.extra_host_config) else self.extra_host_config
        return await self.engine.create(
            {**operator, **self._host_config(image)},
            image=image.reference,
            command=[*(self.cmd or image.command), *self.get_args()],
            name=self.object_name,
            hostname=self.key.replace(".", "-")[:63],
            user=f"{self._uid}:{self._uid}",
            working_dir=str(self.inner_home),
            environment=self.get_env(),
            labels=self._labels("server"),
        )

    def _host_config(self, image: Image) -> dict[str, Any]:
        memory = self.mem_limit
        tmp = min(self.tmp_size, memory // 4)
        return {
            "binds": self._binds(),
            "network_mode": self.network_name,
            "mem_limit": memory,
            "memswap_limit": memory,
            "cpu_period": CPU_PERIOD,
            "cpu_quota": int(self.cpu_limit * CPU_PERIOD),
            "pids_limit": self.pids_limit,
            "group_add": [str(gid) for gid in self._host.gids],
            "shm_size": memory // 2,  # what data loaders share; it counts as memory
            "device_requests": self._devices(),
            **(
                {"read_only": True, "tmpfs": {"/tmp": f"{TMPFS},exec,size={tmp}"}}  # noqa: S108 - of the container
                if image.read_only_root
                else {}
            ),
        }

    def _binds(self) -> dict[str, dict[str, str]]:
        inner, own = self.inner_home, self.run_folder
        binds = {
            str(self.home): {"bind": str(inner), "mode": "rw"},
            str(self.agent_run): {"bind": str(RUN), "mode": "ro"},
            **{str(own / "etc" / name): {"bind": f"/etc/{name}", "mode": "ro"} for name in ACCOUNTS},
        }
        if self._view is not None:
            binds[str(self._view)] = {"bind": str(inner / self.link_name), "mode": "rw", "propagation": "rslave"}
        read_only = {folder.name for folder in self.host_folders if folder.read_only}
        for name, place in self._host.links.items():
            binds[str(place)] = {"bind": str(inner / name), "mode": "ro" if name in read_only else "rw"}
        if self._cvmfs_asked and (software := Path(self.cvmfs_path).resolve()).is_dir():
            # the whole folder: what the machine mounts in it later, or once more, appears in the container only so
            later = {"propagation": "rslave"} if propagates(software) else {}
            binds[str(software)] = {"bind": str(MOUNT_DIR), "mode": "ro", **later}
        if self.examples_dir:
            binds[str(Path(self.examples_dir).resolve())] = {"bind": str(EXAMPLES), "mode": "ro"}
        return {**self.volume_binds, **binds}

    def _devices(self) -> list[dict[str, Any]]:
        """The GPUs that this server has leased, as the engine wants to be asked for them."""
        if not self.gpu_devices:
            return []
        return [{"Driver": "", "DeviceIDs": list(self.gpu_devices), "Capabilities": [["gpu"]], "Options": {}}]

    def _labels(self, kind: str) -> dict[str, str]:
        return {
            labels.KIND: kind,
            labels.USER: str(self.user.name),
            labels.SERVER: str(self.name),
            labels.INSTALLATION: self.prefix,
        }

    def get_env(self) -> dict[str, str]:
        """The server's whole environment; nothing of the hub's own comes along."""
        env: dict[str, str] = super().get_env()
        env.update(self.person_env(self.inner_home, PATH))
        env["JUPYTERHUB_ROOT_DIR"] = str(self.inner_home)
        if self.collaboration is not None:
            env["JUPYTER_CONFIG_PATH"] = COLLABORATION_CONFIG
        env["JUPYTER_RUNTIME_DIR"] = "/tmp/jupyter"  # noqa: S108 - of the container, which is the person's alone
        env["NAAS_STORAGE_RUN"] = str(RUN)
        if not self.gpu_devices:
            # Where NVIDIA's runtime is the engine's default, an image that says `all` (as NVIDIA's own do) would be given every GPU.
            env["NVIDIA_VISIBLE_DEVICES"] = "void"
        if self.examples_dir:
            env["NAAS_EXAMPLES"] = str(EXAMPLES)
        if self._cvmfs_asked:
            env["CVMFS_MOUNT_DIR"] = str(MOUNT_DIR)
        return env

    # Storage

    def agent_host(self) -> SideContainer:
        """A container of its own."""
        return SideContainer(
            self.engine,
            SideSettings(
                name=self.agent_name,
                image=self.agent_image,
                uid=self._uid or 0,
                run=self.agent_run,
                cache=self.run_folder / "cache",
                folders=self.inner_home / self.link_name,
                network=self.network_name,
                memory=self.agent_memory,
                token=self.api_token,
                environment=self.person_env(RUN, PATH),
                labels=self._labels("agent"),
            ),
        )

    async def connect_folders(self, plan: StoragePlan) -> str:
        """Start the side container; without a place for the folders it only says why."""
        if self._no_folders and not plan.degraded:
            plan = plan.model_copy(update={"degraded": self._no_folders[1], "code": self._no_folders[0]})
        return await super().connect_folders(plan)

    # Afterwards

    async def poll(self) -> int | None:
        """None while the server runs (or the engine does not answer), else its exit status."""
        if not self.object_id:
            return 0
        try:
            found = await self.engine.inspect(self.object_id)
        except NaasError as error:
            self.log.warning("%s: whether it runs is not known: %s", self._log_name, error)
            return None
        if found is None:
            return 0
        if not found["State"]["Running"]:
            return int(found["State"]["ExitCode"])
        await self.look_after_agent()
        return None

    async def _alive(self) -> bool:
        found = await self.engine.inspect(self.object_id)
        return found is not None and bool(found["State"]["Running"])

    async def end_server(self, now: bool) -> None:
        """End the container and take it away."""
        await self.engine.end(self.object_name, 0 if now else self.stop_grace)
        self.object_id = ""

    async def release_storage(self) -> None:
        """Also take away a place for folders that no agent has come to use."""
        await super().release_storage()
        view, self._view = self._view, None
        if view is not None:
            await MountsClient(Path(self.mounts_socket)).unpublish(self.key)

    async def explain_end(self) -> tuple[str, str]:
        """From what the engine keeps of the container that ended."""
        found = await self.engine.inspect(self.object_name)
        if found is None:
            return await super().explain_end()
        state = found["State"]
        if state["OOMKilled"] and state["ExitCode"] == KILLED:
            return (
                "memory",
                f"Your server used all of its {format_size(int(found['HostConfig']['Memory']))} of memory and was ended. "
                "Files in your folders are kept; choose more memory at the next start.",
            )
        return self.sentence_of_end(int(state["ExitCode"]))

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a server that another run of the hub has started."""
        super().load_state(state)
        self._was_up = bool(self.object_id)
