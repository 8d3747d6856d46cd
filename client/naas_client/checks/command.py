"""A command run as if nobody looked: its streams, signals and exit status pass unchanged, and the end of its output is remembered.

Signals are blocked here and read one by one (sigwaitinfo(2)), which says who sent them: what a terminal sends, the command has got itself.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence

WATCHED = frozenset(
    {signal.SIGCHLD, *(getattr(signal, f"SIG{name}") for name in ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2"))}
)
"""Signals that are passed on, and the one that says that the command ended."""

BY_KERNEL = 0x80
"""``SI_KERNEL`` in siginfo_t: a terminal's Ctrl-C, which reaches the whole process group (sigaction(2))."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses of a shell that cannot start a command (POSIX Shell, 2.8.2)."""

DRAIN_LIMIT = 1.0
"""Seconds of silence after the command's end: then its output is over, and a daemon that it has left behind is not waited for."""

PART = 65536


class Tail:
    """The last bytes of everything that was written."""

    def __init__(self, longest: int) -> None:
        self._longest, self._kept, self._lock = longest, bytearray(), threading.Lock()

    def add(self, part: bytes) -> None:
        """More was written."""
        with self._lock:
            self._kept += part
            del self._kept[: -self._longest]

    def text(self) -> str:
        """What is kept, as text."""
        with self._lock:
            return bytes(self._kept).decode("utf-8", "replace")


@contextlib.contextmanager
def signals_held() -> Iterator[set[int]]:
    """Have signals wait for `run` from now on, in this thread and those that begin here; the mask that the command is to have."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever started us may have ignored it, and then no end is told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        yield {int(one) for one in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(argv: Sequence[str], tail: Tail | None, mask: set[int]) -> int:
    """Run a command to its end, in `signals_held`; the exit status, negative for the signal that ended it.

    Parameters: ``tail`` gets what it writes to streams that are no terminal (a terminal stays its own); None: nothing is looked at;
    ``mask``: its signals that are blocked. Raises OSError when it cannot be started.
    """
    with _Streams(tail) as streams:
        process = subprocess.Popen(
            argv,
            stdout=streams.out,
            stderr=streams.err,
            close_fds=False,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
        )
        streams.follow()
        while process.poll() is None:
            found = signal.sigwaitinfo(WATCHED)
            if found.si_signo != signal.SIGCHLD and found.si_code != BY_KERNEL:
                process.send_signal(found.si_signo)
        streams.drain()
        return process.returncode


def end_as(status: int) -> int:
    """The exit status to end with; after a signal, end by that signal, as whoever waits for us expects."""
    if status >= 0:
        return status
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its own core, if any
    with contextlib.suppress(OSError, ValueError):  # KILL and STOP have no handler
        signal.signal(-status, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
    os.kill(os.getpid(), -status)
    return 128 - status


class _Streams:
    """Pipes for output that is looked at, each passed on byte for byte; one pipe where both streams are one file, so that order stays."""

    def __init__(self, tail: Tail | None) -> None:
        self.out: int | None = None
        self.err: int | None = None
        self._tail, self._pipes, self._copies = tail, dict[int, tuple[int, int]](), list[_Copy]()

    def __enter__(self) -> _Streams:
        if self._tail is not None:
            same = _same_file(1, 2)
            self.out = self._pipe(1)
            self.err = self.out if same else self._pipe(2)
        return self

    def __exit__(self, *_: object) -> None:
        for source, sink in self._pipes.values():  # of a command that could not be started
            os.close(source)
            os.close(sink)

    def _pipe(self, target: int) -> int | None:
        try:
            if os.isatty(target) or not os.fstat(target):
                return None
        except OSError:  # it was closed
            return None
        self._pipes[target] = os.pipe()
        return self._pipes[target][1]

    def follow(self) -> None:
        """The command has the pipes: pass on what comes."""
        for target, (source, sink) in self._pipes.items():
            os.close(sink)
            self._copies.append(_Copy(source, target, self._tail))
        self._pipes.clear()
        for copy in self._copies:
            copy.start()

    def drain(self) -> None:
        """The command has ended: pass on the rest."""
        for copy in self._copies:
            copy.drain()


class _Copy(threading.Thread):
    """Passes on one stream, until its last writer is gone; or nobody reads our output any more, which the command learns as without us."""

    def __init__(self, source: int, target: int, tail: Tail | None) -> None:
        super().__init__(daemon=True)
        self._source, self._target, self._tail = source, target, tail
        self._writing = False

    def run(self) -> None:
        """Copy."""
        with os.fdopen(self._source, "rb", buffering=0) as pipe, contextlib.suppress(OSError):
            while part := pipe.read(PART):
                self._writing = True
                if self._tail is not None:
                    self._tail.add(part)
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(self._target, rest) :]
                self._writing = False

    def drain(self) -> None:
        """Wait until all is passed on, however slowly it is read; not for more from children that the command has left behind."""
        self.join(DRAIN_LIMIT)
        while self.is_alive() and (self._writing or self._has_more()):
            self.join(DRAIN_LIMIT)

    def _has_more(self) -> bool:
        try:
            return bool(select.select([self._source], [], [], 0)[0])
        except (OSError, ValueError):  # it was just closed
            return False


def _same_file(one: int, other: int) -> bool:
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino) and not os.isatty(one)
