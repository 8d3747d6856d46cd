"""YAML as a catalogue's files hold it: read within bounds, every key once, every value with its line.

PyYAML's loaders follow every alias, take the last of two equal keys, guess at dates and base-60 numbers and forget where a value
stood. This builds the same values from PyYAML's events. Specification: YAML 1.1 (https://yaml.org/spec/1.1/), without its
timestamps, base-60, octal and hexadecimal numbers, which these files only ever hold by accident (`2222:22`, `0755`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import yaml

MAX_BYTES = 1024 * 1024
"""The largest file that is read."""
MAX_DEPTH = 32
MAX_VALUES = 50_000
"""Values of one file with every alias written out: what it costs to walk through it."""

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})([eE][-+]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULLS = frozenset({"", "~", "null"})


class Unreadable(Exception):
    """The file cannot be used at all. Parameters: ``message``, a sentence for its author; ``line``, from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Decimal(float):
    """A number with its digits as they were written: ``20.10`` is a version as often as a number."""

    written: str

    def __new__(cls, written: str) -> Decimal:
        """Parameters: ``written``, the digits."""
        number = super().__new__(cls, written)
        number.written = written
        return number


class Mapping(dict[str, Any]):
    """A mapping that knows the line of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, values: Iterable[tuple[str, Any]] = (), line: int = 1) -> None:
        super().__init__(values)
        self.line = line
        self.lines: dict[str, int] = {}

    def at(self, key: str) -> int:
        """The line of a key, or of the mapping."""
        return self.lines.get(key, self.line)


class Sequence(list[Any]):
    """A list that knows its line."""

    __slots__ = ("line",)

    def __init__(self, line: int = 1) -> None:
        super().__init__()
        self.line = line


def read(text: str) -> Any:
    """The one document of a YAML file. Raises Unreadable."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"Not YAML: {error.problem or error.context}.", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, RecursionError, UnicodeError):
        raise Unreadable("Not YAML: it holds characters that YAML does not allow.") from None
    return builder.document


class _Open:
    """A mapping or list that is not complete yet."""

    def __init__(self, value: Mapping | Sequence, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.merged: list[Mapping] = []
        self.size = 1


class _Builder:
    def __init__(self) -> None:
        self.document: Any = None
        self._documents = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Unreadable("There is a second document in this file. Keep one.", line)
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, line)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
            self._add(value, line, 1)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(line)

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            raise Unreadable(f"The tag {event.tag} is not used in a catalogue. Take it away.", line)
        if len(self._stack) >= MAX_DEPTH:
            raise Unreadable(f"Nested more than {MAX_DEPTH} levels deep.", line)
        self._stack.append(_Open(Mapping(line=line) if mapping else Sequence(line), event.anchor))

    def _close(self, line: int) -> None:
        done = self._stack.pop()
        if isinstance(done.value, Mapping):
            for source in done.merged:
                for key, value in source.items():
                    done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, line, done.size)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            inside = any(item.anchor == anchor for item in self._stack)
            raise Unreadable(f"*{anchor} {'holds itself' if inside else 'has no &' + anchor + ' above it'}.", line)
        value, size = self._anchors[anchor]
        self._add(value, line, size)

    def _add(self, value: Any, line: int, size: int) -> None:
        if not self._stack:
            self.document = value
            return
        parent = self._stack[-1]
        parent.size += size
        if sum(item.size for item in self._stack) > MAX_VALUES:
            raise Unreadable(f"More than {MAX_VALUES} values once every alias is written out.", line)
        if isinstance(parent.value, Sequence):
            parent.value.append(value)
        elif parent.key is None:
            parent.key = self._key(value, parent.value, line)
        else:
            key, parent.key = parent.key, None
            self._set(parent, key, value, line)

    def _key(self, value: Any, mapping: Mapping, line: int) -> str:
        if isinstance(value, Mapping | Sequence) or value is None:
            raise Unreadable("A key must be a word.", line)
        key = plain_text(value)
        if key in mapping:
            raise Unreadable(f"The key {key!r} is there twice, first on line {mapping.at(key)}. Keep one.", line)
        mapping.lines[key] = line
        return key

    def _set(self, parent: _Open, key: str, value: Any, line: int) -> None:
        if key != "<<":
            cast("Mapping", parent.value)[key] = value
            return
        sources = value if isinstance(value, Sequence) else [value]
        if not all(isinstance(source, Mapping) for source in sources):
            raise Unreadable("<< merges mappings only.", line)
        parent.merged += sources


def _scalar(event: yaml.ScalarEvent, line: int) -> Any:
    tag = (event.tag or "").removeprefix(_CORE)
    if tag not in ("", "!", "str", "int", "float", "bool", "null"):
        raise Unreadable(f"The tag {event.tag} is not used in a catalogue. Take it away.", line)
    text = event.value
    if tag in ("!", "str") or event.style:
        return text
    return plain(text)


def plain(text: str) -> str | int | Decimal | bool | None:
    """What a word without quotes means."""
    lower = text.lower()
    if lower in _NULLS:
        return None
    if lower in _BOOLEANS:
        return _BOOLEANS[lower]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _FLOAT.fullmatch(text) else text


def plain_text(value: object) -> str:
    """A scalar as its author wrote it (a boolean in lower case)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.written if isinstance(value, Decimal) else str(value)
