"""What a request line names: bucket, key and query, decoded once and checked before anything looks at files.

Keys become paths, and rclone refuses (or, with a trailing slash, misreads) those that are no canonical path; they never reach it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from naas_local.store.errors import S3Error

LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3, "Creating object key names")."""
LONGEST_COMPONENT = 255
"""Bytes of one file name on Linux' file systems (NAME_MAX)."""
HIDDEN = (".rclone_temp_", ".rclone_multipart_upload_")
"""Names that rclone uses for unfinished uploads and leaves out of listings."""

_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?![.-])){1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True)
class Address:
    """A request's target. ``path`` is decoded; ``query`` keeps order and repetitions, as signatures need it."""

    path: str
    bucket: str
    key: str
    query: tuple[tuple[str, str], ...]

    @property
    def is_folder(self) -> bool:
        """Whether the key is a folder marker (it ends with a slash)."""
        return self.key.endswith("/")


def decode(text: str) -> str:
    """A percent-decoded string. Raises S3Error unless it is UTF-8."""
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise S3Error("InvalidURI", "The address is not valid UTF-8. Percent-encode the key as UTF-8.") from None


def parse(raw: str) -> Address:
    """The target of a raw request line (RFC 9112 §3.2.1, origin form; path-style addressing only)."""
    raw_path, _, raw_query = raw.partition("?")
    if not raw_path.startswith("/"):
        raise S3Error("InvalidURI", "The address must start with a slash. Use path-style addressing.")
    path = decode(raw_path)
    bucket, _, key = path[1:].partition("/")
    pairs = (pair.partition("=") for pair in raw_query.split("&") if pair)
    try:
        query = tuple((unquote_plus(k, errors="strict"), unquote_plus(v, errors="strict")) for k, _, v in pairs)
    except UnicodeError:
        raise S3Error("InvalidURI", "The query is not valid UTF-8. Percent-encode it as UTF-8.") from None
    return Address(path, bucket, key, query)


def check_bucket(name: str) -> None:
    """Raise S3Error unless a bucket may have this name (Amazon S3, "Bucket naming rules")."""
    if not _BUCKET.fullmatch(name):
        raise S3Error("InvalidBucketName", "A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens.")


def check_key(key: str) -> None:
    """Raise S3Error unless a file (or, with a slash at the end, a folder) can have this key."""
    if len(key.encode()) > LONGEST_KEY:
        raise S3Error("KeyTooLongError", f"A key has at most {LONGEST_KEY} bytes. Choose a shorter one.")
    if _CONTROL.search(key):
        raise S3Error("InvalidArgument", "A key must not hold control characters. Choose another name.")
    _check_components(key.removesuffix("/").split("/"))


def check_prefix(prefix: str) -> None:
    """Raise S3Error unless a listing below this prefix can be made."""
    if prefix:
        check_key(prefix if not prefix.endswith("/") or prefix == "/" else prefix[:-1])


def _check_components(components: Iterable[str]) -> None:
    for component in components:
        if component in ("", ".", ".."):
            raise S3Error(
                "InvalidArgument",
                "Keys are kept as files, so a key has no empty, '.' or '..' part and no slash at its start. Choose another name.",
            )
        if len(component.encode()) > LONGEST_COMPONENT:
            raise S3Error("KeyTooLongError", f"Each part of a key has at most {LONGEST_COMPONENT} bytes. Shorten it.")
        if component.startswith(HIDDEN):
            raise S3Error(
                "InvalidArgument", f"Names starting with {HIDDEN[0]} are the store's own. Choose another name."
            )


def copy_source(header: str) -> tuple[str, str]:
    """Bucket and key of an ``x-amz-copy-source`` header (with or without a leading slash; percent-encoded).

    Raises S3Error for a version other than ``null`` and for names that cannot exist.
    """
    raw, _, version = header.partition("?")
    if version not in ("", "versionId=null"):
        raise S3Error("NotImplemented", "This store keeps no versions. Copy without versionId.")
    bucket, _, key = decode(raw).removeprefix("/").partition("/")
    check_bucket(bucket)
    if not key or key.endswith("/"):
        raise S3Error("InvalidArgument", "The copy source must be bucket/key. Name an object.")
    check_key(key)
    return bucket, key


def encode_path(path: str) -> str:
    """A path as SigV4 writes it: everything but unreserved characters and slashes percent-encoded."""
    return quote(path, safe="/-_.~")


def encode_query(query: Iterable[tuple[str, str]]) -> str:
    """A query as SigV4 writes it: encoded, then sorted."""
    return "&".join(f"{k}={v}" for k, v in sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query))
