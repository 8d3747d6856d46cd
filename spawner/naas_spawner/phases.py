"""The phases of a start, as the progress page shows them: what is done, what runs now, how long it usually takes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["expected", "now", "done", "degraded", "failed"]


@dataclass(frozen=True)
class Phase:
    """A phase by its stable name. ``lane``: which of the three parallel lines it belongs to."""

    name: str
    title: str
    lane: Literal["access", "files", "server"]


GROUPS = Phase("groups", "Groups checked", "access")
BUCKET = Phase("bucket", "Bucket ready", "files")
FOLDERS = Phase("folders", "Folders connected", "files")
PLACE = Phase("place", "Place found", "server")
IMAGE = Phase("image", "Image downloading", "server")
SERVER = Phase("server", "Server starting", "server")
LAB = Phase("lab", "Lab answers", "server")

KEPT = 20
"""Starts of a profile that its usual time is the median of."""


class UsualTimes:
    """How long starts of a profile took, phase by phase, since the hub started."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, profile: str, phase: str, seconds: float) -> None:
        """Note one duration; the phase ``""`` is the whole start."""
        self._seconds[profile, phase].append(seconds)

    def median(self, profile: str, phase: str = "") -> float | None:
        """The usual duration in seconds; None when there was no start yet."""
        times = self._seconds.get((profile, phase))
        return round(statistics.median(times), 2) if times else None


class Progress:
    """One start. Events are kept, so that a page that comes late sees all of them.

    Parameters: ``phases``, those that this kind of spawner has; ``profile``, its slug; ``usual``, the times of earlier starts.
    """

    def __init__(self, phases: tuple[Phase, ...], profile: str, usual: UsualTimes) -> None:
        self._phases, self._profile, self._usual = phases, profile, usual
        self._started = time.monotonic()
        self._began: dict[str, float] = {}
        self._over: set[str] = set()
        self._events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._closed = False
        for phase in phases:
            self._add(phase, "expected", "", usual.median(profile, phase.name))

    def begin(self, phase: Phase, detail: str = "") -> None:
        """A phase runs now."""
        self._began[phase.name] = time.monotonic()
        self.note(phase, detail)

    def note(self, phase: Phase, detail: str) -> None:
        """Something to say of a phase that runs."""
        self._add(phase, "now", detail, self._usual.median(self._profile, phase.name))

    def end(self, phase: Phase, detail: str = "", state: State = "done") -> None:
        """A phase is over: done, or not as it should be and why (``detail``)."""
        seconds = time.monotonic() - self._began.get(phase.name, self._started)
        self._over.add(phase.name)
        if state == "done":
            self._usual.add(self._profile, phase.name, seconds)
        self._add(phase, state, detail, round(seconds, 2))

    def close(self, succeeded: bool) -> None:
        """The start is over; a phase that still runs at a failure is the one that failed."""
        if succeeded:
            self._usual.add(self._profile, "", time.monotonic() - self._started)
        for phase in self._phases:
            if not succeeded and phase.name in self._began and phase.name not in self._over:
                self.end(phase, state="failed")
        self._closed = True
        self._changed.set()

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        """All events so far and each new one, until the start is over."""
        seen = 0
        while True:
            self._changed.clear()
            for event in self._events[seen:]:
                seen += 1
                yield dict(event)
            if seen == len(self._events) and self._closed:
                return
            if seen == len(self._events):
                await self._changed.wait()

    def _add(self, phase: Phase, state: State, detail: str, seconds: float | None) -> None:
        message = f"{phase.title}: {detail}" if detail else phase.title
        self._events.append(
            {
                "progress": 5 + round(90 * len(self._over) / len(self._phases)),
                "message": message,
                "phase": phase.name,
                "title": phase.title,
                "lane": phase.lane,
                "state": state,
                "seconds": seconds,
                "at": round(time.monotonic() - self._started, 2),
                "detail": detail,
            }
        )
        self._changed.set()
