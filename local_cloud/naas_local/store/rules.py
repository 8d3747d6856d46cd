"""What a request asks for, and whether this person may.

A whitelist: rclone takes a sub-resource it does not know for the plain object (a PUT of ``?acl`` empties it, one of ``?tagging`` replaces
its content), so what is not in `OPERATIONS` never reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from naas_client.folders import GroupFolder
from naas_client.names import is_made_by

from naas_local.store.address import Address, check_bucket, check_key, check_prefix
from naas_local.store.errors import S3Error


class Op(StrEnum):
    """The operations served, by their names in the S3 API."""

    LIST_BUCKETS = "ListBuckets"
    HEAD_BUCKET = "HeadBucket"
    CREATE_BUCKET = "CreateBucket"
    DELETE_BUCKET = "DeleteBucket"
    LIST_OBJECTS = "ListObjects"
    LIST_UPLOADS = "ListMultipartUploads"
    GET_LOCATION = "GetBucketLocation"
    GET_VERSIONING = "GetBucketVersioning"
    DELETE_OBJECTS = "DeleteObjects"
    GET_OBJECT = "GetObject"
    HEAD_OBJECT = "HeadObject"
    PUT_OBJECT = "PutObject"
    COPY_OBJECT = "CopyObject"
    DELETE_OBJECT = "DeleteObject"
    CREATE_UPLOAD = "CreateMultipartUpload"
    UPLOAD_PART = "UploadPart"
    COPY_PART = "UploadPartCopy"
    LIST_PARTS = "ListParts"
    COMPLETE_UPLOAD = "CompleteMultipartUpload"
    ABORT_UPLOAD = "AbortMultipartUpload"


Level = Literal["service", "bucket", "object"]
_LISTING = frozenset({"prefix", "delimiter", "encoding-type"})
_OBJECTS = _LISTING | {"list-type", "marker", "max-keys", "continuation-token", "start-after", "fetch-owner"}
_UPLOADS = _LISTING | {"key-marker", "upload-id-marker", "max-uploads"}
_RESPONSE = frozenset(
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)
_NONE: frozenset[str] = frozenset()

OPERATIONS: dict[tuple[Level, str, frozenset[str]], tuple[Op, frozenset[str]]] = {
    ("service", "GET", _NONE): (Op.LIST_BUCKETS, _NONE),
    ("bucket", "HEAD", _NONE): (Op.HEAD_BUCKET, _NONE),
    ("bucket", "PUT", _NONE): (Op.CREATE_BUCKET, _NONE),
    ("bucket", "DELETE", _NONE): (Op.DELETE_BUCKET, _NONE),
    ("bucket", "GET", _NONE): (Op.LIST_OBJECTS, _OBJECTS),
    ("bucket", "GET", frozenset({"uploads"})): (Op.LIST_UPLOADS, _UPLOADS),
    ("bucket", "GET", frozenset({"location"})): (Op.GET_LOCATION, _NONE),
    ("bucket", "GET", frozenset({"versioning"})): (Op.GET_VERSIONING, _NONE),
    ("bucket", "POST", frozenset({"delete"})): (Op.DELETE_OBJECTS, _NONE),
    ("object", "GET", _NONE): (Op.GET_OBJECT, _RESPONSE),
    ("object", "HEAD", _NONE): (Op.HEAD_OBJECT, _RESPONSE),
    ("object", "PUT", _NONE): (Op.PUT_OBJECT, _NONE),
    ("object", "DELETE", _NONE): (Op.DELETE_OBJECT, _NONE),
    ("object", "POST", frozenset({"uploads"})): (Op.CREATE_UPLOAD, _NONE),
    ("object", "PUT", frozenset({"uploadId", "partNumber"})): (Op.UPLOAD_PART, _NONE),
    ("object", "GET", frozenset({"uploadId"})): (Op.LIST_PARTS, frozenset({"max-parts", "part-number-marker"})),
    ("object", "POST", frozenset({"uploadId"})): (Op.COMPLETE_UPLOAD, _NONE),
    ("object", "DELETE", frozenset({"uploadId"})): (Op.ABORT_UPLOAD, _NONE),
}
"""(level, method, sub-resources) → operation and the other parameters it knows."""

_SUBRESOURCES = frozenset().union(*(sub for _, _, sub in OPERATIONS))
_PRESIGN = frozenset({"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token"})
_IGNORED = frozenset({"x-id", "x-amz-sdk-checksum-algorithm"}) | {f"X-Amz-{name}" for name in _PRESIGN}
"""Parameters without a meaning for us: the name of the operation (newer SDKs), and those of a presigned link."""

OF_A_BUCKET = frozenset({Op.HEAD_BUCKET, Op.GET_LOCATION, Op.GET_VERSIONING})
"""Open to whoever sees the bucket."""
LISTINGS = frozenset({Op.LIST_OBJECTS, Op.LIST_UPLOADS})
READS = frozenset({Op.GET_OBJECT, Op.HEAD_OBJECT})


@dataclass(frozen=True)
class Request:
    """A recognised request: the operation, its target, and the parameters that belong to it."""

    op: Op
    bucket: str
    key: str
    query: tuple[tuple[str, str], ...]


def recognise(method: str, address: Address, headers: Mapping[str, str]) -> Request:
    """The operation of a request. Raises S3Error for whatever is not in `OPERATIONS`, and for names that cannot exist."""
    query = _parameters(address)
    level: Level = "object" if address.key else "bucket" if address.bucket else "service"
    subresources = frozenset(query) & _SUBRESOURCES
    if (found := OPERATIONS.get((level, method, subresources))) is None:
        if not subresources:
            raise S3Error("MethodNotAllowed", f"{method} is not served here. See the S3 API for the method to use.")
        raise _unknown(method, subresources)
    op, known = found
    if unknown := query.keys() - known - subresources:
        raise _unknown(method, unknown)
    if "x-amz-copy-source" in headers:
        op = {Op.PUT_OBJECT: Op.COPY_OBJECT, Op.UPLOAD_PART: Op.COPY_PART}.get(op, op)
    _check_names(op, address, query)
    return Request(op, address.bucket, address.key, tuple(query.items()))


def _parameters(address: Address) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in address.query:
        if name in _IGNORED or (name, value) == ("versionId", "null"):
            continue
        if name in query:
            raise S3Error("InvalidArgument", f"The parameter {name} is given twice. Give it once.")
        query[name] = value
    return query


def _unknown(method: str, names: frozenset[str] | set[str]) -> S3Error:
    what = ", ".join(f"?{name[:40]}" for name in sorted(names)) or "this"
    return S3Error("NotImplemented", f"{method} with {what} is not served by this store; nothing was changed.")


def _check_names(op: Op, address: Address, query: Mapping[str, str]) -> None:
    if op is Op.LIST_BUCKETS:
        return
    check_bucket(address.bucket)
    if address.key:
        check_key(address.key)
    check_prefix(query.get("prefix", ""))
    if query.get("delimiter", "/") not in ("", "/"):
        raise S3Error("NotImplemented", "Listings are grouped by '/' only. Use delimiter=/ or none.")
    if address.is_folder and op not in (Op.PUT_OBJECT, Op.GET_OBJECT, Op.HEAD_OBJECT, Op.DELETE_OBJECT):
        raise S3Error(
            "InvalidArgument", "A key that ends with a slash is a folder, which has no content. Name an object."
        )


@dataclass(frozen=True)
class Rights:
    """What a person may use: the bucket of their name and those they made, ``scratch`` (empty: none) to read and partly write, and the
    folders of their groups.
    """

    name: str
    scratch: str
    shared: tuple[GroupFolder, ...] = ()

    def owns(self, bucket: str) -> bool:
        """Whether a bucket is, or would be, the person's."""
        return bucket == self.name or is_made_by(self.name, bucket)

    def sees(self, bucket: str) -> bool:
        """Whether the person may know a bucket, and read something in it."""
        return self._is_scratch(bucket) or self.owns(bucket) or any(folder.bucket == bucket for folder in self.shared)

    def may_make(self, bucket: str) -> bool:
        """Whether the person may make a bucket."""
        return self.owns(bucket)

    def may_delete(self, bucket: str) -> bool:
        """Whether the person may delete a bucket: not the one that was made for them."""
        return is_made_by(self.name, bucket)

    def may_read(self, bucket: str, key: str) -> bool:
        """Whether the person may read a key, or list the keys that begin so."""
        return (
            self._is_scratch(bucket) or self.owns(bucket) or any(_holds(folder, bucket, key) for folder in self.shared)
        )

    def may_write(self, bucket: str, key: str) -> bool:
        """Whether the person may write or delete a key."""
        return (
            self.owns(bucket)
            or (self._is_scratch(bucket) and key.startswith(f"{self.name}/"))
            or any(_holds(folder, bucket, key) and not folder.read_only for folder in self.shared)
        )

    def may_write_in(self, bucket: str) -> bool:
        """Whether there are keys in a bucket that the person may write or delete."""
        return (
            self.owns(bucket)
            or self._is_scratch(bucket)
            or any(folder.bucket == bucket and not folder.read_only for folder in self.shared)
        )

    def _is_scratch(self, bucket: str) -> bool:
        return bool(self.scratch) and bucket == self.scratch


