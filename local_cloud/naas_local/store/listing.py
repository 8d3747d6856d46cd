"""One level of a bucket, as ListObjects and ListObjectsV2 answer it: read from the disk, with only a page's ETags from rclone.

rclone makes every entry of a folder anew for each page of it, which takes seconds where there are 100 000.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from naas_local.store.address import HIDDEN, check_key
from naas_local.store.errors import S3Error
from naas_local.store.files import NAMESPACE

LONGEST_PAGE = 1000
"""Entries, as S3 has it."""

Etags = Callable[[list[str]], Awaitable[list[str]]]


@dataclass(frozen=True)
class Query:
    """What a listing of one level was asked for. Raises S3Error for what cannot be followed."""

    prefix: str
    after: str
    """Only keys above this one; a page ends with its last key as the next page's token."""
    entries: int
    given: Mapping[str, str]

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Query:
        """From the parameters of a request."""
        try:
            entries = int(given.get("max-keys") or LONGEST_PAGE)
            token = os.fsdecode(base64.b64decode(given.get("continuation-token", ""), b"-_", validate=True))
        except (ValueError, binascii.Error):
            raise S3Error("InvalidArgument", "max-keys or the token is not as this store gave it. List anew.") from None
        if entries < 0:
            raise S3Error("InvalidArgument", "max-keys must not be negative. Ask for 1 to 1000.")
        start = given.get("start-after" if given.get("list-type") == "2" else "marker", "")
        return cls(given.get("prefix", ""), token or start, min(entries, LONGEST_PAGE), given)

    @property
    def base(self) -> str:
        """The folder that is listed, with its slash."""
        return self.prefix[: self.prefix.rfind("/") + 1]


@dataclass(frozen=True)
class Entry:
    """A file or, with a slash at the end of its key, a folder."""

    key: str
    size: int = 0
    modified: float = 0

    @property
    def folder(self) -> bool:
        """Whether it is a common prefix."""
        return self.key.endswith("/")


async def answer(bucket: Path, query: Query, etags: Etags) -> str:
    """The document; ``etags`` tells those of some keys, an empty one for a file that has gone."""
    entries, token = await asyncio.to_thread(_page, bucket, query)
    files = [entry.key for entry in entries if not entry.folder]
    tags = dict(zip(files, await etags(files), strict=True))
    return _document(bucket.name, query, [one for one in entries if one.folder or tags[one.key]], tags, token)


def _page(bucket: Path, query: Query) -> tuple[list[Entry], str]:
    """The entries of a page, and its last key when there are more."""
    keys = sorted(_keys(bucket, query))
    shown = [os.fsdecode(key) for key in keys[: query.entries]]
    found = [entry for key in shown if (entry := _entry(bucket, key)) is not None]
    return found, shown[-1] if shown and len(keys) > len(shown) else ""


def _keys(bucket: Path, query: Query) -> Iterator[bytes]:
    base, after = os.fsencode(query.base), os.fsencode(query.after)
    start, hidden = os.fsencode(query.prefix)[len(base) :], tuple(map(os.fsencode, HIDDEN))
    try:
        with os.scandir(os.fsencode(bucket) + b"/" + base) as entries:
            for entry in entries:
                if entry.name.startswith(start) and not entry.name.startswith(hidden):
                    folder = entry.is_dir(follow_symlinks=False)
                    key = base + entry.name + (b"/" if folder else b"")
                    if key > after or (folder and key != after and after.startswith(key)):
                        yield key
    except (FileNotFoundError, NotADirectoryError):
        return


def _entry(bucket: Path, key: str) -> Entry | None:
    """None for what has gone since, and for names that an operator's file has and an object cannot have."""
    try:
        check_key(key)
        found = (bucket / key).lstat()
    except (OSError, S3Error, UnicodeError):
        return None
    if key.endswith("/"):
        return Entry(key)
    return Entry(key, found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else None


def _document(bucket: str, query: Query, entries: list[Entry], tags: Mapping[str, str], last: str) -> str:
    given, newer = query.given, query.given.get("list-type") == "2"
    encode = quote if given.get("encoding-type") == "url" else escape
    token = base64.urlsafe_b64encode(os.fsencode(last)).decode()
    fields = {
        "Name": bucket,
        "Prefix": encode(query.prefix),
        "Delimiter": encode("/"),
        "MaxKeys": str(query.entries),
        "EncodingType": "url" if encode is quote else "",
        "IsTruncated": "true" if token else "false",
    }
    if newer:
        fields |= {"KeyCount": str(len(entries)), "StartAfter": encode(given.get("start-after", ""))}
        fields |= {"ContinuationToken": given.get("continuation-token", ""), "NextContinuationToken": token}
    else:
        fields |= {"Marker": encode(given.get("marker", "")), "NextMarker": encode(last)}
    rows = "".join(_row(entry, encode(entry.key), tags.get(entry.key, "")) for entry in entries)
    head = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items() if text or name in ("Prefix", "Marker"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult {NAMESPACE}>{head}{rows}</ListBucketResult>'


def _row(entry: Entry, key: str, etag: str) -> str:
    if entry.folder:
        return f"<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"
    modified = dt.datetime.fromtimestamp(entry.modified, dt.UTC)
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>&quot;{escape(etag)}&quot;</ETag><Size>{entry.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
