"""The ID token: proof of who signed in, checked before anything in it is believed (OpenID Connect Core 1.0 §3.1.3.7)."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from naas_client.claims import SIGNATURE_ALGORITHMS, same_issuer
from naas_client.errors import NaasError

from naas_authenticator.provider import Provider

SKEW = 60
"""Seconds by which the clocks of IAM and hub may differ."""

OLDEST = 600
"""Seconds after which a token cannot be of the sign-in that is going on."""

LONGEST = 32768


class UntrustedToken(NaasError):
    """The ID token does not prove who signed in; the message says what is wrong, never the token."""

    status = 403
    default_code = "untrusted-token"


def refuse(what: str) -> UntrustedToken:
    """The error for an ID token that proves nothing. Parameters: ``what`` is wrong with it."""
    return UntrustedToken(
        f"The sign-in could not be verified: {what}. Sign in again; if it happens again, tell the administrators of this service."
    )


async def verify(token: object, provider: Provider, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token. Parameters: ``nonce``, what we sent with the sign-in of this browser.

    Raises UntrustedToken, or Unavailable when the signing keys cannot be read.
    """
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST:
        raise refuse("there is no ID token")
    key = await _key(_header(token), provider)
    try:
        claims = jwt.decode(token, key, algorithms=SIGNATURE_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError):
        raise refuse("the signature of the ID token is not valid") from None
    _check_origin(claims, provider.issuer, client_id)
    _check_times(claims, time.time())
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise refuse("the ID token belongs to another sign-in")
    return claims


def _header(token: str) -> dict[str, Any]:
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        raise refuse("the ID token cannot be read") from None
    if not isinstance(header, dict) or header.get("alg") not in SIGNATURE_ALGORITHMS:
        raise refuse("the ID token is not signed in a way that can be trusted")
    return header


async def _key(header: Mapping[str, Any], provider: Provider) -> Key:
    """The key the token names; one that we do not know may be new, so the keys are then read again."""
    kid = header.get("kid")
    for again in (False, True):
        keys = await provider.keys(again=again)
        found = [key for key in keys if key.kid == kid] if kid is not None else keys
        if len(found) == 1:
            return found[0]
    raise refuse("the ID token is signed with an unknown key")


def _check_origin(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    given, audience, party = claims.get("iss"), claims.get("aud"), claims.get("azp")
    if not isinstance(given, str) or not same_issuer(given, issuer):
        raise refuse("the ID token is from another issuer")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise refuse("the ID token is meant for another service")
    if (party is not None or len(audiences) > 1) and party != client_id:
        raise refuse("the ID token was given to another service")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise refuse("the ID token names nobody")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    times = {name: claims.get(name, now if name == "nbf" else None) for name in ("exp", "iat", "nbf")}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in times.values()):
        raise refuse("the ID token has no usable times")
    if times["exp"] + SKEW <= now:
        raise refuse("the ID token has expired (or the clocks of IAM and this service differ)")
    if max(times["iat"], times["nbf"]) - SKEW > now:
        raise refuse("the ID token is from the future, so the clocks of IAM and this service differ")
    if times["iat"] + OLDEST + SKEW < now:
        raise refuse("the ID token is too old (or the clocks of IAM and this service differ)")