def _holds(folder: GroupFolder, bucket: str, key: str) -> bool:
    return folder.bucket == bucket and key.startswith(folder.below)


@dataclass(frozen=True)
class KeyRights(Rights):
    """What a long-lived key opens: the person's own bucket and, in scratch, what is below their name. Never a group's folder."""

    shared: tuple[GroupFolder, ...] = field(default=(), init=False)
    read_only: bool

    def owns(self, bucket: str) -> bool:
        """Only the one bucket."""
        return bucket == self.name

    def sees(self, bucket: str) -> bool:
        """Only the one bucket: of scratch a key knows what is below the person's name."""
        return self.owns(bucket)

    def may_make(self, bucket: str) -> bool:  # noqa: ARG002
        """None."""
        return False

    def may_delete(self, bucket: str) -> bool:  # noqa: ARG002
        """None."""
        return False

    def may_read(self, bucket: str, key: str) -> bool:
        """In scratch only below the person's name."""
        return self.owns(bucket) or (self._is_scratch(bucket) and key.startswith(f"{self.name}/"))

    def may_write(self, bucket: str, key: str) -> bool:
        """As the person, unless the key is for reading only."""
        return not self.read_only and super().may_write(bucket, key)

    def may_write_in(self, bucket: str) -> bool:
        """As the person, unless the key is for reading only."""
        return not self.read_only and super().may_write_in(bucket)


