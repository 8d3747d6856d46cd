"""What buckets and objects may be called; checked before a name becomes part of an address."""

from __future__ import annotations

import re

from naas_client.errors import InvalidInput
from naas_client.names import bucket_problem, is_made_by

from naas_storage.buckets.errors import shown

LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3, "Creating object key names")."""
_KNOWN = re.compile(r"[A-Za-z0-9._-]{3,255}")
"""Old stores have such names. No colon: boto3 would take an ARN for another endpoint."""
_NOT_IN_LISTINGS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML 1.0 cannot hold, not even encoded."""


def check_bucket(name: str) -> str:
    """The name. Raises InvalidInput unless an existing bucket may have it."""
    if not _KNOWN.fullmatch(name):
        raise InvalidInput(
            f"{shown(name) or 'Nothing'} is no name of a bucket. Reload the list of buckets.", code="bad-bucket-name"
        )
    return name


def check_new_bucket(name: str, user: str) -> str:
    """The name. Raises InvalidInput unless a person may give it to a new bucket."""
    problem = bucket_problem(name)
    if not is_made_by(user, name):
        problem = f"it must start with {user}-- and go on after it with a letter or digit"
    if problem:
        raise InvalidInput(
            f"A bucket cannot be called {shown(name)}: {problem}. Choose another name.", code="bad-bucket-name"
        )
    return name


def check_key(key: str) -> str:
    """The key. Raises InvalidInput for one that no object can have, or that an address on its way to the store would change."""
    if not key:
        raise InvalidInput("The name is empty. Give a name.", code="bad-key")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidInput("The name is not valid text. Choose another name.", code="bad-key") from None
    if size > LONGEST_KEY:
        raise InvalidInput(
            f"The name has {size} bytes; the store takes {LONGEST_KEY} at most. Shorten it.", code="bad-key"
        )
    if "\0" in key or any(part in (".", "..") for part in key.split("/")):
        raise InvalidInput("A name has no part '.' or '..' and no NUL. Choose another name.", code="bad-key")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix of a listing; empty for a whole bucket. Raises InvalidInput as `check_key` does."""
    return check_key(prefix) if prefix else prefix


def check_folder(prefix: str) -> str:
    """The prefix of a folder, which ends in a slash. Raises InvalidInput for any other."""
    if not check_key(prefix).endswith("/"):
        raise InvalidInput("The name of a folder ends in a slash. Add one.", code="bad-key")
    return prefix


def check_new(key: str) -> str:
    """The key of something new. Raises InvalidInput for characters that listings cannot hold (Ceph fails on them)."""
    if _NOT_IN_LISTINGS.search(check_key(key)):
        raise InvalidInput("A name has no control characters. Choose another name.", code="bad-key")
    return key


def check_file(key: str) -> str:
    """The key of a new file, which does not end in a slash. Raises InvalidInput for any other."""
    if check_new(key).endswith("/"):
        raise InvalidInput(
            "The name of a file cannot end in a slash. Make a folder, or take the slash away.", code="bad-key"
        )
    return key
