"""The few S3 requests that preparing a bucket needs, signed with AWS Signature Version 4.

Source: "Signature Version 4 signing process", AWS General Reference. A whole SDK for five requests would be most of this
service's size; the tests compare the signature with botocore's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from naas_client.models import S3Credentials

from naas_gateway.clients.http import Answer
from naas_gateway.clients.sites import Sites
from naas_gateway.clock import utcnow

ALGORITHM = "AWS4-HMAC-SHA256"

PRIVATE = (
    b'<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>false</BlockPublicAcls>'
    b"<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>"
    b"<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
)
"""Public ACLs count for nothing. They are not refused as well: with BlockPublicAcls, Ceph 16 refuses every PUT."""


@dataclass(frozen=True)
class Keys:
    """A long-lived key pair; temporary credentials are `S3Credentials`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    session_token: str = ""


def query_text(query: Mapping[str, str]) -> str:
    """A query as it is signed and sent: sorted and percent-encoded, spaces too."""
    return "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in sorted(query.items()))


async def send_signed(
    sites: Sites,
    method: str,
    path: str,
    credentials: S3Credentials | Keys,
    query: Mapping[str, str] | None = None,
    content: bytes = b"",
    content_type: str = "",
) -> Answer:
    """One signed request. Parameters: ``path``, not encoded. Raises Unavailable when no site answers."""
    encoded, asked = quote(path, safe="/-_.~"), query or {}
    described = {"content-type": content_type} if content_type else {}
    return await sites.request(
        method,
        f"{encoded}?{query_text(asked)}" if asked else encoded,
        headers=lambda url: {
            **sign(method, url.partition("?")[0], asked, content, credentials, utcnow()),
            **described,
        },
        content=content or None,
    )


def sign(
    method: str,
    url: str,
    query: Mapping[str, str],
    body: bytes,
    credentials: S3Credentials | Keys,
    now: dt.datetime,
) -> dict[str, str]:
    """Headers that sign a request. Parameters: ``url`` without a query; ``query``, unencoded; ``now``, UTC."""
    stamp, digest = now.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(body).hexdigest()
    parts = urlsplit(url)
    signed = {
        "host": parts.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
    }
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            query_text(query),
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
    """S3 requests with somebody's credentials, path-style."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    async def _send(self, method: str, path: str, credentials: S3Credentials | Keys, **more: Any) -> int:
        return (await send_signed(self._sites, method, path, credentials, **more)).status

    async def head_bucket(self, bucket: str, credentials: S3Credentials | Keys) -> int:
        """Status of HeadBucket: 200, 403 or 404."""
        return await self._send("HEAD", f"/{bucket}", credentials)

    async def create_bucket(self, bucket: str, credentials: S3Credentials | Keys) -> int:
        """Status of CreateBucket: 200, 403 or 409."""
        return await self._send("PUT", f"/{bucket}", credentials)

    async def list_one(self, bucket: str, prefix: str, credentials: S3Credentials | Keys) -> int:
        """Status of a listing of one key, as a mount asks for it: 200, 403 or 404. Parameters: ``prefix``, with its slash, or empty."""
        query = {"list-type": "2", "max-keys": "1", "prefix": prefix}
        return await self._send("GET", f"/{bucket}", credentials, query=query)

    async def head_marker(self, bucket: str, prefix: str, credentials: S3Credentials | Keys) -> int:
        """Status of asking for the empty object ``prefix/``: 200, 403 or 404."""
        return await self._send("HEAD", f"/{bucket}/{prefix}/", credentials)

    async def put_marker(self, bucket: str, prefix: str, credentials: S3Credentials | Keys) -> int:
        """Status of writing an empty object ``prefix/``, so that the prefix is listed as a folder."""
        return await self._send("PUT", f"/{bucket}/{prefix}/", credentials)

    async def keep_private(self, bucket: str, credentials: S3Credentials | Keys) -> int:
        """Status of PutPublicAccessBlock with `PRIVATE`: 200, 403 or 404. Only the bucket's owner may."""
        return await self._send("PUT", f"/{bucket}", credentials, query={"publicAccessBlock": ""}, content=PRIVATE)
