"""A circuit breaker: after some failures in a row, calls fail at once for a while, then one is let through to see."""

from __future__ import annotations

import time

FAILURES_TO_OPEN = 5
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 20.0
"""Seconds; short, because a part that was restarted should be used again soon."""


class Circuit:
    """State of one service as its callers experience it."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until = 0.0
        self.last_error = ""

    @property
    def is_open(self) -> bool:
        """Whether calls are held back now."""
        return self._failures >= FAILURES_TO_OPEN

    def allows(self) -> bool:
        """Whether a call may be made; while open, one caller per pause gets True."""
        if not self.is_open:
            return True
        now = time.monotonic()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause
        return True

    def succeeded(self) -> None:
        """The service answered."""
        self._failures, self._pause, self.last_error = 0, FIRST_PAUSE, ""

    def failed(self, why: str) -> None:
        """The service did not answer, or with a server error."""
        self._failures += 1
        self.last_error = why
        if self.is_open:
            self._open_until = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
