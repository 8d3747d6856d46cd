"""What is published to whom, and the only thing an agent may ask for: its own folders, one at a time.

On disk, below the base folder (all root's)::

    .state.json         0600  what is published; survives a restart of the helper, as the mounts do
    <key>/              0711
        ctl/            tmpfs 0750 root:gid, read-only: the agent's socket `s` (0600, the uid's)
        s3/             tmpfs 0750 root:gid, read-only: one folder (root's, 0555) per mount
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from naas_client.files import write_private_json
from naas_client.names import is_server_key
from pydantic import TypeAdapter

from naas_storage.mounts import kernel
from naas_storage.mounts.published import Name, Refused, Server

log = logging.getLogger(__name__)


class Mounts:
    """All published servers below one base folder. Methods may be called from several threads."""

    def __init__(self, base: Path) -> None:
        base.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.base = base.resolve()
        self.base.chmod(0o711)
        self.servers: dict[str, Server] = {}
        self._lock = threading.RLock()

    def control(self, key: str) -> Path:
        """The folder with the agent's socket."""
        return self.base / key / "ctl"

    def view(self, key: str) -> Path:
        """The folder with the mounts."""
        return self.base / key / "s3"

    def publish(self, server: Server) -> None:
        """Make a server's folders. Published again for the same person: what is new is added, what is gone or is to have other
        rights is taken away, the rest goes on (so does whoever sees the view in a container); for somebody else all is made anew.
        """
        with self._lock:
            before = self.servers.get(server.key)
            if not server.succeeds(before):
                self.unpublish(server.key)
            elif before is not None:
                self._withdraw(server.key, set(before.names) - set(server.names))
            try:
                self._make(server)
            except OSError:
                self._remove(server.key)
                raise
            self.servers[server.key] = server
            self._save()
        log.info("published %s for %d:%d: %s", server.key, server.uid, server.gid, [one.name for one in server.names])

    def _withdraw(self, key: str, names: set[Name]) -> None:
        with self.writable(self.view(key)) as view:
            for one in names:
                kernel.detach(view / one.name)
                with contextlib.suppress(FileNotFoundError):
                    (view / one.name).rmdir()

    def _make(self, server: Server) -> None:
        top = self.base / server.key
        top.mkdir(mode=0o711, exist_ok=True)
        top.chmod(0o711)
        for folder in (self.control(server.key), self.view(server.key)):
            folder.mkdir(mode=0o700, exist_ok=True)
            if not kernel.mounts_below(folder):
                kernel.mount_tmpfs(folder, 0o750, server.gid)
        with self.writable(self.view(server.key)) as view:
            for one in server.names:
                # Made even when it is there: a crash between tmpfs and mkdir leaves none. mkdir(2) touches no mount.
                with contextlib.suppress(FileExistsError):
                    (view / one.name).mkdir(mode=0o555)

    @contextlib.contextmanager
    def writable(self, folder: Path) -> Iterator[Path]:
        """A tmpfs of ours, writable for the length of the block; for root alone, as its mode says."""
        kernel.set_read_only(folder, False)
        try:
            yield folder
        finally:
            kernel.set_read_only(folder, True)

    def unpublish(self, key: str) -> None:
        """Detach everything of a server and remove its folders; what is not there is no error."""
        with self._lock:
            if self.servers.pop(key, None) is not None:
                log.info("unpublished %s: %d mounts detached", key, self._remove(key))
                self._save()

    def unpublish_all(self) -> None:
        """Leave nothing behind."""
        for key in list(self.servers):
            self.unpublish(key)

    def _remove(self, key: str) -> int:
        count = 0
        for folder in (self.control(key), self.view(key), self.base / key):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                count += kernel.detach(folder)
                folder.rmdir()  # never a recursive removal: below the mounts there is nothing
        return count

    # -- what an agent may ask for; uid and gid are the kernel's word (SO_PEERCRED) --

    def take(self, key: str, name: str, uid: int, gid: int) -> int:
        """Mount a folder anew, whatever was there, and give the descriptor to serve it by. The caller closes it."""
        with self._lock:
            target, one = self._offered(key, name, uid, gid)
            kernel.detach(target)
            descriptor = kernel.mount_fuse(target, uid, gid, one.read_only)
        log.info("%s: mounted %s%s", key, name, " read-only" if one.read_only else "")
        return descriptor

    def tune(self, key: str, name: str, uid: int, gid: int) -> None:
        """Raise the read-ahead of a mount that is served now."""
        with self._lock:
            kernel.raise_read_ahead(self._offered(key, name, uid, gid)[0])

    def drop(self, key: str, name: str, uid: int, gid: int) -> None:
        """Take a mount away; the bare, read-only folder stays."""
        with self._lock:
            kernel.detach(self._offered(key, name, uid, gid)[0])

    def _offered(self, key: str, name: str, uid: int, gid: int) -> tuple[Path, Name]:
        server = self.servers.get(key)
        if server is None or (uid, gid) != (server.uid, server.gid):
            raise Refused(f"{uid}:{gid} has no mounts here")
        one = next((one for one in server.names if one.name == name), None)
        if one is None:
            raise Refused(f"{name!r:.80} is not offered to this server")
        # The tmpfs is root's and read-only, so the path cannot be, or become, a link.
        return self.view(key) / one.name, one

    # -- restart --

    def recover(self) -> None:
        """After a start: take over what is published and mounted still, take away every other leftover."""
        with self._lock:
            for server in self._load():
                if kernel.mounts_below(self.view(server.key)):
                    self._make(server)
                    self.servers[server.key] = server
            for key in {entry.name for entry in self.base.iterdir()} - set(self.servers):
                if is_server_key(key):
                    log.info("leftover %s: %d mounts detached", key, self._remove(key))
            self._save()

    @property
    def _state(self) -> Path:
        return self.base / ".state.json"

    def _save(self) -> None:
        write_private_json(self._state, [server.model_dump() for server in self.servers.values()])

    def _load(self) -> list[Server]:
        try:
            return _SERVERS.validate_python(json.loads(self._state.read_text()))
        except FileNotFoundError:
            return []
        except ValueError as error:
            log.warning("the state file cannot be read and is begun anew: %s", error)
            return []


_SERVERS = TypeAdapter(list[Server])
