"""Rename and delete: several steps at the store, ordered so that a failure in the middle loses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from naas_client.errors import Conflict, InvalidInput, NaasError, NotFound

from naas_storage.buckets.errors import explained, sentence, shown
from naas_storage.buckets.lookup import exists
from naas_storage.buckets.names import check_file, check_folder, check_key, check_new

MOST_RENAMED = 10_000
"""Objects of a folder that is renamed; each is copied inside the store."""
AT_ONCE = 8
LARGEST_COPY = 5 * 2**30
"""Bytes that S3 copies by one request (Amazon S3, CopyObject); larger ones are copied in parts."""
BATCH = 1000
"""Keys that one DeleteObjects may name."""
MOST_ERRORS = 100
_NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
"""DeleteObjects names keys in XML, which cannot hold these."""


class Incomplete(Conflict):
    """Something was done and something not; the message says what is where."""

    default_code = "incomplete"


@dataclass
class Deleted:
    """What became of a deletion; ``errors`` hold the first 100."""

    deleted: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)


def copy(s3: Any, bucket: str, source: str, target: str, *, version: str = "") -> str:
    """Copy an object inside its bucket, of whatever size; its ETag. Raises what boto3 raises."""
    which = {"Bucket": bucket, "Key": source, **({"VersionId": version} if version else {})}
    found = s3.head_object(**which)
    if found["ContentLength"] <= LARGEST_COPY:
        s3.copy_object(Bucket=bucket, Key=target, CopySource=which, CopySourceIfMatch=found["ETag"])
    else:
        from boto3.s3.transfer import TransferConfig

        parts = TransferConfig(multipart_threshold=LARGEST_COPY, multipart_chunksize=max(LARGEST_COPY // 10, 5 * 2**20))
        kept = {"ContentType": found["ContentType"], "Metadata": found["Metadata"], "MetadataDirective": "REPLACE"}
        s3.copy(which, bucket, target, ExtraArgs=kept, Config=parts)
    return str(found["ETag"])


class Changes:
    """The changes of one bucket's objects."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket

    def anything_below(self, prefix: str) -> bool:
        """Whether there is a folder of this prefix, with something in it or empty."""
        return next(iter(self._below(prefix)), None) is not None or exists(self.s3, self.bucket, prefix)

    def rename(self, source: str, target: str) -> int:
        """Give an object, or with a slash at the end a folder, another name; how many files moved.

        Raises Conflict when the target exists, Incomplete when not everything could be moved: its message says what is where.
        """
        if source == target:
            raise InvalidInput("The new name is the old one. Choose another name.")
        if source.endswith("/"):
            return self._rename_folder(check_folder(source), check_folder(check_new(target)))
        return self._rename_file(check_key(source), check_file(target))

    def _rename_file(self, source: str, target: str) -> int:
        if exists(self.s3, self.bucket, target) or self.anything_below(f"{target}/"):
            raise Conflict(f"{shown(target)} exists already. Choose another name.", code="exists")
        with explained(self.bucket, source):
            etag = copy(self.s3, self.bucket, source, target)
        self._take_away({source: etag}, f"{shown(target)} is there")
        return 1

    def _rename_folder(self, source: str, target: str) -> int:
        if target.startswith(source):
            raise InvalidInput("A folder cannot become a part of itself. Choose a name outside of it.")
        if self.anything_below(target) or exists(self.s3, self.bucket, target.removesuffix("/")):
            raise Conflict(f"{shown(target)} exists already. Choose another name.", code="exists")
        keys = self._all_below(source)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [(key, pool.submit(self._copy_one, key, target + key[len(source) :])) for key in keys]
            try:
                copied = {key: result.result() for key, result in waiting}
            except NaasError as error:
                pool.shutdown(cancel_futures=True)
                raise Incomplete(
                    f"{shown(source)} was not renamed: {error.message} Everything is still there; copies of a part of it may be "
                    f"below {shown(target)}. Delete those, then try again."
                ) from error
        self._take_away(copied, f"Everything is below {shown(target)}")
        return sum(not key.endswith("/") for key in copied)

    def _copy_one(self, source: str, target: str) -> str:
        with explained(self.bucket, source):
            if not source.endswith("/"):
                return copy(self.s3, self.bucket, source, target)
            self.s3.put_object(Bucket=self.bucket, Key=target, Body=b"")
            return ""

    def _take_away(self, copied: dict[str, str], done: str) -> None:
        """Delete the originals, except what was changed since it was copied: that stays, and is told."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            now = dict(zip(copied, pool.map(self._etag, copied), strict=True))
        changed = [key for key, etag in copied.items() if etag and now[key] not in (etag, "")]
        gone = self._delete_keys([key for key in reversed(copied) if key not in changed])
        left = [*changed, *(row["key"] for row in gone.errors)]
        if left:
            why = gone.errors[0]["message"] if gone.errors else "It was changed meanwhile."
            raise Incomplete(f"{done}, but {len(left)} stay below the old name as well, {shown(left[0])} first. {why}")

    def _etag(self, key: str) -> str:
        """Empty when the object is gone."""
        try:
            with explained(self.bucket, key):
                return str(self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"])
        except NotFound:
            return ""

    def _all_below(self, prefix: str) -> list[str]:
        keys = [prefix] if exists(self.s3, self.bucket, prefix) else []
        for page in self._below(prefix):
            keys += [key for key in page if key != prefix]
            if len(keys) > MOST_RENAMED:
                raise InvalidInput(
                    f"{shown(prefix)} holds more than {MOST_RENAMED} objects, which is too much to rename at once. Rename its folders "
                    "one by one, or use naas_storage.filesystem() in a notebook.",
                    code="too-many",
                )
        if not keys:
            raise NotFound(f"{shown(prefix)} does not exist (any more). Reload the list.", code="no-such-object")
        return keys

    def _below(self, prefix: str) -> Iterator[list[str]]:
        """The keys below a prefix, page by page; pages without keys are left out."""
        more: dict[str, str] = {}
        while True:
            with explained(self.bucket, prefix):
                answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **more)
            if keys := [row["Key"] for row in answer.get("Contents", [])]:
                yield keys
            if not (token := answer.get("NextContinuationToken")):
                return
            more = {"ContinuationToken": token}

    def delete(self, keys: list[str], prefixes: list[str]) -> Deleted:
        """Delete objects, and everything below prefixes; what could not be deleted is told key by key."""
        total = self._delete_keys([check_key(key) for key in keys])
        for prefix in [check_folder(prefix) for prefix in prefixes]:
            for page in self._below(prefix):
                self._add(total, self._delete_keys([key for key in page if key != prefix]))
            self._add(total, self._delete_keys([prefix] if exists(self.s3, self.bucket, prefix) else []))
        return total

    @staticmethod
    def _add(total: Deleted, more: Deleted) -> None:
        total.deleted += more.deleted
        total.errors = [*total.errors, *more.errors][:MOST_ERRORS]

    def _delete_keys(self, keys: list[str]) -> Deleted:
        total = Deleted()
        plain = [key for key in keys if not _NOT_IN_XML.search(key)]
        for batch in _batches(plain):
            self._add(total, self._delete_batch(batch))
        for key in keys:
            if _NOT_IN_XML.search(key):
                self._add(total, self._delete_one(key))
        return total

    def _delete_batch(self, keys: list[str]) -> Deleted:
        objects = [{"Key": key} for key in keys]
        with explained(self.bucket):
            answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
        rows = answer.get("Errors", [])
        errors = [
            {
                "key": row["Key"],
                "message": sentence(row.get("Code", ""), 0, row.get("Message", ""), self.bucket, row["Key"]).message,
            }
            for row in rows
        ]
        return Deleted(len(keys) - len(rows), errors)

    def _delete_one(self, key: str) -> Deleted:
        try:
            with explained(self.bucket, key):
                self.s3.delete_object(Bucket=self.bucket, Key=key)
        except NaasError as error:
            return Deleted(0, [{"key": key, "message": error.message}])
        return Deleted(1)


def _batches(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
