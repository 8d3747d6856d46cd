"""TOSCA's scalar-units: a number and a unit, for example ``4 GB`` (TOSCA Simple Profile in YAML 1.3, section 3.3.6)."""

from __future__ import annotations

import re
from decimal import Decimal

_SIZE = {"b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _SIZE[f"{_letter}b"] = 1000**_power
    _SIZE[f"{_letter}ib"] = 1024**_power
_NAMES = {unit: unit.upper().replace("IB", "iB") for unit in _SIZE} | {"kb": "kB", "kib": "KiB"}

UNITS: dict[str, dict[str, Decimal]] = {
    "scalar-unit.size": {unit: Decimal(factor) for unit, factor in _SIZE.items()},
    "scalar-unit.time": {
        "d": Decimal(86400),
        "h": Decimal(3600),
        "m": Decimal(60),
        "s": Decimal(1),
        "ms": Decimal("1e-3"),
        "us": Decimal("1e-6"),
        "ns": Decimal("1e-9"),
    },
    "scalar-unit.frequency": {
        "hz": Decimal(1),
        "khz": Decimal(10**3),
        "mhz": Decimal(10**6),
        "ghz": Decimal(10**9),
    },
}
"""Units by scalar-unit type, in lower case (they are case-insensitive), with their size in bytes, seconds or hertz."""

_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s{0,4}([a-zA-Z]{1,3})", re.ASCII)


def parsed(kind: str, value: object) -> tuple[Decimal, str]:
    """The amount in basic units and the canonical spelling of ``"4GB"``. Raises ValueError with a sentence for people."""
    match = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 40 else None
    factor = UNITS[kind].get(match[2].lower()) if match else None
    if match is None or factor is None:
        example = {"scalar-unit.time": "10 m", "scalar-unit.frequency": "2 GHz"}.get(kind, "4 GB")
        raise ValueError(f"Write a number and a unit, for example {example}.")
    unit = _NAMES.get(match[2].lower(), match[2])
    return Decimal(match[1]) * factor, f"{match[1]} {unit}"
