"""Bytes to and from the store in pieces: memory stays bounded, and an upload that ends early leaves nothing."""

from __future__ import annotations

import contextlib
import logging
import mimetypes
import threading
from typing import Any

from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.models import StoredObject

from naas_storage.buckets.errors import AlreadyThere, explained, shown
from naas_storage.buckets.lookup import exists, head
from naas_storage.buckets.names import check_file

PART = 8 * 2**20
"""Bytes of one part, and of memory that an upload takes (larger for objects above 80 GB)."""
MOST_PARTS = 10_000
"""Parts of one upload (Amazon S3, "Multipart upload limits")."""
LARGEST = 2**40
"""Bytes of one upload: with it a part is 105 MiB."""
ABORT_TRIES = 3

log = logging.getLogger(__name__)


class Upload:
    """One object on its way to the store: `add` what arrives, `send` when it says that a part is full, then `finish`, else `abort`.

    The object exists, whole, after `finish`; before that there is none of it. Parameters: ``new``, refuse when the object exists
    (AlreadyThere); ``length``, its bytes when they are known. Raises NaasError.
    """

    def __init__(self, s3: Any, bucket: str, key: str, *, new: bool, length: int | None) -> None:
        self._s3, self._where, self._new = s3, {"Bucket": bucket, "Key": check_file(key)}, new
        if length is not None and length > LARGEST:
            raise InvalidInput(
                f"The file is larger than {LARGEST // 2**40} TiB. Upload it in pieces.", code="too-large"
            )
        self._part = max(PART, -(-(length or 0) // (MOST_PARTS - 1)))
        self._buffer = bytearray()
        self._size = 0
        self._upload = ""
        self._turn = threading.Lock()
        self._ended = False
        self._parts: list[dict[str, Any]] = []
        self._type = {"ContentType": mimetypes.guess_type(key)[0] or "application/octet-stream"}
        self._refuse_existing()

    def add(self, block: bytes) -> bool:
        """Take a block; whether there is enough for a part, so that `send` is due."""
        self._buffer += block
        self._size += len(block)
        return len(self._buffer) >= self._part

    def send(self) -> None:
        """Send what was added as one part."""
        with self._turn:
            self._send()

    def _send(self) -> None:
        self._check_going()
        if len(self._parts) == MOST_PARTS:
            raise InvalidInput(
                "The file is too large for an upload whose size was not told. Tell it.", code="too-large"
            )
        with self._explained():
            if not self._upload:
                self._upload = self._s3.create_multipart_upload(**self._where, **self._type)["UploadId"]
            number = len(self._parts) + 1
            part = self._s3.upload_part(
                **self._where, UploadId=self._upload, PartNumber=number, Body=bytes(self._buffer)
            )
        self._parts.append({"ETag": part["ETag"], "PartNumber": number})
        self._buffer.clear()

    def finish(self) -> StoredObject:
        """Make the object, and look that it is there with all its bytes."""
        with self._turn:
            return self._finish()

    def _finish(self) -> StoredObject:
        self._check_going()
        if self._upload and self._buffer:
            self._send()
        self._refuse_existing()
        with self._explained():
            if self._upload:
                done = {"UploadId": self._upload, "MultipartUpload": {"Parts": self._parts}}
                self._s3.complete_multipart_upload(**self._where, **done)
                self._upload = ""
            else:
                self._s3.put_object(**self._where, **self._type, Body=bytes(self._buffer))
        found = head(self._s3, self._where["Bucket"], self._where["Key"])
        if found.size != self._size:
            raise Unavailable(
                f"The store has {found.size} of {self._size} bytes of {shown(found.key)}: somebody wrote it at the same time. "
                "Upload it again.",
                code="not-whole",
            )
        return found

    def abort(self) -> None:
        """Forget everything that was sent; never raises. What the store does not forget now is in the log."""
        with self._turn:
            self._ended = True
            self._abort()

    def _abort(self) -> None:
        self._buffer.clear()
        for _ in range(ABORT_TRIES):
            if not self._upload:
                return
            with contextlib.suppress(NaasError), self._explained():
                self._s3.abort_multipart_upload(**self._where, UploadId=self._upload)
                self._upload = ""
        if self._upload:
            log.warning("the store did not forget an unfinished upload to %s", shown(self._where["Bucket"]))

    def _refuse_existing(self) -> None:
        if self._new and exists(self._s3, self._where["Bucket"], self._where["Key"]):
            raise AlreadyThere(f"{shown(self._where['Key'])} exists already. Replace it, or choose another name.")

    def _check_going(self) -> None:
        if self._ended:
            raise Unavailable("The upload was broken off. Start it again.", code="broken-off")

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self._where["Bucket"], self._where["Key"])


class Download:
    """The content of one object. ``name`` is the last part of its key; ``size`` in bytes."""

    def __init__(self, answer: dict[str, Any], key: str) -> None:
        self._key, self._body = key, answer["Body"]
        self.size = int(answer["ContentLength"])
        self.name = key.rstrip("/").rpartition("/")[2] or "download"

    def read(self, size: int) -> bytes:
        """The next bytes, empty at the end. Raises Unavailable when the store breaks off."""
        with explained("", self._key):
            return bytes(self._body.read(size))

    def close(self) -> None:
        """Give the connection up."""
        self._body.close()
