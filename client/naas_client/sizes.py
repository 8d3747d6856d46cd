"""Sizes of memory and files as people write and read them; always binary, as `df -h` and cgroups count."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_WRITTEN = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)\s?([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)


def parse_size(value: object) -> int:
    """Bytes of ``"4G"``, ``"512 MiB"`` or a whole number of bytes.

    Raises ValueError for anything else: a sign, an unknown unit, a fraction of a byte, a boolean.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 32 else None
    size = float(match[1]) * 1024 ** _UNITS[match[2].lower()] if match else 0
    if size < 1 or size != int(size):
        raise ValueError("a size is a positive number with K, M, G or T, for example 4G")
    return int(size)


def format_size(size: int) -> str:
    """A size with its true name and at most three digits, for example ``8 GiB`` or ``62.4 GiB``."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1000 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def format_files(count: int, size: int) -> str:
    """So many files of so many bytes together, for example ``2 files (1.5 MiB)``."""
    return f"{count} file{'' if count == 1 else 's'} ({format_size(size)})"


def _parse(value: Any) -> int:
    return parse_size(value)


Size = Annotated[int, BeforeValidator(_parse, json_schema_input_type=int | str), Field(examples=["4G"])]
"""A settings field in bytes that is written like ``4G``."""
