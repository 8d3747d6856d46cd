"""Temporary credentials that need no table: the session token is the sealed session, the secret follows from the key id.

So sessions survive a restart of the store, and nothing that could be stolen from it is kept but one key file (0600).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from naas_local.store.errors import S3Error

_CONTEXT = b"naas-store-session-2"
_NONCE = 12
"""Bytes, as AES-GCM wants them (NIST SP 800-38D §8.2)."""


@dataclass(frozen=True)
class Session:
    """Who a request's credentials stand for, until when."""

    name: str
    subject: str
    groups: frozenset[str]
    expires: dt.datetime
    access_key: str
    secret: str


class SessionKeys:
    """Seals and opens session tokens with one master key."""

    def __init__(self, master: bytes) -> None:
        self._seal = AESGCM(hmac.digest(master, b"seal", "sha256"))
        self._secret = hmac.digest(master, b"secret", "sha256")

    def issue(self, name: str, subject: str, groups: frozenset[str], expires: dt.datetime) -> tuple[Session, str]:
        """A new session and its token. Parameters: ``groups``, those of the person that open something here."""
        access_key = "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode()
        content = json.dumps([access_key, name, subject, sorted(groups), expires.timestamp()]).encode()
        nonce = secrets.token_bytes(_NONCE)
        token = base64.urlsafe_b64encode(nonce + self._seal.encrypt(nonce, content, _CONTEXT)).decode()
        return Session(name, subject, groups, expires, access_key, self._secret_of(access_key)), token

    def open(self, access_key: str, token: str, now: dt.datetime) -> Session:
        """The session that a request's credentials name; its signature is still to be checked.

        Raises S3Error: InvalidAccessKeyId, InvalidToken (not one of ours), ExpiredToken.
        """
        if not token:
            raise S3Error("InvalidAccessKeyId", "This access key is not known. Get credentials from STS.")
        known, name, subject, groups, expires = self._content(token)
        if not hmac.compare_digest(known.encode(), access_key.encode("utf-8", "surrogateescape")):
            raise S3Error("InvalidAccessKeyId", "The access key is not this session token's. Get credentials from STS.")
        end = dt.datetime.fromtimestamp(expires, dt.UTC)
        if now >= end:
            raise S3Error("ExpiredToken", "The provided token has expired. Get new credentials from STS.")
        return Session(name, subject, frozenset(groups), end, known, self._secret_of(known))

    def _content(self, token: str) -> tuple[str, str, str, list[str], float]:
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            content = self._seal.decrypt(raw[:_NONCE], raw[_NONCE:], _CONTEXT)
            known, name, subject, groups, expires = json.loads(content)
        except (UnicodeError, binascii.Error, ValueError, InvalidTag):
            raise S3Error(
                "InvalidToken", "The session token is not one of this store. Get credentials from STS."
            ) from None
        return known, name, subject, groups, expires

    def _secret_of(self, access_key: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._secret, access_key.encode(), "sha256")).decode()[:40]
