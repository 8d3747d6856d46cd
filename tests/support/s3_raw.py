"""S3 requests made by hand: signed by botocore's own signer, then bent where a test wants it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import zlib
from typing import Any
from unittest import mock
from urllib.parse import quote

import httpx
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
TIME = "%Y%m%dT%H%M%SZ"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def credentials(session: dict[str, Any]) -> Credentials:
    return Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])


def signed(
    session: dict[str, Any],
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
    region: str = REGION,
    service: str = "s3",
    at: dt.datetime | None = None,
) -> dict[str, str]:
    """The headers of a signed request; ``url`` is percent-encoded as it will be sent."""
    request = AWSRequest(method, url, headers={**(headers or {}), "X-Amz-Content-SHA256": payload})
    signer = auth.S3SigV4Auth(credentials(session), service, region)
    request.context["payload_signing_enabled"] = True
    now = (at or dt.datetime.now(dt.UTC)).replace(tzinfo=None)
    with (
        mock.patch.object(auth, "get_current_datetime", return_value=now),
        mock.patch.object(signer, "payload", return_value=payload),
    ):
        signer.add_auth(request)
    return {**dict(request.headers.items()), "X-Amz-Content-SHA256": payload}


def send(session: dict[str, Any], method: str, url: str, content: bytes = b"", **options: Any) -> httpx.Response:
    """A signed request and its answer."""
    headers = signed(session, method, url, **options)
    return httpx.request(method, httpx.URL(url), headers=headers, content=content)


def code(answer: httpx.Response) -> str:
    """The error code of an answer; empty when there is none."""
    return answer.text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in answer.text else ""


def key_url(base: str, bucket: str, key: str) -> str:
    return f"{base}/{bucket}/{quote(key, safe='/-_.~')}"


class ChunkedUpload:
    """An aws-chunked PUT; ``bend`` changes the body before it is sent."""

    def __init__(self, session: dict[str, Any], url: str, chunks: list[bytes], trailer: str = "") -> None:
        self.session, self.url, self.chunks, self.trailer = session, url, chunks, trailer

    def send(self, kind: str, bend: Any = lambda body: body, **headers: str) -> httpx.Response:
        given = {"x-amz-decoded-content-length": str(sum(map(len, self.chunks))), "content-encoding": "aws-chunked"}
        if self.trailer:
            given["x-amz-trailer"] = self.trailer.partition(":")[0]
        ready = signed(self.session, "PUT", self.url, headers={**given, **headers}, payload=kind)
        body = bend(self._signed_body(ready, kind) if "HMAC" in kind else self._unsigned_body())
        return httpx.put(self.url, headers=ready, content=body)

    def _unsigned_body(self) -> bytes:
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in self.chunks)
        return framed + b"0\r\n" + (f"{self.trailer}\r\n" if self.trailer else "").encode() + b"\r\n"

    def _signed_body(self, headers: dict[str, str], kind: str) -> bytes:
        time = headers["X-Amz-Date"]
        scope = f"{time[:8]}/{REGION}/s3/aws4_request"
        key = f"AWS4{self.session['SecretAccessKey']}".encode()
        for part in (time[:8], REGION, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        previous = headers["Authorization"].rpartition("Signature=")[2]
        body = b""
        for chunk in [*self.chunks, b""]:
            text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", time, scope, previous, sha256(b""), sha256(chunk)])
            previous = hmac.digest(key, text.encode(), "sha256").hex()
            body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
        if kind.endswith("TRAILER"):
            text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", time, scope, previous, sha256(f"{self.trailer}\n".encode())])
            last = hmac.digest(key, text.encode(), "sha256").hex()
            body += f"{self.trailer}\r\nx-amz-trailer-signature:{last}\r\n".encode()
        return body + b"\r\n"
