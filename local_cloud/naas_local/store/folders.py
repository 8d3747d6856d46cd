"""The folders in a listing. rclone looks at the disk every few seconds only, and empty folders come and go past it (`files`).

Only listings of one page are mended: one of more than 1000 entries shows a new or deleted empty folder as it is a moment later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

_END = b"</ListBucketResult>"
_CONTINUED = ("marker", "continuation-token", "start-after")
_COMPLETE = b"<IsTruncated>false</IsTruncated>"
_FOLDERS = re.compile(rb"<CommonPrefixes>.*?</CommonPrefixes>", re.DOTALL)


def as_on_disk(listing: bytes, bucket: Path, query: Mapping[str, str]) -> bytes:
    """A listing of one level with the folders that there are, when it fits on one page; any other as it is."""
    if not query.get("delimiter") or any(query.get(name) for name in _CONTINUED) or _COMPLETE not in listing:
        return listing
    encoded = b"<EncodingType>url</EncodingType>" in listing
    parent, _, start = query.get("prefix", "").rpartition("/")
    base = f"{parent}/" if parent else ""
    rows = "".join(
        f"<CommonPrefixes><Prefix>{quote(name) if encoded else escape(name)}</Prefix></CommonPrefixes>"
        for name in (f"{base}{folder}/" for folder in _folders(bucket / parent, start))
    )
    head, end, tail = _FOLDERS.sub(b"", listing).rpartition(_END)
    return head + rows.encode() + end + tail if end else listing


def _folders(parent: Path, start: str) -> list[str]:
    """The names of the folders in a folder, sorted."""
    if not parent.is_dir():
        return []
    return sorted(entry.name for entry in parent.iterdir() if entry.name.startswith(start) and entry.is_dir())
