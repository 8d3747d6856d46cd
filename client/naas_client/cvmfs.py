"""CVMFS as this machine has it: repositories below one folder, read-only (https://cvmfs.readthedocs.io).

A repository whose servers do not answer holds whoever looks at it, so a thread looks, and nobody waits for it longer than a limit.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

MOUNT_DIR = Path("/cvmfs")
"""Where programs expect it."""
LIMIT = 5.0
"""Seconds for a look; a repository that is mounted at its first use takes one or two."""
REVISION = "user.revision"
"""Extended attribute with which CVMFS's client tells the revision of a mounted repository."""

RepositoryName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?$")]
State = Literal["there", "missing", "empty", "silent", "refused"]

REMEDIES: dict[State, str] = {
    "missing": "is not on the machine. Operators mount it there; `cvmfs_config probe {name}` says what is wrong",
    "empty": "is an empty folder: it is not mounted. Operators see why with `cvmfs_config probe {name}`",
    "silent": "does not answer. It comes back when its servers do; operators see more with `cvmfs_config stat {name}`",
    "refused": "cannot be read. Operators check who may read it on the machine",
}
ERRORS: dict[int, State] = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EACCES: "refused",
    errno.EPERM: "refused",
}


@dataclass(frozen=True)
class Seen:
    """What is at a path. ``revision``: of a repository, as its client tells it; else empty."""

    path: Path
    state: State
    revision: str = ""

    @property
    def trouble(self) -> str:
        """A sentence with the remedy for what cannot be used; empty: it can."""
        if self.state == "there":
            return ""
        return f"{self.path} {REMEDIES[self.state].format(name=self.path.name)}."


class _Look(threading.Thread):
    """One look at one path. Several who want the same share it, so one that hangs stays the only one."""

    under_way: ClassVar[dict[Path, _Look]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        super().__init__(name=f"look at {path.name}", daemon=True)
        self.path = path
        self.seen = Seen(path, "silent")

    @classmethod
    def at(cls, path: Path) -> _Look:
        """The look at a path that is under way, or a new one."""
        with cls.lock:
            if (look := cls.under_way.get(path)) is None:
                look = cls.under_way[path] = cls(path)
                look.start()
            return look

    def run(self) -> None:
        """Look."""
        self.seen = _see(self.path)
        with self.lock:
            del self.under_way[self.path]


def look_at(paths: Iterable[Path], limit: float = LIMIT) -> list[Seen]:
    """What is at these paths, in their order, after at most ``limit`` seconds. It blocks, so it is not for an event loop."""
    looks = [_Look.at(path) for path in paths]
    end = time.monotonic() + limit
    for look in looks:
        look.join(max(0.0, end - time.monotonic()))
    return [look.seen for look in looks]


def _see(path: Path) -> Seen:
    try:
        with os.scandir(path) as entries:  # a repository is mounted when somebody first looks into it
            state: State = "there" if next(entries, None) is not None else "empty"
    except OSError as error:
        return Seen(path, ERRORS.get(error.errno or 0, "silent"))  # also a client that has died: ENOTCONN
    try:
        return Seen(path, state, os.getxattr(path, REVISION).decode("ascii", "replace")[:20])
    except OSError:
        return Seen(path, state)
