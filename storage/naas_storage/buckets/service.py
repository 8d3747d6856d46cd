"""The person's buckets: listed, made, counted, deleted."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from naas_client.errors import Conflict, Forbidden, NaasError, Unavailable
from naas_client.models import Bucket, NewBucket, Page, Usage
from naas_client.names import is_made_by

from naas_storage import connect
from naas_storage.buckets.errors import explained, shown
from naas_storage.buckets.names import check_bucket, check_new_bucket
from naas_storage.buckets.objects import Objects

COUNTED = 100_000
"""Keys that are counted at most: 100 requests of the store."""
AT_ONCE = 8
"""Buckets whose properties are asked for at the same time."""
PAGE = 100
CONNECT, READ, TRIES = 5, 60, 3
"""Seconds for a connection and for one answer, and how often a request is tried."""


class Buckets:
    """All buckets that this server's session reaches. Safe for several threads; credentials renew themselves.

    Every method raises NaasError, with the store's cause in a sentence.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Any = None
        self._endpoint = ""

    @property
    def s3(self) -> Any:
        """The boto3 client for the site in use; another one after a change of the site."""
        endpoint = connect.access()["Endpoint"]
        with self._lock:
            if self._client is None or endpoint != self._endpoint:
                from botocore.config import Config

                limits = Config(
                    connect_timeout=CONNECT,
                    read_timeout=READ,
                    retries={"mode": "standard", "total_max_attempts": TRIES},
                    max_pool_connections=2 * AT_ONCE,
                )
                self._client = connect.session().client("s3", config=limits)
                self._endpoint = endpoint
            return self._client

    def objects(self, bucket: str) -> Objects:
        """What is in a bucket."""
        return Objects(self.s3, check_bucket(bucket))

    def list(self, cursor: str = "", limit: int = PAGE) -> Page[Bucket]:
        """A page of the buckets, by name. Parameters: ``cursor``, the last name of the page before."""
        made = self._made()
        names = sorted(set(made) | self._mounted())
        there = [name for name in names if name > cursor]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            items = list(pool.map(lambda name: self._bucket(name, made), there[:limit]))
        return Page[Bucket](items=items, total=len(names), next=there[limit - 1] if len(there) > limit else None)

    def describe(self, name: str) -> Bucket:
        """A bucket with what is in it, as `count` has it."""
        with explained(check_bucket(name)):
            self.s3.head_bucket(Bucket=name)
        return self._bucket(name, self._made()).model_copy(update={"usage": self.count(name)})

    def create(self, wish: NewBucket) -> Bucket:
        """Make a bucket. Object lock needs versions, so it switches them on (S3 does too)."""
        name, s3 = check_new_bucket(wish.name, connect.plan().username), self.s3
        lock = {"ObjectLockEnabledForBucket": True} if wish.object_lock else {}
        with explained(name):
            s3.create_bucket(Bucket=name, **lock)
        if wish.versioning and not wish.object_lock:
            self._switch_versions_on(name)
        return self._bucket(name, {name: dt.datetime.now(dt.UTC)})

    def _switch_versions_on(self, name: str) -> None:
        """Raises NaasError when the store cannot; a bucket that is not as it was wished for does not stay."""
        try:
            with explained(name):
                self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        except BaseException:
            with explained(name):
                self.s3.delete_bucket(Bucket=name)
            raise

    def delete(self, name: str) -> None:
        """Delete an empty bucket that the person made."""
        if name in self._mounted():
            raise Conflict(f"{shown(name)} is one of your folders in cloud-storage and stays.", code="bucket-in-use")
        if not is_made_by(connect.plan().username, check_bucket(name)):
            raise Forbidden(f"{shown(name)} is not a bucket that you made. Only its owner can delete it.")
        with explained(name):
            self.s3.delete_bucket(Bucket=name)

    @staticmethod
    def _mounted() -> set[str]:
        return {folder.bucket for folder in connect.plan().usable}

    def _made(self) -> dict[str, dt.datetime]:
        """What ListBuckets tells; on RGW only what the session itself made, on some sites nothing."""
        try:
            with explained():
                return {row["Name"]: row["CreationDate"] for row in self.s3.list_buckets()["Buckets"]}
        except Forbidden:
            return {}

    def _bucket(self, name: str, made: dict[str, dt.datetime]) -> Bucket:
        user = connect.plan().username
        versions = self._property(self.s3.get_bucket_versioning, name).get("Status") == "Enabled"
        lock = versions and self._property(self.s3.get_object_lock_configuration, name)
        return Bucket(
            name=name,
            own=name == user or is_made_by(user, name),
            created_at=made.get(name),
            versioning=versions,
            object_lock=bool(lock and lock["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"),
        )

    @staticmethod
    def _property(call: Any, name: str) -> dict[str, Any]:
        """An answer about a bucket; empty where the store does not know it or does not tell."""
        try:
            with explained(name):
                return dict(call(Bucket=name))
        except Unavailable:
            raise
        except NaasError:
            return {}

    def count(self, name: str) -> Usage:
        """What is in a bucket, counted up to `COUNTED` keys (a count of exactly that says: so many or more)."""
        objects = used = 0
        more: dict[str, str] = {}
        with explained(name):
            while objects < COUNTED:
                answer = self.s3.list_objects_v2(Bucket=name, **more)
                rows = answer.get("Contents", [])
                objects, used = objects + len(rows), used + sum(row["Size"] for row in rows)
                if not (token := answer.get("NextContinuationToken")):
                    break
                more = {"ContinuationToken": token}
        return Usage(used_bytes=used, objects=min(objects, COUNTED), at=dt.datetime.now(dt.UTC), source="counted")
