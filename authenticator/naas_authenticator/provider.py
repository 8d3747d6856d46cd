"""What IAM publishes about itself: endpoints and signing keys, read when needed, kept for a while, asked for again with back-off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from naas_client.claims import same_issuer
from naas_client.errors import InvalidInput, Unavailable
from naas_client.models import Document
from naas_client.settings import HttpAddress
from pydantic import ValidationError

Fetch = Callable[[str], Awaitable[Any]]
"""GET of an address, answering the JSON document. Raises NaasError."""

METADATA_AGE = 3600.0
"""Seconds for which a discovery document is good; endpoints change with a new IAM, not with the hour."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two tries while IAM does not answer, growing from the first to the longest."""

MOST_KEYS = 50


class Metadata(Document):
    """The part of IAM's discovery document that we use (OpenID Connect Discovery 1.0 §3)."""

    issuer: str
    authorization_endpoint: HttpAddress
    token_endpoint: HttpAddress
    userinfo_endpoint: HttpAddress
    jwks_uri: HttpAddress
    revocation_endpoint: HttpAddress = ""
    end_session_endpoint: HttpAddress = ""
    authorization_response_iss_parameter_supported: bool = False

    def endpoints(self) -> list[str]:
        """All addresses in the document."""
        return [
            value for key, value in self if key.endswith(("_endpoint", "_uri")) and isinstance(value, str) and value
        ]


class Provider:
    """IAM as its discovery document describes it.

    Parameters: ``issuer``; ``name``, what people call it; ``fetch``, reads an address.
    """

    def __init__(self, issuer: str, name: str, fetch: Fetch) -> None:
        self.issuer, self.name, self._fetch = issuer.rstrip("/"), name, fetch
        self._metadata: Metadata | None = None
        self._keys: list[Key] = []
        self._read_at = -METADATA_AGE
        self._failure: Unavailable | None = None
        self._pause, self._next_try = 0.0, 0.0
        self._lock = asyncio.Lock()

    async def metadata(self, max_age: float = METADATA_AGE) -> Metadata:
        """Endpoints, read at most ``max_age`` seconds ago.

        Raises Unavailable when IAM does not answer, at once while the pause after the last failure lasts.
        """
        async with self._lock:
            now = time.monotonic()
            if self._metadata is not None and now - self._read_at <= max_age:
                return self._metadata
            if self._failure is not None and now < self._next_try:
                raise Unavailable(self._failure.message, code=self._failure.code)
            try:
                self._metadata = self._checked(await self._fetch(f"{self.issuer}/.well-known/openid-configuration"))
            except Unavailable as failure:
                self._back_off(failure)
                raise
            self._read_at, self._failure, self._pause = time.monotonic(), None, 0.0
            return self._metadata

    @property
    def problem(self) -> str:
        """Why nobody can sign in now, for people; empty when IAM answered last time."""
        return self._failure.message if self._failure else ""

    @property
    def pause(self) -> float:
        """Seconds until the next try makes sense."""
        return max(0.0, self._next_try - time.monotonic())

    def _back_off(self, failure: Unavailable) -> None:
        self._failure = failure
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._next_try = time.monotonic() + self._pause

    def _checked(self, document: object) -> Metadata:
        try:
            metadata = Metadata.model_validate(document)
        except ValidationError:
            raise Unavailable(
                f"{self.name} answers, but not with a discovery document. Check that iam.issuer is its address.",
                code="iam-broken",
            ) from None
        if not same_issuer(metadata.issuer, self.issuer):
            raise Unavailable(
                f"{self.name} calls itself {metadata.issuer!r}, not {self.issuer!r}. Correct iam.issuer.",
                code="iam-broken",
            )
        if self.issuer.startswith("https:") and any(
            not address.startswith("https:") for address in metadata.endpoints()
        ):
            raise Unavailable(
                f"{self.name} names addresses without https. Its configuration must be corrected.", code="iam-broken"
            )
        return metadata

    async def keys(self, *, again: bool = False) -> list[Key]:
        """The keys IAM signs with; with ``again`` they are read anew, because a token named one that we do not know."""
        if again or not self._keys:
            metadata = await self.metadata()
            self._keys = _signature_keys(await self._fetch(metadata.jwks_uri))
        return self._keys


def _signature_keys(document: object) -> list[Key]:
    """The usable public keys of a JWK set (RFC 7517 §5: a key that is not understood is left out)."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InvalidInput(
            "IAM's signing keys cannot be read. Tell the administrators of this service.", code="iam-broken"
        )
    keys: list[Key] = []
    for entry in entries[:MOST_KEYS]:
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey) and entry.get("use", "sig") == "sig":
            keys.append(key)
    return keys
