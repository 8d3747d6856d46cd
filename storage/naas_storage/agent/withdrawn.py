"""Names that a file lost while it was being sent: what the store took under them all the same is taken back.

rclone breaks an upload off when its file is removed or renamed. A store that has every byte by then keeps the object, and rclone, which
never heard of its success, leaves it there: after a minute the old name would be back in the folder. What rclone says at the level
INFO tells which names that can have happened to.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import datetime as dt
import errno
import logging
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from naas_client.models import Folder

from naas_storage.agent.engine import LINK_SUFFIX, Engine, in_cache, remote_name
from naas_storage.agent.probe import in_thread
from naas_storage.agent.rc import RcError

LOOKS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds after an upload was broken off at which the store is asked: it may finish what it has long after nobody waits any more."""
SETTLED_AFTER = 2
"""Looks that the end of an agent waits for."""
REMEMBERED = 60.0
"""Seconds for which what was queued is remembered when it waits no longer."""
JUST_SENT = 10.0
"""Seconds after an upload in which a renaming may have begun before its end, and so without its object."""
CLOSED_AFTER = 5_000_000
"""Microseconds that a program may take from its last write to the close."""
LAST_MOMENT = 0.08
"""Seconds after a close, shortly before `engine.WRITE_BACK`: a program that copies a file sets its time after the close."""
RC_LIMIT, PATH_LIMIT = 10.0, 60.0

_RENAMED = re.compile(r'vfs cache: renamed in cache to (".*")$')
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

log = logging.getLogger(__name__)
Identity = tuple[int, int]
"""Size in bytes and time in microseconds since 1970; rclone keeps the time of a file with its object."""


@dataclass
class Sent:
    """What was queued lately under a name, so that it is known again in the store; what was written later is never that."""

    at: float
    written_from: int
    written_until: int
    """Between these its time is, unless a program set that."""
    identities: set[Identity] = field(default_factory=set)
    """For such a program: as it was on the disk."""
    tried: bool = False
    """An upload has failed; the store may have taken it all the same."""
    done: bool = False

    def is_it(self, found: Identity | None) -> bool:
        """Whether an object is what was queued."""
        return found is not None and (found in self.identities or self.written_from <= found[1] <= self.written_until)

    def add(self, other: Sent) -> None:
        """What was queued before under the same name."""
        self.written_from = min(self.written_from, other.written_from)
        self.identities |= other.identities


@dataclass
class Name:
    """A name that a file lost while it was being sent."""

    at: float
    sent: Sent
    target: str = ""
    """Its name since then; empty when it was removed."""
    looks: int = 0
    once: bool = False
    """Nothing of it is on its way any more, so one look tells."""


