"""Who sees a service, who sees it locked, and who does not (``visibility`` of the dashboard's metadata)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from naas_catalogue import texts
from naas_catalogue.documents import Mapping, plain_text
from naas_catalogue.patterns import compiled
from naas_catalogue.reports import Report

Sight = Literal["open", "locked", "hidden"]


class Visibility(BaseModel):
    """Groups are full paths without a leading slash; expressions match from the beginning of one, as the dashboard's do."""

    model_config = ConfigDict(frozen=True)

    public: bool = True
    groups: frozenset[str] | None = None
    groups_regex: str = ""
    locked: frozenset[str] = frozenset()
    locked_regex: str = ""
    reason: str = ""

    @property
    def open_to_all(self) -> bool:
        """Whether no group is asked for."""
        return self.public and self.groups is None and not self.groups_regex

    def sight(self, groups: Collection[str]) -> Sight:
        """How somebody in these groups sees it."""
        mine = {group.strip("/") for group in groups}
        if self.open_to_all or mine & (self.groups or frozenset()) or _matches(self.groups_regex, mine):
            return "open"
        if self.public or mine & self.locked or _matches(self.locked_regex, mine):
            return "locked"
        return "hidden"

    def why_locked(self) -> str:
        """A sentence for a locked card."""
        if self.reason:
            return self.reason
        if self.groups:
            return f"Open to members of {', '.join(sorted(self.groups))}."
        return "Open to other groups."


def _matches(expression: str, groups: Collection[str]) -> bool:
    return bool(expression) and any(compiled(expression).match(group) for group in groups)


HIDDEN = Visibility(public=False)
"""For a service whose rule cannot be read: better seen by nobody."""


def read(raw: Any, report: Report, line: int) -> Visibility:
    """The rule of a service or template. One that cannot be read hides it, and is reported."""
    if raw is None:
        return Visibility()
    if not isinstance(raw, Mapping):
        report.error("visibility is a mapping with `type`; the service is hidden.", line)
        return HIDDEN
    kind = raw.get("type")
    rules = {"groups", "groups_regex", "locked", "locked_regex"} & set(raw)
    if kind not in ("public", "private", None) or (kind is None and not rules):
        report.error("visibility.type is `public` or `private`; the service is hidden.", raw.at("type"))
        return HIDDEN
    try:
        return Visibility(
            public=kind == "public",
            groups=_names(raw, "groups") if "groups" in raw else None,
            groups_regex=_expression(raw, "groups_regex"),
            locked=_names(raw, "locked") or frozenset(),
            locked_regex=_expression(raw, "locked_regex"),
            reason=texts.text(raw.get("reason"), 500),
        )
    except ValueError as error:
        report.error(f"visibility: {error}; the service is hidden.", line)
        return HIDDEN


def _names(raw: Mapping, key: str) -> frozenset[str]:
    names = raw.get(key) or []
    if not isinstance(names, list) or any(isinstance(name, dict | list) or name is None for name in names):
        raise ValueError(f"{key} is a list of groups")
    return frozenset(plain_text(name).strip("/") for name in names)


def _expression(raw: Mapping, key: str) -> str:
    if raw.get(key) is None:
        return ""
    expression = plain_text(raw[key])
    compiled(expression)
    return expression
