"""The data folder of one installation: where everything persistent and every socket lives (see docs/architecture.md)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

from naas_client.errors import Conflict, InvalidInput
from naas_client.files import secret_file, write_private, write_private_json

from naas_local.ports import GUARDED, holder, is_free, is_guarded, part_port

MARKER = "ports.json"
STORE = "object-store"
SPAWNER = "spawner"
LOCK = "lock"
PUBLIC_PORT = 8000
FIXED = "iam"
"""The embedded IAM's port is part of its issuer, and the issuer is part of everybody's identity: it never moves."""


class DataFolder:
    """Paths, secrets and ports of one installation. Parameters: ``root``, made absolute, created by `create`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.site = self.run / "site.yaml"
        self.state = self.run / "supervisor.json"
        self.launcher_socket = self.run / "launcher.sock"
        self.mounts = self.run / "mounts"
        self.mounts_socket = self.run / "mounts.sock"
        self._lock: int | None = None

    def part(self, name: str) -> Path:
        """The state folder of a part, made on first use with mode 0700."""
        folder = self.root / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def create(self) -> None:
        """Make the folders; those on the way to people's homes are passable (0711), the others private."""
        for folder, mode in (
            (self.root, 0o711),
            (self.run, 0o711),
            (self.mounts, 0o711),
            (self.root / "homes", 0o711),
            (self.root / "servers", 0o711),
            (self.logs, 0o700),
            (self.root / "secrets", 0o700),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)

    def lock(self) -> None:
        """Claim the folder, made where it is missing, for this process; the claim ends with it.

        Raises InvalidInput when other things are in it, whose modes we would change; Conflict when another supervisor has it.
        """
        if not self._is_ours():
            raise InvalidInput(f"{self.root} was not made by `naas up` and has files in it. Choose another --data.")
        self.run.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"`naas up` already runs with {self.root}. See `naas status --data {self.root}`, or choose another --data."
            ) from None

    def _is_ours(self) -> bool:
        return (self.run / LOCK).is_file() or not self.root.exists() or not any(self.root.iterdir())

    def wipe(self) -> None:
        """Remove everything (``--fresh``). Raises InvalidInput for a folder that is not ours."""
        if not self.root.exists():
            return
        if not self._is_ours():
            raise InvalidInput(
                f"{self.root} was not made by `naas up`, so --fresh does not delete it. Choose another --data."
            )
        for entry in self.root.iterdir():
            if entry == self.run:
                self._wipe_run()
            elif entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _wipe_run(self) -> None:
        for entry in self.run.iterdir():
            if entry.name == LOCK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @property
    def containers_socket(self) -> Path:
        """Accepts while containers may run."""
        return self.run / "containers.sock"

    @property
    def object_store(self) -> str:
        """The object store that keeps this folder's objects: "embedded" or "ceph"; empty before the first start."""
        if (self.root / STORE).exists():
            return (self.root / STORE).read_text().strip()
        return "embedded" if (self.root / "store").exists() else ""

    def choose_object_store(self, wanted: str | None) -> str:
        """The store to start: as last time, else ``wanted``, else the embedded one; remembered.

        Raises Conflict when ``wanted`` is another than the one that has the objects: uploads still pending on this
        machine would land in a store that lacks all the others.
        """
        known = self.object_store
        if wanted and known and wanted != known:
            raise Conflict(
                f"The objects of {self.root} are in the {known} store. Leave out --object-store, choose another --data, or start "
                "over with --fresh."
            )
        chosen = known or wanted or "embedded"
        write_private(self.root / STORE, chosen)
        return chosen

    @property
    def spawner(self) -> str:
        """Where servers ran last time: "local" (also before the first start) or "docker"."""
        file = self.root / SPAWNER
        return file.read_text().strip() if file.exists() else "local"

    def remember_spawner(self, chosen: str) -> None:
        """For the next start."""
        write_private(self.root / SPAWNER, chosen)

    def secret(self, name: str) -> Path:
        """The file of a secret, generated on first use."""
        path = self.root / "secrets" / name
        secret_file(path)
        return path

    def known_ports(self) -> dict[str, int]:
        """The ports of the last start, by name; the public one is ``public``."""
        file = self.root / MARKER
        found: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def choose_ports(self, names: tuple[str, ...], public: int | None) -> dict[str, int]:
        """A port per name, the same as last time where it is free (and, as root, guarded: see `part_port`).

        Raises Conflict, naming who holds it, when a port that must not move is taken: the public one and the IAM's.
        """
        known = self.known_ports()
        known["public"] = public or known.get("public", PUBLIC_PORT)
        ports: dict[str, int] = {}
        for name in ("public", *names):
            port = known.get(name)
            if port and not is_free(port):
                if name == "public":
                    raise Conflict(f"Port {port} is held by {_who(port)}. Stop it, or choose another with --port.")
                if name == FIXED:
                    raise Conflict(
                        f"Port {port} is held by {_who(port)}, and the embedded IAM of {self.root} cannot move to another: its "
                        "address is part of everybody's identity. Stop that program, or start over with --fresh."
                    )
                port = None
            if port and name not in ("public", FIXED) and not _safe(port):
                port = None
            ports[name] = port or _unused(set(ports.values()))
        write_private_json(self.root / MARKER, {**known, **ports})
        return ports


def _who(port: int) -> str:
    return holder(port) or "another program"


def _safe(port: int) -> bool:
    """Whether a port that an earlier version chose may stay: as root, people's processes must not be able to take it."""
    return os.geteuid() != 0 or is_guarded(port) or not is_guarded(GUARDED.start)


def _unused(taken: set[int]) -> int:
    while (port := part_port()) in taken:
        pass
    return port
