"""The thread that sends this program's pings: in order for each check, again and again while a server is away, never in anybody's way."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from naas_client.checks import deliver, spool
from naas_client.checks.pings import GaveUp, Ping, send
from naas_client.errors import NaasError, Unavailable

MOST = 1000
"""Pings that wait in a program; further ones are dropped, and counted."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries for one check."""

EXIT_LIMIT = 1.5
"""Seconds that the end of a program waits for its pings; what is left is sent by a process of its own. A kernel that takes longer to end
is killed (after 2.5 s, `jupyter_client.KernelManager.shutdown_wait_time`)."""

log = logging.getLogger(__name__)


class Lane:
    """The pings of one check, in order, and when the first may be tried."""

    def __init__(self) -> None:
        self.pings: deque[Ping] = deque()
        self.due, self.pause, self.problem = 0.0, FIRST_PAUSE, ""


class Sender:
    """Sends pings in a thread of its own. Parameters: ``send``, sends one, as `naas_client.checks.pings.send` does."""

    def __init__(self, send: Callable[[Ping], None] = send, *, keeps: bool = True) -> None:
        self._send, self._keeps = send, keeps
        self._changed = threading.Condition()
        self._lanes: dict[tuple[str, int | None], Lane] = {}
        self._thread: threading.Thread | None = None
        self._ended = False
        self.problems: deque[str] = deque(maxlen=20)
        """Why pings were given up, the latest last."""

    def put(self, ping: Ping) -> None:
        """Send a ping soon. Never waits for a server."""
        with self._changed:
            if sum(len(lane.pings) for lane in self._lanes.values()) >= MOST:
                self._give_up(ping, "too many pings wait already")
                return
            self._lane(ping).pings.append(ping)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="naas-pings", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def waiting(self) -> list[tuple[Ping, str]]:
        """What has not arrived yet, the oldest first, and why (empty: it is on its way)."""
        with self._changed:
            found = [(ping, lane.problem) for lane in self._lanes.values() for ping in lane.pings]
        return sorted(found, key=lambda one: one[0].at)

    def flush(self, limit: float) -> bool:
        """Wait until everything has arrived, or was given up, for at most so many seconds; whether that is so. Each check is tried now."""
        end = time.monotonic() + limit
        with self._changed:
            for lane in self._lanes.values():
                lane.due = 0.0
            self._changed.notify_all()
            while self._lanes and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._lanes

    def close(self, limit: float = EXIT_LIMIT) -> None:
        """The program ends: wait a little for what no server has failed to take yet, leave the rest to a process of its own."""
        if self._thread is None:
            return
        end = time.monotonic() + limit
        with self._changed:
            while any(not lane.problem for lane in self._lanes.values()) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            self._ended = True
            rest = [ping for lane in self._lanes.values() for ping in lane.pings]
            self._lanes.clear()
        if rest and self._keeps:
            with contextlib.suppress(NaasError, OSError):
                spool.add(sorted(rest, key=lambda ping: ping.at))
                deliver.begin()

    def _lane(self, ping: Ping) -> Lane:
        return self._lanes.setdefault((ping.check, ping.project), Lane())

    def _give_up(self, ping: Ping, why: str) -> None:
        self.problems.append(f"{dt.datetime.now(dt.UTC):%H:%M} UTC: a ping for {ping.check[:100]} was given up: {why}")
        log.debug("%s", self.problems[-1])

    def _run(self) -> None:
        adopted = not self._keeps
        while True:
            adopted = adopted or self._adopt()
            if (found := self._next()) is None:
                return
            key, ping = found
            problem = gave_up = ""
            try:
                self._send(ping)
            except GaveUp as error:
                gave_up = str(error)
            except NaasError as error:
                problem = error.message
            except Exception as error:  # a mistake of ours must not end the thread
                gave_up = f"{type(error).__name__}: {error}"
            self._note(key, ping, problem, gave_up)

    def _adopt(self) -> bool:
        """What earlier programs have left comes first; False while it is just being sent, for which nobody waits."""
        with self._changed:  # whoever ends this program waits until what is taken is in its lanes
            if self._ended:
                return True
            try:
                left = spool.take()
            except Unavailable:
                return False
            except (NaasError, OSError):
                return True
            for ping in reversed(left):
                self._lane(ping).pings.appendleft(ping)
        return True

    def _next(self) -> tuple[tuple[str, int | None], Ping] | None:
        """The next ping that may be tried, when it may; None at the end."""
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                ready = [key for key, lane in self._lanes.items() if lane.due <= now]
                if ready:
                    return ready[0], self._lanes[ready[0]].pings[0]
                dues = [lane.due for lane in self._lanes.values()]
                self._changed.wait(min(dues) - now if dues else None)
            return None

    def _note(self, key: tuple[str, int | None], ping: Ping, problem: str, gave_up: str) -> None:
        with self._changed:
            lane = self._lanes.get(key)
            if lane is None:
                return
            if problem:
                lane.problem, lane.due = problem, time.monotonic() + lane.pause
                lane.pause = min(lane.pause * 2, LONGEST_PAUSE)
            else:
                lane.pings.popleft()
                lane.problem, lane.due, lane.pause = "", 0.0, FIRST_PAUSE
            if gave_up:
                self._give_up(ping, gave_up)
            del self._lanes[key]
            if lane.pings:
                self._lanes[key] = lane  # last in the row, so that all checks have their turn
            self._changed.notify_all()


_sender = Sender()


def sender() -> Sender:
    """This program's sender."""
    return _sender


def flush(limit: float = 10.0) -> bool:
    """Wait until this program's pings have arrived, for at most so many seconds; whether they have."""
    return _sender.flush(limit)


def waiting() -> list[tuple[Ping, str]]:
    """Pings of this program, and of earlier ones, that have not arrived yet, and why."""
    try:
        left = [(ping, "its program has ended") for ping in spool.look()]
    except (NaasError, OSError):
        left = []
    return [*left, *_sender.waiting()]


def _after_fork() -> None:
    """A forked child has no thread, and its parent sends what was waiting."""
    global _sender
    _sender = Sender()


atexit.register(lambda: _sender.close())
os.register_at_fork(after_in_child=_after_fork)
