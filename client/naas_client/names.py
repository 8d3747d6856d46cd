"""The name a person has on the hub, and from it their bucket, folders and prefix.

A hub name must be a user name, a path component, a DNS label and an S3 bucket name at the same time, so it is a lower-case
letter followed by 2 to 39 lower-case letters, digits and single hyphens. A name from IAM that already is one stays
as it is. Any other becomes ``<readable part>---<10 hexadecimal digits of its SHA-256>``: three hyphens never occur in a
plain name, so the two kinds cannot collide, and the gateway's identity map holds the original (reversible by table).

The shared server of a group belongs to a hub user too, ``collab--<group>``: two hyphens are in no person's name.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PLAIN_PART = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_PLAIN = 40
HUB_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(---[0-9a-f]{10})?")
COLLABORATION = re.compile(r"collab--[a-z0-9]+(--?[a-z0-9]+)*(---[0-9a-f]{10})?")
SERVER_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""What a named server may be called."""
FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""What a folder below ``cloud-storage`` may be called."""
MOST_FOLDERS = 24
"""Of one server below ``cloud-storage``: each is a mount with a program of its own."""

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?![.-])){1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

RESERVED = frozenset(
    {"admin", "api", "cloud-storage", "examples", "hub", "local", "naas", "private", "root", "scratch", "service"}
    | {"services", "shared", "user", "xn"}
)
"""Names that mean something else in a path, a bucket list or a folder tree."""


def is_hub_name(name: str) -> bool:
    """Whether a string may be a hub name at all, a person's or a shared server's (the check of every API that takes one)."""
    is_persons = name not in RESERVED and HUB_NAME.fullmatch(name) is not None
    return 3 <= len(name) <= 63 and (is_persons or is_collaboration(name))


def is_collaboration(name: str) -> bool:
    """Whether a hub name is a group's shared server's. Nobody signs in by such a name, because `hub_name` never gives one."""
    return len(name) <= 63 and COLLABORATION.fullmatch(name) is not None


def collaboration_name(group: str) -> str:
    """The hub user of a group's shared server: ``experiments/cygno`` has ``collab--experiments--cygno``, and no other group has it."""
    name = f"collab--{group.replace('/', '--')}"
    if len(name) <= LONGEST_PLAIN and all(PLAIN_PART.fullmatch(part) for part in group.split("/")):
        return name
    return f"collab--{_mangled(group)}"


def is_made_by(name: str, bucket: str) -> bool:
    """Whether a bucket is one that this person made beside their own: ``<hub name>--<anything>``.

    Two hyphens, because ``alice-b`` may be somebody's hub name; three begin the last part of a hub name that is not plain.
    """
    return bucket.startswith(f"{name}--") and len(bucket) > len(name) + 2 and bucket[len(name) + 2] != "-"


def bucket_problem(name: str) -> str:
    """Why S3 refuses a name for a new bucket, as the end of a sentence; empty: it does not (Amazon S3, "Bucket naming rules")."""
    if not 3 <= len(name) <= 63:
        return "it must have 3 to 63 characters"
    if not _BUCKET.fullmatch(name) or ".-" in name or "-." in name:
        return "it may have lower-case letters, digits, hyphens and single dots, and ends with a letter or digit"
    if _ADDRESS.fullmatch(name) or name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        return "S3 keeps such names for itself"
    return ""


def is_server_key(key: str) -> bool:
    """Whether this may be the key of a server: ``<hub name>``, or ``<hub name>.<server name>`` for a named one."""
    name, dot, server = key.partition(".")
    return is_hub_name(name) and (not dot or SERVER_NAME.fullmatch(server) is not None)


def hub_name(preferred: str, kept: Collection[str] = ()) -> str:
    """The hub name for a ``preferred_username``; never raises, never gives a reserved or unsafe name.

    Parameters: ``kept``, further names that nobody gets: the site's group folders and their buckets.
    """
    if (
        3 <= len(preferred) <= LONGEST_PLAIN
        and PLAIN.fullmatch(preferred)
        and preferred not in RESERVED
        and preferred not in kept
        and not preferred.startswith("scratch-")
    ):
        return preferred
    return _mangled(preferred)


def _mangled(original: str) -> str:
    """A safe name with a readable part and one that is the original's alone."""
    plain = unicodedata.normalize("NFKD", original).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"u-{slug}".rstrip("-")
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{slug}---{digest}"
