"""The checksums that a caller may give for a body; each is verified before the object exists.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html. CRC32 is what all SDKs send by default; CRC32C and
CRC64NVME need compiled code that Python does not bring, so they are refused, not ignored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Callable
from typing import Protocol

from naas_local.store.errors import S3Error

CHECKSUM = "x-amz-checksum-"


_SETTINGS = frozenset({f"{CHECKSUM}{name}" for name in ("algorithm", "mode", "type")})


def is_value(header: str) -> bool:
    """Whether a header holds a checksum (and not how one is made)."""
    return header.lower().startswith(CHECKSUM) and header.lower() not in _SETTINGS


class Hasher(Protocol):
    """What hashlib's objects and `Crc32` have in common."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def digest(self) -> bytes:
        """The checksum so far."""


class Crc32:
    """CRC-32 (ISO/IEC 3309) with hashlib's methods."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """The checksum so far, big-endian."""
        return self._value.to_bytes(4, "big")


def _insecure(name: str) -> Callable[[], Hasher]:
    return lambda: hashlib.new(name, usedforsecurity=False)


HASHERS: dict[str, tuple[Callable[[], Hasher], int]] = {
    "crc32": (Crc32, 4),
    "sha1": (_insecure("sha1"), 20),
    "sha256": (hashlib.sha256, 32),
}
"""Algorithm → its hasher and the length of a checksum in bytes."""


class Expected:
    """One checksum a body must have."""

    def __init__(self, hasher: Hasher, value: bytes | None, code: str, what: str) -> None:
        self.hasher, self.value, self._code, self._what = hasher, value, code, what

    def check(self) -> None:
        """Raise S3Error unless the body had it."""
        if self.value is None or not hmac.compare_digest(self.hasher.digest(), self.value):
            raise S3Error(self._code, f"The body does not have the {self._what} it came with. Send it again.")


def payload_sha256(value: str) -> Expected:
    """The signed hash of the whole body (hexadecimal)."""
    return Expected(hashlib.sha256(), bytes.fromhex(value), "XAmzContentSHA256Mismatch", "x-amz-content-sha256")


def content_md5(value: str) -> Expected:
    """RFC 1864. Raises S3Error when the header is no MD5."""
    return Expected(_insecure("md5")(), _decoded(value, 16, "Content-MD5"), "BadDigest", "Content-MD5")


def checksum(header: str, value: str | None) -> Expected:
    """The checksum of an ``x-amz-checksum-*`` header, or (value None) of a trailer that is still to come."""
    name = header.strip().lower()
    if not name.startswith(CHECKSUM) or (found := HASHERS.get(name.removeprefix(CHECKSUM))) is None:
        raise S3Error("NotImplemented", f"{header[:40]} cannot be verified here. Use CRC32, SHA1 or SHA256.")
    make, length = found
    return Expected(make(), None if value is None else _decoded(value, length, name), "BadDigest", name)


def _decoded(value: str, length: int, what: str) -> bytes:
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length:
        raise S3Error("InvalidDigest", f"{what} is not a base64 value of {length} bytes. Check the client.")
    return raw


def set_trailer(expected: Expected, name: str, value: str) -> None:
    """Fill in a checksum that came as a trailer."""
    expected.value = _decoded(value, len(expected.hasher.digest()), name)
