"""How often somebody may ask."""

from __future__ import annotations

import math
import time

MOST_KEPT = 100_000
"""How many are remembered before those that can be forgotten are."""


class Allowance:
    """How often each one may come: so many a minute, all of them at once if it likes. Parameters: ``per_minute``; 0 is no limit."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._left: dict[str, tuple[float, float]] = {}

    @property
    def pause(self) -> int:
        """Seconds after which one more is allowed for certain (``Retry-After``, RFC 9110 §10.2.3)."""
        return math.ceil(60 / self._most)

    def take(self, who: str) -> bool:
        """Whether one more is allowed now; it then counts."""
        if not self._most:
            return True
        now = time.monotonic()
        if len(self._left) > MOST_KEPT:
            self._left = {
                one: kept for one, kept in self._left.items() if now - kept[1] < 60
            }  # the others have it all again
        left, at = self._left.get(who, (self._most, now))
        left = min(self._most, left + (now - at) * self._most / 60)
        self._left[who] = (left - 1 if left >= 1 else left, now)
        return left >= 1
