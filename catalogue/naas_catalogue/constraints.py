"""Constraints of an input (TOSCA Simple Profile in YAML 1.3, section 3.6.3), as files write them and as JSON Schema says them."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from naas_catalogue import units
from naas_catalogue.documents import Decimal, Mapping, plain_text
from naas_catalogue.patterns import compiled
from naas_catalogue.reports import Report

MAX_CHOICES = 500

_BOUNDS = {
    "greater_or_equal": "minimum",
    "greater_than": "exclusiveMinimum",
    "less_or_equal": "maximum",
    "less_than": "exclusiveMaximum",
}
_NUMBERS = frozenset({"integer", "float"})
_WRITTEN = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)


class Constraints(BaseModel):
    """What an input's value must obey, beside its type."""

    model_config = ConfigDict(frozen=True)

    choices: list[Any] | None = None
    bounds: dict[str, Any] = {}
    """JSON Schema's word → number, or scalar-unit as it is written."""
    min_length: int | None = None
    max_length: int | None = None
    pattern: str = ""

    def lengths(self, kind: str) -> dict[str, int]:
        """JSON Schema of the lengths; ``kind`` is Length, Items or Properties."""
        given = {f"min{kind}": self.min_length, f"max{kind}": self.max_length}
        return {word: length for word, length in given.items() if length is not None}


def read(raw: Any, kind: str, report: Report, line: int) -> Constraints:
    """Constraints of a definition; both spellings, a list of single clauses and one mapping. What cannot be used is reported.

    Parameters: ``kind``, TOSCA type of the input.
    """
    clauses = [raw] if isinstance(raw, Mapping) else raw if isinstance(raw, list) else []
    if raw is not None and not isinstance(raw, Mapping | list):
        report.warning("Constraints are a list, for example `- valid_values: [1, 2]`; these are ignored.", line)
    found: dict[str, Any] = {"bounds": {}}
    for clause in clauses:
        if not isinstance(clause, Mapping):
            report.warning("A constraint has a name, for example `in_range: [1, 10]`; this one is ignored.", line)
            continue
        for name, value in clause.items():
            try:
                _take(found, name, value, kind)
            except ValueError as error:
                report.warning(f"Constraint {name}: {error}. It is ignored.", clause.at(name))
    return Constraints(**found)


def _take(found: dict[str, Any], name: str, value: Any, kind: str) -> None:
    if name in _BOUNDS:
        found["bounds"][_BOUNDS[name]] = _bound(value, kind)
    elif name == "in_range":
        _take_range(found, value, kind)
    elif name in ("valid_values", "equal"):
        values = value if name == "valid_values" else [value]
        if not isinstance(values, list) or not values or any(isinstance(item, dict | list) for item in values):
            raise ValueError("give a list of values")
        if len(values) > MAX_CHOICES:
            raise ValueError(f"more than {MAX_CHOICES} values")
        found["choices"] = [typed(item, kind) for item in values]
    elif name in ("length", "min_length", "max_length"):
        if type(value) is not int or value < 0:
            raise ValueError("give a whole number")
        found.update({key: value for key in ("min_length", "max_length") if name in ("length", key)})
    elif name == "pattern":
        compiled(plain_text(value))
        found["pattern"] = plain_text(value)
    else:
        raise ValueError("there is no such constraint in TOSCA")


def _take_range(found: dict[str, Any], value: Any, kind: str) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("give the lowest and the highest value, for example [1 GB, 100 GB]")
    bounds = {}
    for word, bound in zip(("minimum", "maximum"), value, strict=True):
        if bound != "UNBOUNDED":
            bounds[word] = _bound(bound, kind)
    found["bounds"].update(bounds)


def _bound(value: Any, kind: str) -> Any:
    if kind in units.UNITS:
        return units.parsed(kind, value)[1]
    if isinstance(value, str):
        return typed(value, kind) if kind in _NUMBERS else _wrong("a number")
    number = _number(value)
    return value if isinstance(value, int) else number


def typed(value: Any, kind: str) -> Any:
    """A value of a file as a JSON value of a TOSCA type. Raises ValueError."""
    if kind in units.UNITS:
        return units.parsed(kind, value)[1]
    if kind == "integer":
        return _integer(value)
    if kind == "float":
        return _number(value)
    if kind == "boolean":
        return _boolean(value)
    if kind in ("list", "map") or isinstance(value, dict | list):
        return plain_values(value)
    return "" if value is None else plain_text(value)


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if (
        isinstance(value, str)
        and len(value) <= 19
        and value.removeprefix("-").isascii()
        and value.removeprefix("-").isdigit()
    ):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else _wrong("a whole number")


def _number(value: Any) -> float:
    plain = _WRITTEN.fullmatch(value) if isinstance(value, str) else isinstance(value, int | float)
    try:
        number = float(value) if plain and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else _wrong("a number")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "false": False, "no": False}
    word = value.strip().lower() if isinstance(value, str) else ""
    return words[word] if word in words else _wrong("true or false")


def _wrong(wanted: str) -> Any:
    raise ValueError(f"not {wanted}")


def plain_values(value: Any) -> Any:
    """A part of a file as plain JSON values."""
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
