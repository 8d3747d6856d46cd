"""Two ways to a mount: a descriptor from the mount helper, or `fusermount3` on a machine of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from naas_client.errors import Unavailable

from naas_storage.agent.probe import in_thread
from naas_storage.mounts.client import HelperRefused, ask_helper
from naas_storage.mounts.kernel import mounts_below
from naas_storage.plan import AgentPlan

DEVICE = Path("/dev/fuse")
HELPER_LIMIT = 20.0
"""Seconds after which nobody waits for the helper any more; `ask_helper` gives up earlier, so no descriptor is lost."""


@dataclass(frozen=True)
class Target:
    """Where rclone is to serve, and the path to look at it."""

    mount_point: str
    path: Path
    descriptor: int | None = None


class Way(Protocol):
    """How a folder gets mounted. Each method raises `Unavailable` with the reason when it cannot."""

    @property
    def mode(self) -> Literal["helper", "fusermount"]:
        """Its name in `StorageStatus`."""

    def place(self, name: str) -> Path:
        """Where the mount of a folder is, links resolved."""

    async def clean(self) -> None:
        """Take away what an agent that was killed left mounted; never raises."""

    async def take(self, name: str) -> Target:
        """A fresh mount for a folder; whatever was there before is gone."""

    def mounted(self, name: str) -> bool:
        """Whether something is mounted there (that it answers is another question)."""

    async def serving(self, name: str) -> None:
        """Called when the daemon answers."""

    def lost(self, name: str) -> None:
        """Called when it does not any more."""

    async def release(self, name: str) -> None:
        """Take the mount away; never raises."""


class HelperWay:
    """The helper mounts; this process has no privilege at all."""

    mode: Literal["helper"] = "helper"

    def __init__(self, plan: AgentPlan, control: Path) -> None:
        self.plan, self.control = plan, control

    def place(self, name: str) -> Path:
        """In the view."""
        return self.plan.view / name

    async def clean(self) -> None:
        """Mounts of this server's names; the helper takes away what it no longer publishes."""
        await asyncio.gather(*(self.release(folder.name) for folder in self.plan.folders if self.mounted(folder.name)))

    async def take(self, name: str) -> Target:
        """Ask the helper, which detaches what was there."""
        descriptor = await self._ask("mount", name)
        if descriptor is None:
            raise Unavailable("The mount helper gave no connection. See its log.", code="helper-refused")
        return Target(f"/dev/fd/{descriptor}", self.plan.view / name, descriptor)

    async def _ask(self, verb: str, name: str) -> int | None:
        try:
            return await in_thread(lambda: ask_helper(self.control, verb, name), HELPER_LIMIT)
        except HelperRefused as error:
            code = "no-fuse" if "/dev/fuse" in str(error) else "helper-refused"
            raise Unavailable(f"The mount helper refused: {error}. See its log.", code=code) from error
        except OSError as error:
            raise Unavailable(
                "The mount helper does not answer. The folder comes back when it does.", code="no-helper"
            ) from error

    def mounted(self, name: str) -> bool:
        """As mountinfo has it; the path itself is not touched."""
        return bool(mounts_below(self.plan.view / name))

    async def serving(self, name: str) -> None:
        """Have the read-ahead raised; slower without, never wrong."""
        with contextlib.suppress(Unavailable):
            await self._ask("tune", name)

    def lost(self, name: str) -> None:
        """Nothing to do: the bare folder is root's and read-only."""

    async def release(self, name: str) -> None:
        """Have it detached; if the helper is away, it does so when the server is unpublished."""
        with contextlib.suppress(Unavailable):
            await self._ask("umount", name)


class FusermountWay:
    """``fusermount3`` (setuid root) mounts, below the run folder; the paths people see are links that live as long as the mount.

    Without the link, a program that writes while there is no mount gets an error; its file never lands on the local disk.
    """

    mode: Literal["fusermount"] = "fusermount"

    def __init__(self, plan: AgentPlan) -> None:
        self.plan = plan
        self.program = shutil.which("fusermount3")
        self._bare: dict[str, int] = {}
        if not plan.degraded:  # then nothing is ever shown, and in a container the place cannot be made
            plan.view.mkdir(parents=True, exist_ok=True, mode=0o700)

    def place(self, name: str) -> Path:
        """Below the run folder."""
        return self.plan.run / "mnt" / name

    async def clean(self) -> None:
        """Whatever is mounted below the run folder, also under names of an earlier plan, and its links."""
        if self.program is None or not self.plan.view.is_dir():
            return
        names = {Path(one.path).name for one in mounts_below(self.plan.run / "mnt")}
        links = {link.name for link in self.plan.view.iterdir() if link.is_symlink() and link.name in names}
        for name in names | links:
            await self.release(name)

    async def take(self, name: str) -> Target:
        """Clear the path of a mount that a dead rclone left."""
        if why := self._cannot():
            raise Unavailable(
                f"This machine cannot mount folders: {why[0]}. Your files are in the file browser’s "
                f"cloud-storage tab, and in code by naas_storage.filesystem(). To get folders, {why[1]}.",
                code="no-fuse",
            )
        await self.release(name)
        point = self.place(name)
        if self.mounted(name):
            raise Unavailable(f"{point} is mounted still. Run: fusermount3 -uz {point}", code="stale-mount")
        point.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._bare[name] = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        os.fchmod(self._bare[name], 0o700)  # fusermount3 mounts only where its caller may write
        return Target(str(point), point)

    def _cannot(self) -> tuple[str, str] | None:
        """What is in the way, and what helps."""
        if self.program is None:
            return "fusermount3 is missing", "install the package fuse3"
        if not DEVICE.exists():
            return f"{DEVICE} is missing", "load the kernel module fuse (sudo modprobe fuse)"
        if not os.access(DEVICE, os.R_OK | os.W_OK):
            return f"{DEVICE} is not open to you", f"open it: sudo chmod 666 {DEVICE}"
        return None

    def _close(self, name: str) -> None:
        """The bare folder below the mount is not writable: whoever reaches it when the mount is gone gets an error."""
        if (bare := self._bare.pop(name, None)) is not None:
            os.fchmod(bare, 0o500)
            os.close(bare)

    def mounted(self, name: str) -> bool:
        """As mountinfo has it; the path itself is not touched."""
        return bool(mounts_below(self.place(name)))

    async def serving(self, name: str) -> None:
        """Show the folder."""
        self._close(name)
        temporary = self.plan.view / f".{name}.{secrets.token_hex(4)}"
        temporary.symlink_to(self.place(name))
        temporary.replace(self.plan.view / name)

    def lost(self, name: str) -> None:
        """Hide the folder."""
        self._close(name)
        path = self.plan.view / name
        if path.is_symlink():
            path.unlink()

    async def release(self, name: str) -> None:
        """Hide it and detach it lazily, which does not wait for a daemon that hangs."""
        self.lost(name)
        for _ in range(len(mounts_below(self.place(name)))):
            process = await asyncio.create_subprocess_exec(
                *(str(self.program), "-u", "-z", "-q", str(self.place(name))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await process.wait()


def way_for(plan: AgentPlan) -> Way:
    """The helper where the plan names one, else fusermount3."""
    return HelperWay(plan, plan.control_socket) if plan.control_socket else FusermountWay(plan)
