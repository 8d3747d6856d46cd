"""Time that cannot be trusted: clocks are set, machines sleep, servers are away. None of these makes a check late.

What is kept in the database beside each commit is how far the wall clock is ahead of the time since the machine's start, and how much of
that time the machine slept. When the next transaction finds other values, time has passed in which nobody could ping here:

- the clock was set: pings and starts are moved by as much, so that what was to come in ten minutes still does; runs of a cron schedule
  are reckoned anew from there;
- the machine slept, or this server was away: a check whose grace ended meanwhile gets its whole grace again, from now.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import functools
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.rows import save
from naas_local.healthchecks.times import SECOND

log = logging.getLogger("naas.healthchecks")

TOLERANCE = SECOND
"""Microseconds by which a clock may be set without consequence; NTP does that."""


@dataclass(frozen=True)
class Reading:
    """All clocks at one moment. Parameters: ``ahead`` of the time since the machine's start, ``slept`` of it, microseconds."""

    boot: str
    ahead: int
    slept: int


def _microseconds(clock: int) -> int:
    return time.clock_gettime_ns(clock) // 1000


@functools.cache
def _boot() -> str:
    """Names the time since the machine's start."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_clocks() -> Reading:
    """The clocks of this machine (clock_gettime(2))."""
    since_boot = _microseconds(time.CLOCK_BOOTTIME)
    ahead = _microseconds(time.CLOCK_REALTIME) - since_boot
    return Reading(_boot(), ahead, since_boot - _microseconds(time.CLOCK_MONOTONIC))


def now() -> int:
    """The wall clock's time, microseconds since 1970."""
    return _microseconds(time.CLOCK_REALTIME)


class Clock:
    """Looks after the clocks in the writing thread. Parameters: ``read``, ``now``, other clocks for a test."""

    def __init__(self, read: Callable[[], Reading] = read_clocks, now: Callable[[], int] = now) -> None:
        self._read, self.now = read, now

    def look(self, db: sqlite3.Connection) -> None:
        """Put right what the clocks did since the last transaction."""
        reading = self._read()
        row = db.execute("SELECT boot, ahead, slept FROM clock").fetchone()
        kept = None if row is None else Reading(**row)
        moved = reading.ahead - kept.ahead if kept and kept.boot == reading.boot else 0
        slept = reading.slept - kept.slept if kept and kept.boot == reading.boot else 0
        if abs(moved) > TOLERANCE:
            log.warning("The clock was set by %.1f s.", moved / SECOND)
            self._move(db, moved)
        elif slept > TOLERANCE:
            log.warning("The machine slept for %.0f s.", slept / SECOND)
            self.been_away(db)
        elif kept and kept.boot == reading.boot:
            return
        db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)", (reading.boot, reading.ahead, reading.slept))

    def _move(self, db: sqlite3.Connection, by: int) -> None:
        db.execute("UPDATE checks SET last_ping = last_ping + ?1, last_start = last_start + ?1", (by,))
        db.execute("UPDATE notifications SET next_try = next_try + ? WHERE next_try > 0", (by,))
        for row in db.execute("SELECT * FROM checks WHERE alert_after IS NOT NULL").fetchall():
            check = Check.of(row)
            check.reckon()
            save(db, check)
        self.been_away(db)

    def been_away(self, db: sqlite3.Connection) -> None:
        """Give checks whose grace ended while nobody could ping a whole grace from now."""
        now = self.now()
        db.execute("UPDATE checks SET alert_after = ?1 + grace * ?2 WHERE alert_after <= ?1", (now, SECOND))


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


_libc = ctypes.CDLL(None, use_errno=True)
_ABSOLUTE_TOLD_OF_SETS = 1 | 2
"""TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET."""
FAR = 2**33 * SECOND
"""A moment after all others."""


class Alarm:
    """Calls when the wall clock shows a time, and at once when somebody sets the clock or the machine wakes up (timerfd_create(2)).

    Parameters: ``ring``, called on the event loop. Raises OSError where the kernel has none. Python has these calls from 3.13 on.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._fd = _libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        asyncio.get_running_loop().add_reader(self._fd, self._rings)

    def set(self, moment: int) -> None:
        """Ring at a moment; at once when it has passed."""
        value = _Timespec(*divmod(max(moment, 1) * 1000, 10**9))
        timer = _Itimerspec(_Timespec(0, 0), value)
        if _libc.timerfd_settime(self._fd, _ABSOLUTE_TOLD_OF_SETS, ctypes.byref(timer), None) == 0:
            return
        if ctypes.get_errno() != errno.ECANCELED:
            raise OSError(ctypes.get_errno(), "the timer cannot be set")
        self._ring()  # the clock was set just now

    def _rings(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        except OSError:
            pass  # ECANCELED: the clock was set
        self._ring()

    def close(self) -> None:
        """Never ring again."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
