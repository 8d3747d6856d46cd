"""INDIGO IAM, by its discovery document: token, userinfo, revocation, introspection, keys.

Sources: OpenID Connect Discovery 1.0, RFC 6749 §5–6, RFC 8693 (token exchange), RFC 7009 (revocation), RFC 7662 (introspection).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from joserfc.jwk import KeySet
from naas_client.claims import same_issuer
from naas_client.errors import Unavailable
from naas_client.settings import IamSection

from naas_gateway.clients.http import Answer, NeverSent, NoAnswer, Service

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name, not a secret
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
DISCOVERY_LIFE = 3600.0
KEYS_LIFE = 3600.0
KEYS_PAUSE = 30.0
"""Seconds between two readings of the keys that an unknown key id may cause."""

REFUSED_BEFORE_USE = frozenset({404, 405, 413, 429})
"""Statuses that say a request was not acted on."""

SENDING_LIMIT = 6.0
"""Seconds one token request may take; the broker's lease is longer."""


class Refused(Exception):
    """IAM's own answer: no. ``error`` is the OAuth code (RFC 6749 §5.2), ``ended`` whether the grant is over for good."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error
        self.ended = error == "invalid_grant"


@dataclass(frozen=True)
class Credentials:
    """A client of ours in IAM."""

    name: str
    client_id: str
    secret: str


@dataclass(frozen=True)
class Tokens:
    """A token answer."""

    access_token: str
    refresh_token: str | None
    expires_in: float
    scope: str
    client: str


class Iam:
    """IAM as the gateway uses it; nothing is fetched before it is needed, so IAM may be down when we start.

    Parameters: ``clients``, our clients, the one of the hub first.
    """

    def __init__(self, settings: IamSection, clients: list[Credentials]) -> None:
        self.issuer = settings.issuer
        self.title = settings.display_name
        self.clients = {client.name: client for client in clients}
        self.service = Service("iam", settings.display_name, settings.issuer, timeout=SENDING_LIMIT)
        self._discovery: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def exchanger(self, subject_client: str) -> Credentials:
        """The client that makes second grants: another one than the token's, where there are two (see settings)."""
        return next((c for name, c in self.clients.items() if name != subject_client), self.clients["first"])

    def client(self, name: str) -> Credentials:
        """One of our clients; the first for a name that is not configured (any more)."""
        return self.clients.get(name, self.clients["first"])

    async def discover(self, max_age: float = DISCOVERY_LIFE) -> dict[str, Any]:
        """The discovery document. Raises Unavailable when it cannot be read or is another issuer's."""
        if self._discovery and time.monotonic() - self._discovery[0] < max_age:
            return self._discovery[1]
        answer = await self.service.request("GET", f"{self.issuer}/.well-known/openid-configuration")
        document = answer.json() if answer.status == 200 else None
        if not isinstance(document, dict) or not same_issuer(str(document.get("issuer")), self.issuer):
            raise NeverSent(f"{self.title} has no usable discovery document. Check iam.issuer.", code="iam-down")
        self._discovery = (time.monotonic(), document)
        return document

    async def endpoint(self, name: str) -> str:
        """An endpoint's address by its name in discovery. Raises NeverSent when there is none."""
        url = (await self.discover()).get(name)
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise NeverSent(f"{self.title} offers no {name}.", code="iam-down")
        return url

    async def ready_to_send(self) -> None:
        """Everything that can fail before a request is sent: discovery and the circuit. Raises Unavailable."""
        await self.endpoint("token_endpoint")
        self.service.require_circuit()

    async def refresh(self, refresh_token: str, client: str) -> Tokens:
        """Redeem a refresh token, once, after `ready_to_send`. Raises Refused, NeverSent or NoAnswer."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._token(form, self.client(client), repeatable=False, checked=True)

    async def exchange(self, access_token: str, client: Credentials, *, scope: str = "", audience: str = "") -> Tokens:
        """Token exchange (RFC 8693 §2.1); uses no refresh token up. Raises Refused or Unavailable.

        One that asks for a refresh token is not repeated: were only the answer lost, IAM would keep a refresh token that nobody
        knows and nobody can revoke.
        """
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": access_token,
            "subject_token_type": ACCESS_TOKEN,
            **({"scope": scope} if scope else {}),
            **({"audience": audience} if audience else {}),
        }
        return await self._token(form, client, repeatable="offline_access" not in scope.split(), checked=False)

    async def _token(self, form: dict[str, str], client: Credentials, *, repeatable: bool, checked: bool) -> Tokens:
        url = await self.endpoint("token_endpoint")
        answer = await self.service.request(
            "POST", url, data=form, auth=_basic(client), repeatable=repeatable, checked=checked
        )
        if answer.status in REFUSED_BEFORE_USE:
            raise self._odd(answer)
        body = answer.json()
        if answer.status in (400, 401, 403) and isinstance(body, dict) and isinstance(body.get("error"), str):
            raise Refused(body["error"])
        if answer.status != 200 or not isinstance(body, dict):
            raise self._odd(answer)
        return self._read(body, client)

    def _odd(self, answer: Answer) -> Unavailable:
        """The error for a status that OAuth does not have, from a proxy perhaps."""
        kind = NeverSent if answer.status in REFUSED_BEFORE_USE else NoAnswer
        return kind(f"{self.title} answered with status {answer.status}. Try again later.", code="iam-down")

    def _read(self, body: dict[str, Any], client: Credentials) -> Tokens:
        access, refresh, scope = body.get("access_token"), body.get("refresh_token"), body.get("scope")
        if not isinstance(access, str) or not access:
            raise NoAnswer(f"{self.title} sent no access token. Try again later.", code="iam-down")
        try:
            life = float(body.get("expires_in", 3600))
        except (TypeError, ValueError):
            life = 3600.0
        return Tokens(
            access_token=access,
            refresh_token=refresh if isinstance(refresh, str) and refresh else None,
            expires_in=max(1.0, life),
            scope=scope if isinstance(scope, str) else "",
            client=client.name,
        )

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        """Claims about the token's owner (OpenID Connect Core §5.3).

        Raises Refused when IAM says that the token is not valid (RFC 6750 §3.1), Unavailable for anything else: a proxy's 401 or
        a scope that is missing ends nobody's access.
        """
        url = await self.endpoint("userinfo_endpoint")
        answer = await self.service.request("GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if answer.status == 401 and "invalid_token" in answer.headers.get("www-authenticate", ""):
            raise Refused("invalid_token")
        body = answer.json() if answer.status == 200 else None
        if not isinstance(body, dict):
            raise self._odd(answer)
        return body

    async def revoke(self, token: str, client: str) -> None:
        """Revoke a refresh token (RFC 7009); an unknown token is fine. Raises Unavailable."""
        url = await self.endpoint("revocation_endpoint")
        form = {"token": token, "token_type_hint": "refresh_token"}
        answer = await self.service.request("POST", url, data=form, auth=_basic(self.client(client)))
        if answer.status not in (200, 204, 400):
            raise Unavailable(f"{self.title} refused a revocation with status {answer.status}.", code="iam-down")

    async def was_consumed(self, refresh_token: str, client: str) -> bool:
        """Whether IAM surely used a refresh token up (RFC 7662 §2.2), without using it. Raises Unavailable.

        False when it is still active, or when IAM does not tell.
        """
        if "introspection_endpoint" not in await self.discover():
            return False
        url = await self.endpoint("introspection_endpoint")
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        answer = await self.service.request("POST", url, data=form, auth=_basic(self.client(client)))
        body = answer.json() if answer.status == 200 else None
        return isinstance(body, dict) and body.get("active") is False

    async def keys(self, key_id: str | None) -> KeySet:
        """The signing keys; read again when a key id is unknown, at most every half minute. Raises Unavailable."""
        age = time.monotonic() - self._keys[0] if self._keys else KEYS_LIFE
        if self._keys and age < KEYS_LIFE:
            known = {key.kid for key in self._keys[1].keys}
            if key_id in known or age < KEYS_PAUSE:
                return self._keys[1]
        answer = await self.service.request("GET", await self.endpoint("jwks_uri"))
        try:
            keys = KeySet.import_key_set(answer.json())
        except (ValueError, TypeError, KeyError) as error:
            raise Unavailable(f"{self.title} sent signing keys that cannot be read.", code="iam-down") from error
        self._keys = (time.monotonic(), keys)
        return keys


def _basic(client: Credentials) -> tuple[str, str]:
    """RFC 6749 §2.3.1: id and secret are form-encoded before they become Basic credentials."""
    return quote(client.client_id, safe=""), quote(client.secret, safe="")
