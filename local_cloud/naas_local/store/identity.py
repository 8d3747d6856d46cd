"""Verification of the web identity token: who is this, says the issuer we trust, for us, now, in an allowed group?

OpenID Connect Discovery 1.0 for the keys, RFC 7519 for the claims; groups of both INDIGO IAM token profiles.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from naas_client.claims import GROUP_CLAIMS, SIGNATURE_ALGORITHMS, groups_from, same_issuer
from naas_client.errors import InvalidInput

from naas_local.store.errors import STSError
from naas_local.store.settings import StoreConfig

LONGEST_TOKEN = 16384
"""Characters."""
LEEWAY = 30
"""Seconds that the issuer's clock may be from ours."""
KEYS_LIFE = 3600
"""Seconds after which the issuer's keys are read again, so that a withdrawn key ends."""
REFETCH_PAUSE = 5
"""Seconds between two readings because of an unknown key: a forged `kid` must not make us hammer IAM."""
TIMEOUT = aiohttp.ClientTimeout(total=10)
LARGEST_DOCUMENT = 1 << 20
"""Bytes of a discovery document, key set or userinfo answer."""


@dataclass(frozen=True)
class Person:
    """A verified subject; groups without leading slashes."""

    subject: str
    preferred_username: str
    groups: frozenset[str]


def _invalid(why: str) -> STSError:
    return STSError("InvalidIdentityToken", f"The web identity token {why}. Get a new token from IAM.")


class IdentityVerifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, config: StoreConfig, http: aiohttp.ClientSession) -> None:
        self._config, self._http = config, http
        self._keys: KeySet | None = None
        self._userinfo = ""
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Person:
        """The person a token stands for. Raises STSError with the reason in words."""
        claims = await self._claims(token)
        self._check_claims(claims)
        if "preferred_username" not in claims or claims.keys().isdisjoint(GROUP_CLAIMS):
            claims = {**await self._ask_userinfo(token, claims["sub"]), **claims}
        username = claims.get("preferred_username")
        if not isinstance(username, str) or not username:
            raise _invalid(
                "has no preferred_username and IAM's userinfo gives none: ask for the scopes openid and profile"
            )
        person = Person(claims["sub"], username, _groups(claims))
        self._check_groups(person)
        return person

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise _invalid("is too long")
        try:
            kid = jws.extract_compact(token.encode("ascii")).headers().get("kid")
        except (JoseError, ValueError):
            raise _invalid("is not a signed JWT") from None
        keys = await self._keys_for(kid)
        try:
            return dict(jwt.decode(token, keys, algorithms=SIGNATURE_ALGORITHMS).claims)
        except (JoseError, ValueError):
            raise _invalid("has no valid signature of the issuer") from None

    async def _keys_for(self, kid: object) -> KeySet:
        if not isinstance(kid, str) or not kid:
            raise _invalid("does not name its key (kid)")
        async with self._lock:
            age = time.monotonic() - self._read_at
            if age > KEYS_LIFE or (not self._has(kid) and age > REFETCH_PAUSE):
                try:
                    await self._read_keys()
                except STSError:
                    if not self._has(kid):
                        raise  # with a known key the token can be verified while IAM is away
        if not self._has(kid) or self._keys is None:
            raise _invalid("is signed with a key that the issuer does not publish")
        return KeySet([key for key in self._keys.keys if key.kid == kid])

    def _has(self, kid: str) -> bool:
        return self._keys is not None and any(key.kid == kid for key in self._keys.keys)

    async def _read_keys(self) -> None:
        discovery = await self._get(f"{self._config.issuer}/.well-known/openid-configuration")
        if not same_issuer(str(discovery.get("issuer", "")), self._config.issuer):
            raise STSError("IDPCommunicationError", "IAM's discovery document names another issuer. Check `issuer`.")
        try:
            self._keys = KeySet.import_key_set(await self._get(str(discovery["jwks_uri"])))  # type: ignore[arg-type]
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise STSError("IDPCommunicationError", "IAM publishes no usable keys. Try again later.") from error
        self._userinfo = str(discovery.get("userinfo_endpoint", ""))
        self._read_at = time.monotonic()

    async def _get(self, url: str, token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._http.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False) as answer:
                answer.raise_for_status()
                if (answer.content_length or 0) > LARGEST_DOCUMENT:
                    raise ValueError("too large")
                document = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise STSError(
                "IDPCommunicationError", "IAM does not answer as it should. Try again in a minute."
            ) from None
        if not isinstance(document, dict):
            raise STSError(
                "IDPCommunicationError", "IAM's answer is not a document of claims or keys. Try again later."
            )
        return document

    async def _ask_userinfo(self, token: str, subject: str) -> dict[str, Any]:
        """What an access token of the `iam` profile leaves out. OpenID Connect Core 1.0 §5.3.2: `sub` must be the same."""
        if not self._userinfo:
            return {}
        claims = await self._get(self._userinfo, token)
        if claims.get("sub") != subject:
            raise _invalid("and IAM's userinfo are not about the same subject")
        return claims

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now, audience = time.time(), claims.get("aud")
        if not same_issuer(str(claims.get("iss", "")), self._config.issuer):
            raise _invalid("is from another issuer")
        if self._config.audience not in (audience if isinstance(audience, list) else [audience]):
            raise _invalid(f"is not for the audience {self._config.audience}")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _invalid("names no subject")
        if not _is_number(claims.get("exp")) or not _is_number(claims.get("nbf", 0)):
            raise _invalid("has no valid times")
        if claims["exp"] <= now:
            raise STSError("ExpiredTokenException", "The web identity token has expired. Get a new token from IAM.")
        if claims.get("nbf", 0) > now + LEEWAY:
            raise _invalid("is not valid yet")

    def _check_groups(self, person: Person) -> None:
        allowed = self._config.storage_groups
        if allowed and person.groups.isdisjoint(allowed):
            raise STSError(
                "AccessDenied", f"Storage is for members of {', '.join(allowed)}. Ask in IAM to join one of them."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _groups(claims: dict[str, Any]) -> frozenset[str]:
    try:
        return frozenset(groups_from(claims))
    except InvalidInput as error:
        raise STSError("InvalidIdentityToken", error.message) from None
