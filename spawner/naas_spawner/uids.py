"""Every person's own uid on a machine where the platform runs as root: recorded, and never given to anybody else again."""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naas_client.errors import InvalidInput
from naas_client.files import write_private_json
from pydantic import BaseModel, Field

LAST_UID = 59999
"""Debian's policy (9.2.2) leaves 60000 and above to other purposes."""


class Record(BaseModel):
    """What is written down. ``next`` only grows, so that the uid of a name that was taken out by hand is not given again."""

    next: int
    users: dict[str, int] = Field(default_factory=dict)


class Uids:
    """The record ``uids.json`` (0600): hub name → uid, and the next free one.

    Parameters: ``path``; ``first``, the first uid of the range for a record that does not exist yet.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first = path, first

    def uid(self, name: str) -> int:
        """The uid of a person, recorded at the first call. Raises InvalidInput when the range is used up."""
        with self._locked():
            record = self._read()
            if name not in record.users:
                uid = self._free(max(record.next, self.first))
                record = Record(next=uid + 1, users={**record.users, name: uid})
                write_private_json(self.path, record.model_dump())
            return record.users[name]

    def _read(self) -> Record:
        try:
            return Record.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Record(next=self.first)

    @staticmethod
    def _free(uid: int) -> int:
        """The first uid from here on that is no account of this machine."""
        taken = {entry.pw_uid for entry in pwd.getpwall()}
        while uid in taken:
            uid += 1
        if uid > LAST_UID:
            raise InvalidInput("All uids for people of this machine are given out. Set a wider range in `first_uid`.")
        return uid

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def make_folder(path: Path, uid: int | None, mode: int = 0o700) -> None:
    """Make a folder in a parent that only the platform can change, and give it to a person; a link in its place is refused.

    Raises InvalidInput when there is something else than a folder of that person.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=mode)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise InvalidInput(f"{path} is not a folder that can be used ({error.strerror}). Move it away.") from error
    try:
        if uid is not None:
            os.fchown(descriptor, uid, uid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
