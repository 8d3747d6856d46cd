"""Pages of lists: what a cursor says, and the part of a list in memory that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from naas_client.errors import InvalidInput

Item = TypeVar("Item")


def position(cursor: str | None) -> int | None:
    """The row id or place in a list that a cursor names. Raises InvalidInput for one that we did not make."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput("cursor: not one of ours. Leave it out to begin with the first page.")
    return int(cursor)


def part_of(items: Sequence[Item], limit: int, cursor: str | None) -> tuple[list[Item], str | None]:
    """A page of a list, and the cursor of the next one. Raises InvalidInput."""
    start = position(cursor) or 0
    following = start + limit
    return list(items[start:following]), str(following) if following < len(items) else None