class Withdrawn:
    """Follows the uploads of one folder. Parameter ``cache``: the folder's, of which rclone makes ``vfs`` and ``vfsMeta``."""

    def __init__(self, folder: Folder, cache: Path) -> None:
        self.folder = folder
        self._files = in_cache(folder, cache / "vfs")
        self._sent: dict[str, Sent] = {}
        self.names: dict[str, Name] = {}

    # -- what rclone says --

    def note(self, name: str, message: str, time: str) -> None:
        """Take a line of rclone's log about a file, and when it was written (RFC 3339)."""
        try:
            if message.startswith("vfs cache: queuing for upload"):
                self._queued(name, _microseconds(time))
            elif message.startswith("vfs cache: upload succeeded"):
                self._succeeded(name)
            elif message.startswith("vfs cache: upload canceled"):
                self._lost(name, _microseconds(time))
            elif message == "vfs cache: removed cache file as file deleted":
                self._removed(name, _microseconds(time))
            elif found := _RENAMED.match(message):
                self._renamed(name, str(ast.literal_eval(found[1])), _microseconds(time))  # Go's quotes are Python's
        except Exception:  # whoever reads the log must read on, or rclone waits for it
            log.exception("%s: what rclone said of %s is not understood: %s", self.folder.name, name, message)

    def _queued(self, name: str, time: int) -> None:
        sent = self._sent.get(name)
        if sent is None or sent.done:
            sent = self._sent[name] = Sent(self._now(), time - CLOSED_AFTER, time)
        sent.written_until = time
        self._sample(name)
        asyncio.get_running_loop().call_later(LAST_MOMENT, self._sample, name)

    def _succeeded(self, name: str) -> None:
        if sent := self._sent.get(name):
            sent.at, sent.done = self._now(), True
        if self._in_use(name):  # else it was removed while a program had it open, and nothing was sent
            self.names.pop(name, None)

    def failed(self, name: str) -> None:
        """Called when an upload has failed and will be tried again."""
        if sent := self._sent.get(name):
            sent.tried = True

    def _lost(self, name: str, time: int, target: str = "", once: bool = False) -> None:
        """Its upload was broken off."""
        sent, before = self._sent.pop(name, None), self.names.get(name)
        if sent and before:
            sent.add(before.sent)
        if sent := sent or (before.sent if before else None):
            sent.written_until = time
            self.names[name] = Name(self._now(), sent, target, once=once)

    def _removed(self, name: str, time: int) -> None:
        if (sent := self._sent.get(name)) and sent.tried and not sent.done:
            self._lost(name, time)
        for lost, entry in self.names.items():
            if lost == name:
                entry.at, entry.looks = self._now(), 0
            elif entry.target == name:
                entry.target = ""

    def _renamed(self, old: str, new: str, time: int) -> None:
        """Of a file that waited only there is nothing in the store, and of one sent long ago rclone knew."""
        for name, entry in list(self.names.items()):
            if entry.target == old:
                entry.target = new
                if name == new:  # it has its name back
                    del self.names[name]
        sent = self._sent.get(old)
        just_sent = sent is not None and sent.done and self._now() - sent.at < JUST_SENT
        if old in self.names or just_sent or (sent is not None and sent.tried and not sent.done):
            self._lost(old, time, new, once=just_sent and old not in self.names)
        now = self.names[old].sent if old in self.names else sent
        if now is not None:
            self._sent.pop(old, None)
            self._sent[new] = replace(now, at=self._now(), identities=set(now.identities), done=just_sent)

    def _sample(self, name: str) -> None:
        """What rclone would send now."""
        if (sent := self._sent.get(name)) and (identity := _of_file(self._files / name)):
            sent.at = self._now()
            sent.identities.add(identity)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # -- what is done about it --

    @property
    def unsettled(self) -> bool:
        """Whether a name was lost just now, so that the store may still have to be told."""
        return any(one.looks < SETTLED_AFTER for name, one in self.names.items() if not self._in_use(name))

    async def keep(self, engine: Engine, top: Path, pause: float) -> None:
        """Look for ever; ``top`` is where the folder is mounted, ``pause`` the seconds between two looks at the log's tale."""
        while True:
            for name, entry in list(self._due()):
                try:
                    await self._look(engine, top, name, entry)
                except (RcError, TimeoutError, OSError) as error:
                    log.info("%s: %s is not looked after yet: %s", self.folder.name, name, error)
                except Exception:  # a name that may come back is no reason to end the folder
                    log.exception("%s: %s could not be looked after", self.folder.name, name)
                    self._looked(name, entry)
            self._forget_old()
            await asyncio.sleep(pause)

    def sending(self, name: str) -> None:
        """Called again and again for a file whose upload takes long: its time may be set anew before the next try."""
        self._sample(name)

    def _due(self) -> Iterator[tuple[str, Name]]:
        """A name that a file has again is left to that file's own upload."""
        now = self._now()
        for name, entry in self.names.items():
            if now >= entry.at + LOOKS[entry.looks] and not self._in_use(name):
                yield name, entry

    def _in_use(self, name: str) -> bool:
        return os.path.lexists(self._files / name)

    def _forget_old(self) -> None:
        old = self._now() - REMEMBERED
        self._sent = {
            name: sent for name, sent in self._sent.items() if sent.at > old or (not sent.done and self._in_use(name))
        }

    async def _look(self, engine: Engine, top: Path, name: str, entry: Name) -> None:
        if self.names.get(name) is not entry:  # settled while another name was looked after
            return
        if await self._is_back(engine, name, entry):
            if entry.target and await self._waits(engine, entry.target):
                return
            only = bool(entry.target) and await self._stat(engine, entry.target) is None
            await self._make_visible(engine, top, name)
            if self.names.get(name) is entry and await self._is_back(engine, name, entry):
                log.info("%s: %s was %s while it was sent", self.folder.name, name, "renamed" if only else "withdrawn")
                act = partial(_rename, top, name, entry.target) if only else partial(_remove, top, name)
                try:
                    await in_thread(partial(_unless, self._files / name, act), PATH_LIMIT)
                except _Hidden:
                    if not only:  # else it would be the only copy
                        await engine.rc("operations/deletefile", RC_LIMIT, fs=remote_name(self.folder), remote=name)
        self._looked(name, entry)

    def _looked(self, name: str, entry: Name) -> None:
        if self.names.get(name) is entry:
            entry.looks += 1
            if entry.once or entry.looks == len(LOOKS):
                del self.names[name]

    async def _is_back(self, engine: Engine, name: str, entry: Name) -> bool:
        """Whether the store has under a lost name what was sent."""
        found, now = _of_object(await self._stat(engine, name)), self._sent.get(entry.target)
        return entry.sent.is_it(found) or (now is not None and now.is_it(found))

    async def _stat(self, engine: Engine, name: str) -> dict[str, Any] | None:
        options = {"filesOnly": True, "metadata": True}
        answer = await engine.rc("operations/stat", RC_LIMIT, fs=remote_name(self.folder), remote=name, opt=options)
        return answer.get("item")

    async def _waits(self, engine: Engine, name: str) -> bool:
        return any(one["name"] == name for one in (await engine.rc("vfs/queue", RC_LIMIT))["queue"])

    async def _make_visible(self, engine: Engine, top: Path, name: str) -> None:
        """Have rclone list the object's folder: removed there, no program can make a file of that name at the same time."""
        path = PurePosixPath(name)
        while len(path.parts) > 1 and not await in_thread(partial(os.path.lexists, top / path.parent), PATH_LIMIT):
            path = path.parent
        await engine.rc("vfs/forget", RC_LIMIT, file=str(path))


