"""A request's body on its way to rclone: decoded, counted, verified, and never complete there before it is verified here.

The last piece is held back until all checks have passed. rclone makes an object appear only when an upload was complete, so a body that
fails leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from aiohttp import StreamReader, web

from naas_local.store import checksums
from naas_local.store.checksums import Expected
from naas_local.store.chunked import KINDS, PIECE, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkedBody, ChunkSigner
from naas_local.store.errors import S3Error
from naas_local.store.sigv4 import UNSIGNED, Signature

IN_THREAD = 256 * 1024
"""Bytes from which hashing goes to a thread; below, the hop costs more than the hash."""
LARGEST_OBJECT = 5 << 40
"""Bytes (Amazon's limit)."""

_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


class Body:
    """The body of one request. ``length`` is that of the content, in bytes."""

    def __init__(self, request: web.Request, signature: Signature, key: bytes) -> None:
        self.error: S3Error | None = None
        self._request = request
        self._kind = signature.payload
        self._chunked = self._kind in KINDS
        if not self._chunked and self._kind != UNSIGNED and not _HEX_SHA256.fullmatch(self._kind):
            raise S3Error(
                "InvalidArgument", "This form of x-amz-content-sha256 is not served. Use a SHA-256 or UNSIGNED-PAYLOAD."
            )
        self.length = self._length()
        signer = ChunkSigner(key, signature, signature.signature) if self._kind != UNSIGNED_TRAILER else None
        with_trailer = self._kind in (SIGNED_TRAILER, UNSIGNED_TRAILER)
        self._decoder = ChunkedBody(request.content, signer, with_trailer) if self._chunked else None
        self._trailers: dict[str, Expected] = {}
        self._expected = list(self._expectations())

    def _length(self) -> int:
        name = "x-amz-decoded-content-length" if self._chunked else "Content-Length"
        text = self._request.headers.get(name, "0" if not self._request.can_read_body else "")
        if not (text.isascii() and text.isdigit() and len(text) < 15):
            raise S3Error("MissingContentLength", f"{name} is missing or no number. Send the length of the content.")
        if int(text) > LARGEST_OBJECT:
            raise S3Error("InvalidRequest", "An object has at most 5 TiB. Split it.")
        return int(text)

    def _expectations(self) -> list[Expected]:
        headers, found = self._request.headers, []
        if _HEX_SHA256.fullmatch(self._kind):
            found.append(checksums.payload_sha256(self._kind))
        if "Content-MD5" in headers:
            found.append(checksums.content_md5(headers["Content-MD5"]))
        found += [checksums.checksum(name, headers[name]) for name in headers if checksums.is_value(name)]
        if self._decoder:
            names = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()]
            self._trailers = {name: checksums.checksum(name, None) for name in names}
        return [*found, *self._trailers.values()]

    async def read(self, limit: int) -> bytes:
        """The whole verified content. Raises S3Error when it is longer than ``limit`` bytes."""
        if self.length > limit:
            raise S3Error(
                "MaxMessageLengthExceeded", f"The request's body has more than {limit} bytes. Send a shorter one."
            )
        return b"".join([piece async for piece in self.verified()])

    async def verified(self) -> AsyncIterator[bytes]:
        """The content in pieces of about 1 MiB; the last one only after every check has passed.

        An error is kept in ``error`` too, because the HTTP client that reads this reports only a failed upload.
        """
        try:
            held = b""
            async for piece in self._gathered():
                checked = asyncio.ensure_future(self._update(piece))
                try:
                    if held:
                        yield held  # on its way to rclone while the next piece is being hashed
                finally:
                    await checked
                held = piece
            self._finish()
            if held:
                yield held
        except S3Error as error:
            self.error = error
            raise
        except Exception as error:  # whatever the connection to the caller ends with
            self.error = S3Error(
                "IncompleteBody", "The connection ended before the whole body had come. Send it again."
            )
            raise self.error from error

    async def _gathered(self) -> AsyncIterator[bytes]:
        parts: list[bytes] = []
        waiting = total = 0
        async for piece in self._decoder.pieces() if self._decoder else _plain(self._request.content):
            parts.append(piece)
            waiting, total = waiting + len(piece), total + len(piece)
            if total > self.length:
                break
            if waiting >= PIECE:
                yield b"".join(parts)
                parts, waiting = [], 0
        if total != self.length:
            raise S3Error("IncompleteBody", "The body does not have the promised length. Send it again.")
        if parts:
            yield b"".join(parts)

    async def _update(self, piece: bytes) -> None:
        if len(piece) < IN_THREAD or not self._expected:
            self._hash(piece)
        else:
            await asyncio.to_thread(self._hash, piece)

    def _hash(self, piece: bytes) -> None:
        for expected in self._expected:
            expected.hasher.update(piece)

    def _finish(self) -> None:
        trailers = self._decoder.trailers if self._decoder else {}
        for name, value in trailers.items():
            if name not in self._trailers:
                raise S3Error(
                    "InvalidRequest", "A trailer came that x-amz-trailer had not announced. Check the client."
                )
            checksums.set_trailer(self._trailers[name], name, value)
        for expected in self._expected:
            expected.check()


async def _plain(stream: StreamReader) -> AsyncIterator[bytes]:
    while piece := await stream.read(PIECE):
        yield piece
