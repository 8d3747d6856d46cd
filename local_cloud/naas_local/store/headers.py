"""Which headers of a request mean something here, which reach rclone, and which of its answers reach the caller.

rclone keeps every ``x-amz-*`` header of an upload as metadata and shows it to each reader, so nothing passes that is not named here.
"""

from __future__ import annotations

from collections.abc import Mapping

from multidict import CIMultiDict

from naas_local.store.errors import S3Error
from naas_local.store.rules import Op
from naas_local.store.sigv4 import Headers

META = "x-amz-meta-"
LARGEST_METADATA = 2048
"""Bytes of names and values (Amazon's limit, and rclone's)."""

_CONTENT = ("Content-Type", "Cache-Control", "Content-Disposition", "Content-Language", "Expires")
_SHOWN = (*_CONTENT, "Content-Encoding", "ETag", "Last-Modified", "Accept-Ranges")
_NO_PAGE = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""What somebody wrote never runs as a page of this address: a host's cookies, so the hub's, go to all its ports (RFC 6265 §8.5)."""
_PRIVATE_ACLS = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read"})
_KNOWN = frozenset(
    {
        "x-amz-acl",
        "x-amz-bucket-object-lock-enabled",
        "x-amz-checksum-algorithm",
        "x-amz-checksum-mode",
        "x-amz-checksum-type",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-range",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-metadata-directive",
        "x-amz-request-payer",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-security-token",
        "x-amz-storage-class",
        "x-amz-trailer",
        "x-amz-user-agent",
    }
)
_WITH_BODY = frozenset({Op.PUT_OBJECT, Op.UPLOAD_PART, Op.DELETE_OBJECTS})
_READING = frozenset({Op.GET_OBJECT, Op.HEAD_OBJECT})


def check(op: Op, headers: Headers) -> None:
    """Raise S3Error for a header that asks for what the store does not do; silently ignoring it would lose something."""
    for name in {name.lower() for name in headers}:
        if not name.startswith("x-amz-") or name in _KNOWN or name.startswith(META):
            continue
        if name.startswith("x-amz-grant-"):
            raise _no_acl()
        if not (name.startswith("x-amz-checksum-") and op in _WITH_BODY):
            raise S3Error("NotImplemented", f"The header {name[:60]} is not served by this store; nothing was changed.")
    if headers.get("x-amz-acl", "private") not in _PRIVATE_ACLS:
        raise _no_acl()
    if headers.get("x-amz-bucket-object-lock-enabled", "false").lower() != "false":
        raise S3Error("NotImplemented", "This store keeps no versions and no locks. Make the bucket without them.")
    if headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise S3Error("InvalidStorageClass", "The only storage class here is STANDARD. Leave the storage class out.")
    if op not in _READING and ("If-Match" in headers or "If-None-Match" in headers):
        raise S3Error("NotImplemented", "Conditional writes are not served by this store; nothing was changed.")


def _no_acl() -> S3Error:
    return S3Error(
        "AccessControlListNotSupported", "Buckets here are private and have no access lists. Leave the ACL out."
    )


def content_encoding(headers: Headers) -> str:
    """The object's own encoding: ``aws-chunked`` belongs to the transfer."""
    parts = (part.strip() for part in headers.get("Content-Encoding", "").split(","))
    return ", ".join(part for part in parts if part and part.lower() != "aws-chunked")


def to_upstream(headers: Headers) -> CIMultiDict[str]:
    """The headers of an upload that describe the object. Raises S3Error when its metadata is too large or not text."""
    kept = CIMultiDict({name: headers[name] for name in _CONTENT if name in headers})
    if encoding := content_encoding(headers):
        kept["Content-Encoding"] = encoding
    meta = {name.lower(): ",".join(headers.getall(name)) for name in headers if name.lower().startswith(META)}
    if any("\udc80" <= character <= "\udcff" for value in (*kept.values(), *meta.values()) for character in value):
        raise S3Error(
            "InvalidArgument", "Headers of an object must be ASCII or UTF-8 text. Encode them, in base64 say."
        )
    if sum(len(name) - len(META) + len(value.encode()) for name, value in meta.items()) > LARGEST_METADATA:
        raise S3Error("MetadataTooLarge", f"User metadata has at most {LARGEST_METADATA} bytes. Shorten it.")
    kept.update(meta)
    return kept


def to_caller(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """What a caller may see of rclone's answer about an object; metadata names in lower case, as Amazon sends them."""
    found: CIMultiDict[str] = CIMultiDict(headers)
    shown = CIMultiDict({name: found[name] for name in _SHOWN if name in found})
    shown.update({name.lower(): value for name, value in headers.items() if name.lower().startswith(META)})
    shown.update(_NO_PAGE)
    return shown
