"""Ports to open: maps and lists of ``PortSpec``, as the dashboard, the magics and the CLI write them.

``tosca.datatypes.network.PortSpec`` is of TOSCA Simple Profile 1.3 section 5.3.9; INDIGO's adds ``remote_cidr``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

SPECS = frozenset({"tosca.datatypes.network.PortSpec", "tosca.datatypes.indigo.network.PortSpec", "PortSpec"})
ANYWHERE = "0.0.0.0/0"
MAX_PORTS = 200

_SHORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp))?", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"\[?\s*([0-9]{1,5})\s*[,-]\s*([0-9]{1,5})\s*\]?", re.ASCII)

SCHEMA: dict[str, Any] = {
    "title": "Port",
    "type": "object",
    "properties": {
        "protocol": {"enum": ["tcp", "udp", "igmp"], "default": "tcp"},
        "source": {"type": "integer", "minimum": 1, "maximum": 65535},
        "source_range": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        },
        "target": {"type": "integer", "minimum": 1, "maximum": 65535},
        "target_range": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        },
        "remote_cidr": {"type": "string", "maxLength": 43},
    },
    "additionalProperties": False,
    "oneOf": [{"required": ["source"]}, {"required": ["source_range"]}],
}
"""JSON Schema of one rule; what it cannot say (order of a range, overlaps, address ranges) is `problems`."""


def canonical(value: Any) -> Any:
    """A rule in its full form: from ``443``, ``"8000-8010/udp"`` or the dashboard's ``{"source": "[80,90]"}``; else unchanged."""
    if type(value) is int:
        return {"protocol": "tcp", "source": value}
    if isinstance(value, str):
        match = _SHORT.fullmatch(value.strip())
        if not match:
            return value
        first, last = int(match[1]), int(match[2] or match[1])
        rule: dict[str, Any] = {"protocol": (match[3] or "tcp").lower()}
        return rule | ({"source": first} if first == last else {"source_range": [first, last]})
    return _full(value) if isinstance(value, Mapping) else value


def _full(value: Mapping[str, Any]) -> dict[str, Any]:
    rule = {key: item for key, item in value.items() if item not in (None, "")}
    rule["protocol"] = str(rule.get("protocol", "tcp")).lower()
    source = rule.get("source")
    if isinstance(source, str) and source.isascii() and source.strip().isdigit() and len(source) <= 9:
        rule["source"] = int(source)
    elif isinstance(source, str) and (match := _RANGE.fullmatch(source.strip())):
        del rule["source"]
        rule["source_range"] = [int(match[1]), int(match[2])]
    if rule.get("remote_cidr") is not None and rule["remote_cidr"] == ANYWHERE:
        del rule["remote_cidr"]
    return rule


def problems(rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and sentence of what is wrong with rules that fit `SCHEMA`."""
    if len(rules) > MAX_PORTS:
        yield "", f"At most {MAX_PORTS} ports."
        return
    good: list[tuple[str, Mapping[str, Any]]] = []
    for name, rule in rules.items():
        found = list(_rule_problems(rule))
        yield from ((f"{name}/{place}", message) for place, message in found)
        if not found:
            good.append((name, rule))
    for index, (name, rule) in enumerate(good):
        for other, earlier in good[:index]:
            if _overlap(rule, earlier):
                yield name, f"{described(rule)} is open already by {other!r}. Take one away."


def _rule_problems(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("source_range", "target_range"):
        if key in rule and rule[key][0] > rule[key][1]:
            yield key, "Write the lower port first."
    if "remote_cidr" in rule:
        try:
            ipaddress.ip_network(rule["remote_cidr"])
        except ValueError:
            yield "remote_cidr", _cidr_problem(rule["remote_cidr"])


def _cidr_problem(written: str) -> str:
    try:
        return f"{written} has bits beyond its mask. Write {ipaddress.ip_network(written, strict=False)}."
    except ValueError:
        return "Not an address range. Example: 192.168.0.0/24."


def span(rule: Mapping[str, Any]) -> tuple[int, int]:
    """First and last port of a rule."""
    first, last = rule.get("source_range") or (rule["source"], rule["source"])
    return first, last


def described(rule: Mapping[str, Any]) -> str:
    """A rule in its short form, for example ``8000-8010/tcp``."""
    first, last = span(rule)
    return f"{first if first == last else f'{first}-{last}'}/{rule['protocol']}"


def _overlap(rule: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if rule["protocol"] != other["protocol"]:
        return False
    (first, last), (low, high) = span(rule), span(other)
    here = ipaddress.ip_network(rule.get("remote_cidr", ANYWHERE))
    there = ipaddress.ip_network(other.get("remote_cidr", ANYWHERE))
    return first <= high and low <= last and here.version == there.version and here.overlaps(there)