def _unless(file: Path, act: partial[None]) -> None:
    """Act, unless a program has made a file of that name again."""
    if not os.path.lexists(file):
        with contextlib.suppress(FileNotFoundError):
            act()


class _Hidden(OSError):
    """The folder shows something else at an object's path: a program has made a link there, or in the place of a folder above."""


@contextlib.contextmanager
def _place(top: Path, name: str) -> Iterator[tuple[int, str]]:
    """An object's folder, found without following a link, and its name there. Raises _Hidden, or OSError when there is no such folder."""
    parts = PurePosixPath(name.removesuffix(LINK_SUFFIX)).parts
    folder = os.open(top, os.O_PATH | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            try:
                below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            except NotADirectoryError as error:
                raise _Hidden(error.errno, error.strerror, name) from error
            os.close(folder)
            folder = below
        yield folder, parts[-1]
    finally:
        os.close(folder)


def _check_shown(folder: int, name: str, link: bool) -> None:
    if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode) != link:
        raise _Hidden(errno.EEXIST, os.strerror(errno.EEXIST), name)


def _remove(top: Path, name: str) -> None:
    with _place(top, name) as (folder, last):
        _check_shown(folder, last, name.endswith(LINK_SUFFIX))
        os.unlink(last, dir_fd=folder)


def _rename(top: Path, name: str, target: str) -> None:
    with _place(top, name) as (folder, last), _place(top, target) as (other, new):
        _check_shown(folder, last, name.endswith(LINK_SUFFIX))
        os.rename(last, new, src_dir_fd=folder, dst_dir_fd=other)


def _of_file(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns // 1000


def _of_object(item: dict[str, Any] | None) -> Identity | None:
    try:
        return int(item["Size"]), _microseconds(item["Metadata"]["mtime"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return None


def _microseconds(stamp: str) -> int:
    """Since 1970, of a time in RFC 3339 with up to nine digits after the second."""
    return (dt.datetime.fromisoformat(stamp) - _EPOCH) // dt.timedelta(microseconds=1)
