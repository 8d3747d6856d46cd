"""Signature Version 4: checking the callers' and making our own towards rclone.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html (headers, query, chunked uploads).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from naas_local.store.address import Address, encode_path, encode_query
from naas_local.store.errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW = dt.timedelta(minutes=15)
"""How far a signature's time may be from ours (Amazon's value)."""
LONGEST_LINK = 7 * 86400
"""Seconds a presigned link may ask for (Amazon's limit); the session ends it earlier."""
TIME_FORMAT = "%Y%m%dT%H%M%SZ"

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})\s*"
)


@dataclass(frozen=True)
class Signature:
    """What a request says about its own signature, before it is believed."""

    access_key: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    time: str
    payload: str
    token: str
    presigned: bool
    expires: int = 0

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date}/{self.region}/s3/aws4_request"


def digest(data: str | bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def signing_key(secret: str, date: str, region: str) -> bytes:
    """The key of one day, region and service ``s3``."""
    return _hmac(_hmac(_hmac(_hmac(f"AWS4{secret}".encode(), date), region), "s3"), "aws4_request")


def sign(key: bytes, *lines: str) -> str:
    """The signature of a string to sign, given line by line."""
    return _hmac(key, "\n".join(lines)).hex()


def read(address: Address, headers: Headers, region: str) -> Signature:
    """The signature in a request's headers or query. Raises S3Error when there is none, or one of another form."""
    query = dict(address.query)
    if "Authorization" in headers:
        if "X-Amz-Signature" in query:
            raise S3Error("InvalidArgument", "The request is signed twice. Use the header or the query, not both.")
        found = _from_headers(headers)
    elif "X-Amz-Signature" in query:
        found = _from_query(query, headers)
    else:
        raise S3Error("AccessDenied", "The request is not signed. Sign it with credentials from STS.")
    if found.region != region:
        raise S3Error("AuthorizationHeaderMalformed", f"The region must be '{region}'. Set it in your client.")
    return found


def _credential(text: str, code: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:
        raise S3Error(code, "The credential must be KEY/DATE/REGION/s3/aws4_request. Use Signature Version 4 for S3.")
    return parts[0], parts[1], parts[2]


def _from_headers(headers: Headers) -> Signature:
    code = "AuthorizationHeaderMalformed"
    if len(headers.getall("Authorization")) > 1 or not (match := _HEADER.fullmatch(headers["Authorization"])):
        raise S3Error(
            code, "The Authorization header is not of Signature Version 4. Use an S3 client that signs with it."
        )
    access_key, date, region = _credential(match[1], code)
    payload = headers.get("x-amz-content-sha256")
    if not payload:
        raise S3Error("InvalidRequest", "x-amz-content-sha256 is missing. Use an S3 client that sends it.")
    time, token = headers.get("x-amz-date", ""), headers.get("x-amz-security-token", "")
    return Signature(
        access_key, date, region, tuple(match[2].split(";")), match[3], time, payload, token, presigned=False
    )


def _from_query(query: Mapping[str, str], headers: Headers) -> Signature:
    code = "AuthorizationQueryParametersError"
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Error(code, f"X-Amz-Algorithm must be {ALGORITHM}. Make the link again with Signature Version 4.")
    access_key, date, region = _credential(query.get("X-Amz-Credential", ""), code)
    expires = query.get("X-Amz-Expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) < 8 and 1 <= int(expires) <= LONGEST_LINK):
        raise S3Error(code, f"X-Amz-Expires must be 1 to {LONGEST_LINK} seconds. Make the link again.")
    return Signature(
        access_key,
        date,
        region,
        tuple(query.get("X-Amz-SignedHeaders", "").split(";")),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date", ""),
        headers.get("x-amz-content-sha256", UNSIGNED),
        query.get("X-Amz-Security-Token", ""),
        presigned=True,
        expires=int(expires),
    )


def verify(found: Signature, method: str, address: Address, headers: Headers, secret: str, now: dt.datetime) -> bytes:
    """Check time, signed headers and signature; return the signing key (chunked uploads need it).

    Raises S3Error: AccessDenied (expired link, unsigned header), RequestTimeTooSkewed, SignatureDoesNotMatch.
    """
    _check_time(found, now)
    _check_signed_headers(found, headers)
    query = [(k, v) for k, v in address.query if k != "X-Amz-Signature"]
    request = canonical_request(method, address.path, query, headers, found.signed_headers, found.payload)
    key = signing_key(secret, found.date, found.region)
    expected = sign(key, ALGORITHM, found.time, found.scope, digest(request))
    if not hmac.compare_digest(expected.encode(), found.signature.encode()):
        raise S3Error(
            "SignatureDoesNotMatch", "The signature is not the one expected. Check the secret key and the client."
        )
    return key


def canonical_request(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Headers,
    signed: Iterable[str],
    payload: str,
) -> str:
    """The canonical request; ``signed`` names the headers in it, lower-case."""
    names = sorted(signed)
    lines = [f"{name}:{','.join(' '.join(value.split()) for value in headers.getall(name, []))}" for name in names]
    return "\n".join([method, encode_path(path), encode_query(query), *lines, "", ";".join(names), payload])


def _check_time(found: Signature, now: dt.datetime) -> None:
    try:
        time = dt.datetime.strptime(found.time, TIME_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        raise S3Error("AccessDenied", "The request has no valid X-Amz-Date. Use an S3 client that sends it.") from None
    if found.time[:8] != found.date:
        raise S3Error("SignatureDoesNotMatch", "The credential's date is not the request's. Sign the request again.")
    if time - now > SKEW or (not found.presigned and now - time > SKEW):
        raise S3Error("RequestTimeTooSkewed", "The clocks differ by more than 15 minutes. Set the computer's clock.")
    if found.presigned and now > time + dt.timedelta(seconds=found.expires):
        raise S3Error("AccessDenied", "Request has expired. Make a new link.")


def _check_signed_headers(found: Signature, headers: Headers) -> None:
    unsigned = {name.lower() for name in headers if name.lower().startswith("x-amz-")} - set(found.signed_headers)
    if "host" not in found.signed_headers or unsigned:
        names = ", ".join(sorted(unsigned)) or "host"
        raise S3Error("AccessDenied", f"There were headers present in the request which were not signed: {names}.")
