"""What is in one bucket: listed, searched, versions, links; `transfer` and `changes` hold what moves and changes it."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any
from urllib.parse import quote

from naas_client.errors import Conflict, InvalidInput
from naas_client.models import ObjectPage, PresignedLink, StoredObject

from naas_storage import connect
from naas_storage.buckets.changes import Changes, copy
from naas_storage.buckets.errors import explained, shown
from naas_storage.buckets.lookup import exists, head
from naas_storage.buckets.names import check_folder, check_key, check_new, check_prefix
from naas_storage.buckets.transfer import Download, Upload

PAGE = 1000
"""Entries of a page; S3's own limit."""
SCANNED, SEARCH_TIME = 10_000, 3.0
"""Keys, and about the seconds, that one page of a search looks at."""
LONGEST_TEXT = 4096
"""Characters of a cursor or of the text of a search."""
LONGEST_LINK = 7 * 24 * 3600
"""Seconds of a presigned link (Amazon S3, "Sharing objects with presigned URLs"); the session's end usually comes first."""
USUAL_LINK = 3600


class Objects:
    """The objects of one bucket. Every method raises NaasError."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self._changes = Changes(s3, bucket)
        self.rename, self.delete = self._changes.rename, self._changes.delete

    def page(self, prefix: str = "", cursor: str = "", limit: int = PAGE, search: str = "") -> ObjectPage:
        """One level below ``prefix``; with ``search``, every key below it that contains the text, in upper or lower case.

        Parameters: ``cursor``, ``next`` of the page before; ``limit``, entries of a page (1 to 1000). A search may find none on a page
        and still have a ``next``; ``scanned`` says how many keys were looked at.
        """
        check_prefix(prefix)
        if not 1 <= limit <= PAGE:
            raise InvalidInput(f"A page has 1 to {PAGE} entries. Ask for so many.")
        if max(len(cursor), len(search)) > LONGEST_TEXT:
            raise InvalidInput("The text of the search is too long. Shorten it.")
        if search:
            return self._search(prefix, cursor, limit, search.casefold())
        answer = self._ask(prefix, cursor, limit, Delimiter="/")
        folders = [StoredObject(key=row["Prefix"], folder=True) for row in answer.get("CommonPrefixes", [])]
        rows = answer.get("Contents", [])
        files = [_entry(row) for row in rows if row["Key"] != prefix]
        items = sorted([*folders, *files], key=lambda entry: entry.key)
        return ObjectPage(items=items, next=answer.get("NextContinuationToken"), scanned=len(folders) + len(rows))

    def _search(self, prefix: str, cursor: str, limit: int, text: str) -> ObjectPage:
        found: list[StoredObject] = []
        scanned, end = 0, time.monotonic() + SEARCH_TIME
        following: str | None = cursor
        while following is not None and scanned < SCANNED and len(found) < limit and time.monotonic() < end:
            answer = self._ask(prefix, following, limit)
            rows = answer.get("Contents", [])
            found += [_entry(row) for row in rows if text in row["Key"][len(prefix) :].casefold()]
            scanned, following = scanned + len(rows), answer.get("NextContinuationToken")
        return ObjectPage(items=found, next=following, scanned=scanned)

    def _ask(self, prefix: str, cursor: str, limit: int, **more: str) -> dict[str, Any]:
        token = {"ContinuationToken": cursor} if cursor else {}
        try:
            with explained(self.bucket):
                return dict(self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=limit, **token, **more))
        except InvalidInput as error:
            if not cursor:
                raise
            raise InvalidInput(
                "The list cannot go on from there. Load it from the start.", code="bad-cursor"
            ) from error

    def make_folder(self, prefix: str) -> StoredObject:
        """An empty folder: an object of no bytes whose key is the prefix. Raises Conflict when there is something already."""
        check_folder(check_new(prefix))
        if exists(self.s3, self.bucket, prefix.removesuffix("/")) or self._changes.anything_below(prefix):
            raise Conflict(f"{shown(prefix)} exists already. Choose another name.", code="exists")
        with explained(self.bucket, prefix):
            self.s3.put_object(Bucket=self.bucket, Key=prefix, Body=b"")
        return StoredObject(key=prefix, folder=True, modified_at=dt.datetime.now(dt.UTC))

    def upload(self, key: str, *, new: bool = False, length: int | None = None) -> Upload:
        """Begin an upload. Parameters: see `Upload`."""
        return Upload(self.s3, self.bucket, key, new=new, length=length)

    def download(self, key: str, version: str = "") -> Download:
        """An object's content. Parameters: ``version``, of a versioned bucket; empty: the latest."""
        with explained(self.bucket, check_key(key)):
            which = {"VersionId": version} if version else {}
            return Download(self.s3.get_object(Bucket=self.bucket, Key=key, **which), key)

    def share(self, key: str, seconds: int | None = None) -> PresignedLink:
        """A link that downloads an object, for whoever has it, until it expires.

        Parameters: ``seconds``, its life; None: an hour, or less when the session ends before. The link is signed with the session's
        credentials, so it never outlives them. Raises InvalidInput (``too-long``, with the longest) and what reading would raise.
        """
        head(self.s3, self.bucket, check_key(key))
        now, access = dt.datetime.now(dt.UTC), connect.access()
        ends = dt.datetime.fromisoformat(access["ExpiresAt"])
        longest = min(LONGEST_LINK, int((ends - now).total_seconds()))
        life = min(USUAL_LINK, longest) if seconds is None else seconds
        if life > longest:
            span = f"{longest // 60} minutes" if longest >= 120 else f"{longest} seconds"
            text = f"A link can live {span} at most now, because your session at the store ends then. Ask for less."
            raise InvalidInput(text, code="too-long")
        if life < 1:
            raise InvalidInput("A link lives for a second at least. Ask for more.", code="too-short")
        name = quote(key.rstrip("/").rpartition("/")[2], safe="")
        wish = {
            "Bucket": self.bucket,
            "Key": key,
            # what somebody else wrote must not run as a page of the store's address
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{name}",
        }
        with explained(self.bucket, key):
            url = _signer(access).generate_presigned_url("get_object", wish, ExpiresIn=life)
        return PresignedLink(url=url, expires_at=now + dt.timedelta(seconds=life), longest_seconds=longest)

    def versions(self, key: str, cursor: str = "", limit: int = PAGE) -> ObjectPage:
        """All versions of an object, the latest first, deletions included. Parameters: as for `page`."""
        check_key(key)
        after = {"KeyMarker": key, "VersionIdMarker": cursor} if cursor else {}
        with explained(self.bucket, key):
            answer = self.s3.list_object_versions(Bucket=self.bucket, Prefix=key, MaxKeys=limit, **after)
        rows = [*answer.get("Versions", []), *({**row, "deleted": True} for row in answer.get("DeleteMarkers", []))]
        mine = [_version(row) for row in rows if row["Key"] == key]
        mine.sort(key=lambda entry: (entry.latest, entry.modified_at or _EPOCH), reverse=True)
        goes_on = answer.get("IsTruncated") and answer.get("NextKeyMarker") == key
        return ObjectPage(items=mine, next=answer["NextVersionIdMarker"] if goes_on else None, scanned=len(rows))

    def restore(self, key: str, version: str) -> StoredObject:
        """Make an old version the latest again; nothing is lost, what was latest becomes an old one."""
        with explained(self.bucket, check_key(key)):
            copy(self.s3, self.bucket, key, key, version=version)
        return head(self.s3, self.bucket, key)


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


def _entry(row: dict[str, Any]) -> StoredObject:
    return StoredObject(
        key=row["Key"], folder=row["Key"].endswith("/"), size=row["Size"], modified_at=row["LastModified"]
    )


def _version(row: dict[str, Any]) -> StoredObject:
    return StoredObject(
        key=row["Key"],
        size=row.get("Size", 0),
        modified_at=row["LastModified"],
        version=row["VersionId"],
        latest=row["IsLatest"],
        deleted=row.get("deleted", False),
    )


def _signer(access: dict[str, Any]) -> Any:
    """A client that signs with the credentials whose end is known, for the address that browsers reach."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=connect.plan().public_endpoint or access["Endpoint"],
        region_name=access["Region"],
        aws_access_key_id=access["AccessKeyId"],
        aws_secret_access_key=access["SecretAccessKey"],
        aws_session_token=access["SessionToken"],
        config=connect.s3_config(),
    )
