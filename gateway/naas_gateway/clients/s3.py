"""The four S3 requests that preparing a bucket needs, signed with AWS Signature Version 4.

Source: "Signature Version 4 signing process", AWS General Reference. A whole SDK for four requests would be most of this
service's size; the tests compare the signature with botocore's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from urllib.parse import quote, urlsplit

from naas_client.models import S3Credentials

from naas_gateway.clients.http import Answer, Service
from naas_gateway.clock import utcnow

ALGORITHM = "AWS4-HMAC-SHA256"


def sign(
    method: str, url: str, query: dict[str, str], body: bytes, credentials: S3Credentials, now: dt.datetime
) -> dict[str, str]:
    """Headers that sign a request. Parameters: ``url`` without a query; ``query``, unencoded; ``now``, UTC."""
    stamp, digest = now.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(body).hexdigest()
    parts = urlsplit(url)
    signed = {
        "host": parts.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.session_token,
    }
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in sorted(query.items())),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    to_sign = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return {**{name: value for name, value in signed.items() if name != "host"}, "authorization": authorization}


class Store:
    """S3 requests with a person's own credentials, path-style. Parameters: ``service``, shared with STS."""

    def __init__(self, service: Service, endpoint: str) -> None:
        self._service, self._endpoint = service, endpoint

    async def _send(
        self, method: str, path: str, credentials: S3Credentials, query: dict[str, str] | None = None
    ) -> Answer:
        url = f"{self._endpoint}/{quote(path, safe='/-_.~')}"
        headers = sign(method, url, query or {}, b"", credentials, utcnow())
        return await self._service.request(method, url, headers=headers, params=query)

    async def head_bucket(self, bucket: str, credentials: S3Credentials) -> int:
        """Status of HeadBucket: 200, 403 or 404."""
        return (await self._send("HEAD", bucket, credentials)).status

    async def create_bucket(self, bucket: str, credentials: S3Credentials) -> int:
        """Status of CreateBucket: 200, 403 or 409."""
        return (await self._send("PUT", bucket, credentials)).status

    async def head_marker(self, bucket: str, prefix: str, credentials: S3Credentials) -> int:
        """Status of asking for the empty object ``prefix/``: 200, 403 or 404."""
        return (await self._send("HEAD", f"{bucket}/{prefix}/", credentials)).status

    async def put_marker(self, bucket: str, prefix: str, credentials: S3Credentials) -> int:
        """Status of writing an empty object ``prefix/``, so that the prefix is listed as a folder."""
        return (await self._send("PUT", f"{bucket}/{prefix}/", credentials)).status
