"""One object, as the store has it now."""

from __future__ import annotations

from typing import Any

from naas_client.errors import NotFound
from naas_client.models import StoredObject

from naas_storage.buckets.errors import explained


def head(s3: Any, bucket: str, key: str) -> StoredObject:
    """What the store tells about an object. Raises NaasError, NotFound when there is none."""
    with explained(bucket, key):
        found = s3.head_object(Bucket=bucket, Key=key)
    when, version = found.get("LastModified"), found.get("VersionId")
    return StoredObject(key=key, size=found["ContentLength"], modified_at=when, version=version)


def exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether there is an object of this key. Raises NaasError when the store does not tell."""
    try:
        head(s3, bucket, key)
    except NotFound:
        return False
    return True
