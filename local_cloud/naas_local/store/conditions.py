"""Which answer a GET or HEAD gets: conditions (RFC 9110 §13.2.2) and ranges (§14.2), decided from the object's headers.

rclone itself knows only a literal If-None-Match.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from naas_local.store.errors import S3Error

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Answer:
    """Status, first byte, number of bytes."""

    status: int
    offset: int
    count: int


def decide(conditions: Mapping[str, str], etag: str, modified: dt.datetime, size: int) -> Answer:
    """The answer for an object. Raises S3Error: PreconditionFailed, InvalidRange."""
    match, none_match = conditions.get("If-Match"), conditions.get("If-None-Match")
    if match is not None:
        failed = not _names(match, etag)
    else:
        since = _date(conditions.get("If-Unmodified-Since"))
        failed = since is not None and modified > since
    if failed:
        raise S3Error("PreconditionFailed", "At least one of the conditions you gave does not hold.")
    if none_match is not None:
        unchanged = _names(none_match, etag)
    else:
        since = _date(conditions.get("If-Modified-Since"))
        unchanged = since is not None and modified <= since
    if unchanged:
        return Answer(304, 0, 0)
    return _range(conditions, etag, modified, size) or Answer(200, 0, size)


def _names(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag.strip('"') in tags


def _date(text: str | None) -> dt.datetime | None:
    """An HTTP date; None when absent or unreadable (then it does not count, §13.1.3)."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _range(conditions: Mapping[str, str], etag: str, modified: dt.datetime, size: int) -> Answer | None:
    """The part asked for; None for the whole: no range, several, malformed, or If-Range does not hold."""
    match = _RANGE.fullmatch(conditions.get("Range", "").strip())
    if not match or not any(match.groups()) or not _if_range(conditions.get("If-Range"), etag, modified):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        raise S3Error("InvalidRange", "The requested range is not satisfiable. Ask for bytes that the object has.")
    return Answer(206, start, end - start)


def _if_range(header: str | None, etag: str, modified: dt.datetime) -> bool:
    if header is None:
        return True
    return header.strip() == etag or _date(header) == modified
