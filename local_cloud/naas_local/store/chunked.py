"""``aws-chunked`` bodies: pieces of content with their signatures, and checksums as trailers.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and ``…-trailers.html``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError

from naas_local.store.errors import S3Error
from naas_local.store.sigv4 import Signature, digest, sign

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KINDS = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})
PIECE = 1 << 20
"""Bytes taken from the connection at once."""
MOST_TRAILERS = 8

_HEAD = re.compile(rb"([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_EMPTY = hashlib.sha256().hexdigest()


@dataclass
class ChunkSigner:
    """The chain of chunk signatures; the request's own signature is its first link."""

    key: bytes
    request: Signature
    previous: str

    def check(self, given: str, content: str) -> None:
        """Verify a chunk by the SHA-256 of its content."""
        self._link(given, "AWS4-HMAC-SHA256-PAYLOAD", _EMPTY, content)

    def check_trailer(self, given: str, content: str) -> None:
        """Verify the trailers."""
        self._link(given, "AWS4-HMAC-SHA256-TRAILER", content)

    def _link(self, given: str, kind: str, *hashes: str) -> None:
        expected = sign(self.key, kind, self.request.time, self.request.scope, self.previous, *hashes)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise S3Error("SignatureDoesNotMatch", "A chunk of the body has a wrong signature. Send the object again.")
        self.previous = expected


class ChunkedBody:
    """Decodes a body; afterwards ``trailers`` holds what followed the content."""

    def __init__(self, stream: StreamReader, signer: ChunkSigner | None, with_trailer: bool) -> None:
        self._stream, self._signer, self._with_trailer = stream, signer, with_trailer
        self.trailers: dict[str, str] = {}

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content. Raises S3Error when the form or a signature is wrong."""
        while True:
            remaining, signature = await self._head()
            hasher = hashlib.sha256()
            last = remaining == 0
            while remaining:
                piece = await self._stream.read(min(remaining, PIECE))
                if not piece:
                    raise _incomplete()
                if self._signer:
                    hasher.update(piece)
                remaining -= len(piece)
                yield piece
            if self._signer:
                self._signer.check(signature, hasher.hexdigest())
            if last:
                break
            if await self._line() != b"\r\n":
                raise _malformed()
        await self._end()

    async def _head(self) -> tuple[int, str]:
        if not (match := _HEAD.fullmatch(await self._line())):
            raise _malformed()
        return int(match[1], 16), (match[2] or b"").decode()

    async def _line(self) -> bytes:
        try:
            line = await self._stream.readuntil(b"\r\n")
        except (ValueError, HttpProcessingError):  # longer than the reader's buffer
            raise _malformed() from None
        if not line.endswith(b"\r\n"):
            raise _incomplete()
        return line

    async def _end(self) -> None:
        """Read trailers, if any were announced, and the empty line after them."""
        content, signature = "", ""
        for _ in range(MOST_TRAILERS):
            if (line := await self._line()) == b"\r\n":
                break
            name, _, value = line.decode("latin-1").strip().partition(":")
            if name.lower() == "x-amz-trailer-signature":
                signature = value.strip()
            else:
                self.trailers[name.strip().lower()] = value.strip()
                content += f"{name.strip().lower()}:{value.strip()}\n"
        else:
            raise _malformed()
        if self.trailers and not self._with_trailer:
            raise _malformed()
        if self._signer and self._with_trailer:
            self._signer.check_trailer(signature, digest(content))


def _malformed() -> S3Error:
    return S3Error(
        "InvalidRequest", "The body is not in the form aws-chunked that its headers promise. Check the client."
    )


def _incomplete() -> S3Error:
    return S3Error("IncompleteBody", "The body ended before its promised length. Send it again.")
