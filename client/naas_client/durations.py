"""Durations as people write and read them."""

from __future__ import annotations

import re

from naas_client.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WRITTEN = re.compile(r"(\d{1,9})([smhdw]?)")


def seconds(text: str, what: str) -> int:
    """A duration such as ``90s``, ``30m``, ``2h``, ``1d``, ``1w``; a bare number is seconds.

    Parameters: ``what``, for people, with its article. Raises InvalidInput.
    """
    if not (found := _WRITTEN.fullmatch(text)):
        raise InvalidInput(f"{text[:50]} is not {what}. Write 90s, 30m, 2h or 1d.")
    return int(found[1]) * _UNITS[found[2] or "s"]


def written(duration: float) -> str:
    """A duration to read: ``0.5 s``, ``90 s``, ``2 h``, ``1 d 12 h``."""
    if duration < 120:
        return f"{duration:.1f} s" if duration % 1 else f"{duration:.0f} s"
    left, parts = round(duration), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        amount, left = divmod(left, size)
        parts += [f"{amount} {unit}"] if amount else []
    return " ".join(parts[:2])
