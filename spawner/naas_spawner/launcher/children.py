"""The processes the launcher knows, remembered in a file so that a restarted launcher still knows them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from naas_client.files import write_private_json
from pydantic import BaseModel, TypeAdapter

from naas_spawner.launcher import processes
from naas_spawner.launcher.protocol import Kind


@dataclass
class Child:
    """One launched process. ``pidfd`` is open while it runs; ``exit`` is its status as a shell counts it, None when unknown."""

    kind: Kind
    key: str
    pid: int
    started: int
    uid: int | None
    own: bool = True
    pidfd: int | None = None
    exit: int | None = None
    tree: dict[int, int | None] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.pidfd is not None

    def remember_tree(self) -> None:
        """Note the processes below it, before it ends and they lose their parent."""
        self.tree |= {pid: processes.started_at(pid) for pid in processes.descendants(self.pid)}


class Remembered(BaseModel):
    """What the state file keeps of a process."""

    kind: Kind
    key: str
    pid: int
    started: int
    uid: int | None

    @classmethod
    def of(cls, child: Child) -> Remembered:
        """What to keep of a child."""
        return cls(kind=child.kind, key=child.key, pid=child.pid, started=child.started, uid=child.uid)


_STATE = TypeAdapter(list[Remembered])


class Children:
    """All of them, by kind and key. Parameters: ``state``, the file (0600) that a successor reads."""

    def __init__(self, state: Path) -> None:
        self.state = state
        # Another installation on this machine may have people of the same name.
        self._installation = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
        self._all: dict[tuple[Kind, str], Child] = {}

    def get(self, kind: Kind, key: str) -> Child | None:
        """The process of that name, running or ended."""
        return self._all.get((kind, key))

    def mark(self, kind: Kind, key: str) -> str:
        """What a process of ours and all that it starts carry in their environment."""
        return f"{kind}:{key}@{self._installation}"

    def running(self) -> list[Child]:
        """Those that have not ended."""
        return [child for child in self._all.values() if child.running]

    def by_pid(self, pid: int) -> Child | None:
        """The running one with a pid."""
        return next((child for child in self.running() if child.pid == pid), None)

    def add(self, kind: Kind, key: str, pid: int, uid: int | None) -> Child:
        """Note a fresh child of ours."""
        child = Child(kind, key, pid, processes.started_at(pid) or 0, uid, pidfd=os.pidfd_open(pid))
        self._all[kind, key] = child
        self._write()
        return child

    def ended(self, child: Child, status: int | None) -> None:
        """Note the end of a process. Parameters: ``status``, from waitpid(2), None for a predecessor's child."""
        if child.pidfd is not None:
            os.close(child.pidfd)
        child.pidfd = None
        code = os.waitstatus_to_exitcode(status) if status is not None else None
        child.exit = 128 - code if code is not None and code < 0 else code
        self._write()

    def kill_leftovers(self, child: Child) -> None:
        """KILL what a process has left behind: its tree, strays with its mark and, as the last of a uid, what has that uid.

        Orphans become children of the launcher (it is a subreaper, prctl(2)), so only those below it can be its own.
        """
        others = {other.pid for other in self.running()}
        alone = os.geteuid() == 0 and not any(other.uid == child.uid for other in self.running())
        mark = self.mark(child.kind, child.key)

        def find() -> set[int]:
            found = {pid for pid, started in child.tree.items() if processes.started_at(pid) == started}
            found |= processes.marked(mark, child.uid)
            if alone and child.uid:
                found |= processes.owned(child.uid) & processes.descendants(os.getpid())
            return found - others - {os.getpid()}

        processes.kill_all(find)
        child.tree.clear()

    def adopt(self) -> Iterator[Child]:
        """The predecessor's processes that still run; a pid that is another process now is left alone."""
        for entry in self._read():
            child = Child(entry.kind, entry.key, entry.pid, entry.started, entry.uid, own=False)
            if processes.started_at(child.pid) != child.started:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.pidfd = os.pidfd_open(child.pid)
                self._all[child.kind, child.key] = child
                yield child

    def signal(self, child: Child, number: signal.Signals) -> None:
        """Signal a process if it runs."""
        if child.pidfd is not None:
            processes.send(child.pidfd, number)

    def forget_descriptors(self) -> None:
        """In a fresh fork: close what belongs to the launcher."""
        for child in self.running():
            if child.pidfd is not None:
                os.close(child.pidfd)

    def _write(self) -> None:
        write_private_json(self.state, [Remembered.of(child).model_dump() for child in self.running()])

    def _read(self) -> list[Remembered]:
        try:
            return _STATE.validate_json(self.state.read_bytes())
        except FileNotFoundError:
            return []
