"""What the server said lately, with its age; old answers serve on while it does not answer."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Sized
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from naas_client.errors import NaasError
from naas_client.models import CheckProblem

MOST_ENTRIES = 5_000
MOST_WEIGHT = 50_000
"""Documents in all entries together: some hundred megabytes at most."""

Value = TypeVar("Value", bound=Sized)
Key = tuple[str, ...]
"""Digest of the API key, what was asked, and of which check."""


@dataclass(frozen=True)
class Kept(Generic[Value]):
    """An answer. ``as_of``: when the server said so; ``known_to``: up to when our own changes are in it; ``version``: of what it depends
    on; ``trouble``: why it could not be had newer.
    """

    value: Value
    as_of: dt.datetime
    known_to: dt.datetime
    version: Any = None
    trouble: NaasError | None = None

    def problems(self, project: int) -> list[CheckProblem]:
        """For a list of one project."""
        if self.trouble is None:
            return []
        return [problem_of(project, self.trouble, self.as_of)]

    def troubled(self, trouble: NaasError) -> Kept[Value]:
        """The same, shown because there is nothing newer."""
        return replace(self, trouble=trouble)


def problem_of(project: int, error: NaasError, as_of: dt.datetime | None = None) -> CheckProblem:
    """Why a project is not shown as it is now."""
    return CheckProblem(project=project, code=error.code, message=error.message, as_of=as_of)


class Shelf:
    """Answers by key; the least used go first when there are too many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Kept[Any]] = OrderedDict()
        self._weights: dict[Key, int] = {}
        self._weight = 0

    def get(self, key: Key) -> Kept[Any] | None:
        """The answer, however old."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Key, kept: Kept[Value]) -> Kept[Value]:
        """Keep an answer instead of an older one."""
        self.drop(key)
        self._kept[key] = kept
        self._weights[key] = len(kept.value) + 1
        self._weight += self._weights[key]
        while len(self._kept) > 1 and (len(self._kept) > MOST_ENTRIES or self._weight > MOST_WEIGHT):
            self.drop(next(iter(self._kept)))
        return kept

    def drop(self, key: Key) -> None:
        """Forget an answer."""
        if self._kept.pop(key, None) is not None:
            self._weight -= self._weights.pop(key)
