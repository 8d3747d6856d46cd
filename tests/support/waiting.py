"""The one way a test waits: for a condition, with a limit, and a sentence when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LOOK = 0.02


def wait_for(condition: Callable[[], Any], what: str, limit: float = 60) -> Any:
    """The first true value of a condition; fails with a sentence after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {limit:g} s"
        time.sleep(LOOK)
    return value
