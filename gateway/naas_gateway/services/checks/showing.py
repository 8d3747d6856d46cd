"""Lists of checks as people see them: filtered, the ones in trouble first, page by page."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from naas_client.errors import InvalidInput
from naas_client.models import Check, CheckPage, CheckProblem
from naas_client.models.checks import CHECK_STATES

from naas_gateway.services.paging import part_of

STARTED = "started"
ORDER = {"down": 0, "grace": 1, STARTED: 3, "up": 4, "paused": 5, "new": 6}
STRANGE = 2
"""Place of a state that we do not know: nearer to trouble than to good."""


@dataclass(frozen=True)
class Wanted:
    """Which checks somebody wants to see. ``state``: one of the five, or ``started``."""

    tag: str = ""
    search: str = ""
    state: str = ""
    limit: int = 100
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.state and self.state not in (*CHECK_STATES, STARTED):
            raise InvalidInput(f"state: choose one of {', '.join((*CHECK_STATES, STARTED))}.")

    def matches(self, check: Check) -> bool:
        """Whether a check is wanted, whatever its state."""
        if self.tag and self.tag not in check.tags:
            return False
        word = self.search.casefold()
        return any(word in text.casefold() for text in (check.name, check.slug, check.desc, *check.tags))

    def in_state(self, check: Check) -> bool:
        """Whether a check is in the wanted state."""
        return not self.state or self.state == check.status or (self.state == STARTED and check.started)


def page_of(
    checks: Iterable[Check], wanted: Wanted, as_of: dt.datetime | None, problems: Sequence[CheckProblem]
) -> CheckPage:
    """The wanted part of the checks, which are as the asker sees them."""
    every = list(checks)
    matching = [check for check in every if wanted.matches(check)]
    found = sorted((check for check in matching if wanted.in_state(check)), key=_order)
    items, following = part_of(found, wanted.limit, wanted.cursor)
    return CheckPage(
        items=items,
        total=len(found),
        next=following,
        as_of=as_of,
        problems=list(problems),
        states=_count(matching),
        tags=sorted({tag for check in every for tag in check.tags}),
    )


def _order(check: Check) -> tuple[int, str, int, str]:
    running = check.started and check.status not in ("down", "grace")
    return ORDER.get(STARTED if running else check.status, STRANGE), check.name.casefold(), check.project, check.id


def _count(checks: Iterable[Check]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for check in checks:
        found[check.status] += 1
        if check.started:
            found[STARTED] += 1
    return dict(found)