@dataclass(frozen=True)
class GroupRights(Rights):
    """What a group's shared server may use: the group's folders, and no bucket of its own."""

    def owns(self, bucket: str) -> bool:  # noqa: ARG002
        """None."""
        return False

    def may_delete(self, bucket: str) -> bool:  # noqa: ARG002
        """None."""
        return False


def check_access(rights: Rights, request: Request) -> None:
    """Raise S3Error unless a person may do this. Keys inside a DeleteObjects body and copy sources are checked where they are read."""
    op, bucket, scratch = request.op, request.bucket, rights.scratch
    if op is Op.LIST_BUCKETS:
        allowed = True
    elif op is Op.DELETE_BUCKET:
        allowed = rights.may_delete(bucket)
    elif op is Op.CREATE_BUCKET:
        if scratch and bucket == scratch:
            raise S3Error("BucketAlreadyExists", "The shared bucket exists already; write below your own name in it.")
        allowed = rights.may_make(bucket)
    elif op is Op.DELETE_OBJECTS:
        allowed = rights.may_write_in(bucket)
    elif op in LISTINGS:
        allowed = rights.may_read(bucket, dict(request.query).get("prefix", ""))
    elif op in READS:
        allowed = rights.may_read(bucket, request.key)
    elif op in OF_A_BUCKET:
        allowed = rights.sees(bucket)
    else:
        allowed = rights.may_write(bucket, request.key)
    if not allowed:
        raise S3Error(
            "AccessDenied",
            "Access Denied: you can use your own buckets, make some that start with your name and two hyphens, read the shared one, "
            "write there below your name, and use what your groups share.",
        )
