"""The embedded IAM's keys: what it signs tokens and cookies with, generated at its first start."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from naas_client.files import write_private_json

KEYS_FILE = "keys.json"
KEY_BITS = 2048
CERTIFICATE_LIFE = dt.timedelta(days=3650)
"""Nobody renews a certificate that only carries a public key (``x5c``, RFC 7517 §4.7) on one machine."""


def write_keys(data: Path) -> None:
    """Write the signing key with its certificate and the cookies' keys; existing ones are kept."""
    if not (data / KEYS_FILE).exists():
        keys = {"jwks": {"keys": [signing_key()]}, "cookies": [secrets.token_urlsafe(32)]}
        write_private_json(data / KEYS_FILE, keys)


def signing_key() -> dict[str, Any]:
    """A fresh private JWK with the certificate that some readers insist on (RGW)."""
    key = rsa.generate_private_key(65537, KEY_BITS)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    members = {
        "n": public.n,
        "e": public.e,
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qi": numbers.iqmp,
    }
    head = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": secrets.token_hex(8), "x5c": [_certificate(key)]}
    return {**head, **{name: _base64url(value) for name, value in members.items()}}


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "embedded IAM")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + CERTIFICATE_LIFE)
    signed = builder.sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()


def _base64url(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
