"""What is mounted where: one folder per bucket (or prefix) in ``$XDG_CACHE_HOME/naas/mounts``, which outlives the mount."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from naas_client.errors import Conflict, InvalidInput
from naas_client.files import write_private
from naas_client.gateway import API_PATH
from naas_client.laptop.sessions import base_folder, private_folder
from naas_client.models import Document, Folder, StoragePlan
from naas_client.sockets import connect, process_of
from pydantic import ValidationError

from naas_storage.agent.uploads import Uploads
from naas_storage.plan import AgentPlan, Timings

RECORD = "mount.json"
VIEW = "view"
PATIENCE = 24 * 3600.0
"""Seconds that uploads are waited for at the end: who does not want to wait says so."""
LONGEST_PREFIX = 900
CONNECT_LIMIT = 5.0
"""Seconds."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Source(Document):
    """A bucket, or a prefix of one (without slashes at its ends)."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.prefix}".rstrip("/")


def source_of(text: str) -> Source:
    """``bucket`` or ``bucket/prefix`` as people type it. Raises InvalidInput."""
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise InvalidInput(
            f"{bucket[:80]!r} is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens."
        )
    steps = prefix.split("/") if prefix else []
    if len(prefix.encode()) > LONGEST_PREFIX or not prefix.isprintable() or {"", ".", ".."} & set(steps):
        raise InvalidInput("The part after the bucket cannot be a folder. Write it like bucket/some/folder.")
    return Source(bucket=bucket, prefix=prefix)


class Place(Document):
    """One mount: which source, of whom, where it appears, and what its agent is told."""

    service: str
    source: Source
    path: Path
    plan: AgentPlan

    @property
    def target(self) -> Path:
        """Where ``path`` leads: the agent's own link, which exists only while the mount answers."""
        return self.plan.view / self.plan.folders[0].name

    def keeper(self) -> int | None:
        """The process that keeps it mounted, i.e. listens on its socket; None when nobody does."""
        try:
            with connect(self.plan.socket, CONNECT_LIMIT) as channel:
                pid, uid, _ = process_of(channel)
        except OSError:
            return None
        return pid if uid == os.getuid() else None

    def pending(self) -> Uploads:
        """What an ended agent has left to send."""
        folder = self.plan.folders[0]
        return Uploads(folder, self.plan.cache / folder.name)

    def write(self) -> None:
        """Keep it for the other commands."""
        write_private(self.plan.run / RECORD, self.model_dump_json(indent=2))

    def show(self) -> None:
        """Make the path a link to the mount. Raises InvalidInput when something else is there."""
        if self.path.is_symlink():
            if not self._is_ours():
                raise InvalidInput(f"{self.path} is a link to something else. Choose another path.")
        elif self.path.exists():
            try:
                self.path.rmdir()
            except OSError as error:
                raise InvalidInput(f"{self.path} is not an empty folder. Choose another path.") from error
        temporary = self.path.with_name(f".{self.path.name[:200]}.{secrets.token_hex(4)}")
        try:
            temporary.symlink_to(f"{self.target}/.")  # the dot: no program can make an ordinary file there meanwhile
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InvalidInput(f"{self.path} cannot be made: {error.strerror}. Choose another path.") from error

    def hide(self) -> None:
        """Take the link away, if it is still ours."""
        with contextlib.suppress(OSError):
            if self.path.is_symlink() and self._leads_here():
                self.path.unlink()

    def _leads_here(self) -> bool:
        return self.path.readlink() == self.target

    def _is_ours(self) -> bool:
        return self.path.readlink().is_relative_to(mounts_folder())


def mounts_folder() -> Path:
    """Where the folders of all mounts of this account are."""
    return base_folder("XDG_CACHE_HOME", ".cache") / "mounts"


def absolute(path: str) -> Path:
    """A path as it was typed, from the root; links are not followed, since ours is one."""
    found = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() follows links
    return found.parent.resolve() / found.name


def place_for(
    service: str, username: str, source: Source, path: Path, storage: StoragePlan, *, read_only: bool
) -> Place:
    """The place of a source; its folder is the same each time, so that what was not sent is found again. Raises Conflict."""
    name = source.bucket.replace(".", "-")
    digest = hashlib.sha256(f"{service}\0{username}\0{source}".encode()).hexdigest()[:12]
    run = private_folder(mounts_folder() / f"{name}-{digest}")
    if other := next((one for one in places() if one.path == path and one.plan.run != run and one.keeper()), None):
        raise Conflict(f"{path} shows {other.source}. Run `naas unmount {path}` first.")
    plan = AgentPlan(
        key=username,
        username=username,
        folders=[Folder(name=name, bucket=source.bucket, prefix=source.prefix, read_only=read_only)],
        endpoint=storage.public_endpoint or storage.endpoint,
        region=storage.region,
        gateway_url=service + API_PATH,
        view=run / VIEW,
        run=run,
        cache=run / "cache",
        quota_bytes=storage.quota_bytes if str(source) == username else None,
        timings=Timings(drain_limit=PATIENCE),
    )
    return Place(service=service, source=source, path=path, plan=plan)


def places() -> Iterator[Place]:
    """All mounts of this account, ended ones too."""
    for record in sorted(mounts_folder().glob(f"*/{RECORD}")):
        with contextlib.suppress(OSError, ValidationError):
            yield Place.model_validate_json(record.read_text())
