"""The three daemons: what has to be made before each starts, and how one knows that it serves."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from naas_client.errors import Unavailable
from naas_client.files import write_private

from naas_local.ceph.part import GATEWAYS, CephConfig
from naas_local.ceph.programs import ask, ceph
from naas_local.ceph.register import register
from naas_local.ports import LOOPBACK

LOOK_LIMIT = 5
"""Seconds for one look at a daemon that is starting."""


class Daemon:
    """One of Ceph's daemons. Parameters: ``name``, `mon`, `osd` or a gateway's."""

    def __init__(self, name: str, config: CephConfig) -> None:
        self.name, self.config = name, config

    def make(self) -> None:
        """Make what is missing of its data; half of what an interrupted start made is thrown away."""

    def argv(self) -> list[str]:
        """Its command line: in the foreground, all lines on stderr."""
        raise NotImplementedError

    def serves(self) -> bool:
        """Whether it does its work now; says so within a few seconds."""
        raise NotImplementedError

    def complete(self) -> None:
        """What is to be done when it serves and before others may use it."""

    def _unfinished(self) -> Path:
        folder = self.config.folder / f"{self.name}.new"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder


class Monitor(Daemon):
    """Knows the cluster's maps. Its address is in its own store, so a change of the port is written there first."""

    def make(self) -> None:
        """A new store, or the new port in the existing one."""
        folder, known = self.config.folder / "mon", self.config.folder / "mon-port"
        port = str(self.config.mon_port)
        if folder.exists() and known.exists() and known.read_text() == port:
            return
        monmap = self.config.folder / "run" / "monmap"
        address = f"[v1:{LOOPBACK}:{port}]"
        ask("monmaptool", "--create", "--clobber", "--fsid", self.config.fsid, "--addv", "a", address, monmap)
        command = ("ceph-mon", "-c", self.config.conf, "-i", "a")
        if folder.exists():
            ask(*command, "--inject-monmap", monmap)
        else:
            unfinished = self._unfinished()
            keyring = self.config.folder / "keyring"
            ask(*command, "--mkfs", "--monmap", monmap, "--keyring", keyring, "--mon-data", unfinished)
            unfinished.rename(folder)
        write_private(known, port)

    def argv(self) -> list[str]:
        """See `Daemon.argv`."""
        return ["ceph-mon", "-c", str(self.config.conf), "-i", "a", "-f"]

    def serves(self) -> bool:
        """Whether it has a quorum (of one)."""
        return bool(ceph(self.config.conf, "quorum_status", limit=LOOK_LIMIT).get("quorum"))


class Osd(Daemon):
    """Keeps the objects. A `memstore` starts empty each time, so its folder is made anew."""

    def make(self) -> None:
        """Its store, registered at the monitor under its identity."""
        folder = self.config.folder / "osd"
        if folder.exists():
            return
        number = ceph(self.config.conf, "osd", "new", self.config.osd_uuid).get("osdid")
        if number != 0:
            raise Unavailable(f"The monitor calls the only OSD {number}. Start over with a new folder.")
        unfinished = self._unfinished()
        command = ("ceph-osd", "-c", self.config.conf, "-i", "0", "--osd-data", unfinished)
        ask(*command, "--mkfs", "--osd-uuid", self.config.osd_uuid)
        unfinished.rename(folder)

    def argv(self) -> list[str]:
        """See `Daemon.argv`."""
        return ["ceph-osd", "-c", str(self.config.conf), "-i", "0", "-f"]

    def serves(self) -> bool:
        """Whether the monitor sees it."""
        return bool(ceph(self.config.conf, "osd", "stat", limit=LOOK_LIMIT).get("num_up_osds"))


class Gateway(Daemon):
    """S3, STS and IAM over the cluster; it keeps nothing itself."""

    def argv(self) -> list[str]:
        """See `Daemon.argv`."""
        return ["radosgw", "-c", str(self.config.conf), "-n", f"client.{self.name}", "-f"]

    def serves(self) -> bool:
        """Whether it answers at all."""
        try:
            with urllib.request.urlopen(self.config.url(self.name), timeout=LOOK_LIMIT) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def complete(self) -> None:
        """The administrator, the IAM it trusts, role and scratch bucket; the first gateway does it for both."""
        if self.name == GATEWAYS[0]:
            register(self.config)


def daemon(name: str, config: CephConfig) -> Daemon:
    """The daemon of this name."""
    return {"mon": Monitor, "osd": Osd}.get(name, Gateway)(name, config)
