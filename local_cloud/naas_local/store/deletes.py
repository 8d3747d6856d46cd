"""DeleteObjects: each key is decided on its own; what may go is passed on, the rest is reported.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from naas_local.store.address import check_key
from naas_local.store.errors import S3Error

LARGEST_BODY = 4 << 20
"""Bytes: 1000 keys of 1024 bytes, escaped."""
MOST_KEYS = 1000


@dataclass
class Deletion:
    """What a DeleteObjects request comes to."""

    keys: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    refused: list[tuple[str, S3Error]] = field(default_factory=list)
    quiet: bool = False


def parse_xml(body: bytes) -> ElementTree.Element:
    """An XML document without declarations (so without entities). Raises S3Error when it is none."""
    try:
        text = body.decode("utf-8")
        if "<!" in text:
            raise S3Error("MalformedXML", "Document types, entities and comments are not accepted. Send plain XML.")
        return ElementTree.fromstring(text)  # noqa: S314 - without declarations there are no entities
    except (UnicodeError, ElementTree.ParseError, ValueError):
        raise S3Error("MalformedXML", "The body is not well-formed XML in UTF-8. Check the client.") from None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def read(body: bytes, may_delete: Callable[[str], bool]) -> Deletion:
    """The keys of a request, each allowed or refused. Raises S3Error when the request itself is wrong."""
    root, result = parse_xml(body), Deletion()
    objects = [child for child in root if _local(child) == "Object"]
    result.quiet = any(_local(child) == "Quiet" and (child.text or "").strip() == "true" for child in root)
    if _local(root) != "Delete" or not 1 <= len(objects) <= MOST_KEYS:
        raise S3Error("MalformedXML", f"The body must be a Delete of 1 to {MOST_KEYS} objects. Check the client.")
    for element in objects:
        fields = {_local(child): child.text or "" for child in element}
        key = fields.get("Key", "")
        try:
            _check(fields, key, may_delete)
        except S3Error as error:
            result.refused.append((key, error))
        else:
            (result.folders if key.endswith("/") else result.keys).append(key)
    return result


def _check(fields: dict[str, str], key: str, may_delete: Callable[[str], bool]) -> None:
    if unknown := fields.keys() - {"Key", "VersionId"}:
        raise S3Error("NotImplemented", f"Conditional deletes ({', '.join(sorted(unknown))[:60]}) are not served.")
    if fields.get("VersionId", "null") not in ("", "null"):
        raise S3Error("NotImplemented", "This store keeps no versions. Delete without VersionId.")
    check_key(key)
    if not may_delete(key):
        raise S3Error("AccessDenied", "Access Denied")


def request_xml(keys: Iterable[str]) -> bytes:
    """The request to rclone."""
    rows = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f"<Delete>{rows}</Delete>".encode()


def answer_xml(deletion: Deletion, upstream: bytes | None) -> str:
    """The answer to the caller: rclone's errors, ours, and (unless quiet) what was deleted."""
    errors = [(key, error.code, error.message) for key, error in deletion.refused]
    for element in parse_xml(upstream) if upstream else ():
        if _local(element) == "Error":
            fields = {_local(child): child.text or "" for child in element}
            errors.append((fields.get("Key", ""), fields.get("Code", "InternalError"), fields.get("Message", "")))
    failed = {key for key, _, _ in errors}
    gone = [] if deletion.quiet else [key for key in (*deletion.keys, *deletion.folders) if key not in failed]
    rows = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in gone)
    rows += "".join(
        f"<Error><Key>{escape(key)}</Key><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        for key, code, message in errors
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{rows}</DeleteResult>"
    )
