"""Which ID tokens prove who signed in (OpenID Connect Core 1.0 §3.1.3.7, OWASP ASVS 5.0 9.1.1, 10.3.1, 10.5.1)."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from iam_published import CLIENT, ISSUER, NONCE, Published
from joserfc.jwk import RSAKey
from naas_authenticator.id_token import UntrustedToken, verify
from naas_authenticator.provider import Provider


def now() -> int:
    return int(time.time())


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def unsigned(published: Published, alg: str = "none") -> str:
    header, claims = {"alg": alg, "kid": "rsa1"}, published.claims()
    return ".".join(encoded(json.dumps(part).encode()) for part in (header, claims)) + "."


def other_claims(published: Published) -> str:
    """A token of ours whose claims were replaced after signing."""
    header, _, signature = published.token().split(".")
    return f"{header}.{encoded(json.dumps(published.claims(sub='sub-dana')).encode())}.{signature}"


def shared_secret(published: Published) -> str:
    """The public key used as if it were a shared secret (RFC 8725 §2.1)."""
    signed = unsigned(published, "HS256").rstrip(".")
    return f"{signed}.{encoded(hmac.digest(published.rsa.as_pem(private=False), signed.encode(), 'sha256'))}"


GOOD: dict[str, Callable[[Published], str]] = {
    "RS256": lambda p: p.token(),
    "ES256": lambda p: p.token(p.ec, alg="ES256", kid="ec1"),
    "issuer with a slash": lambda p: p.token(iss=f"{ISSUER}/"),
    "several audiences and azp": lambda p: p.token(aud=[CLIENT, "other"], azp=CLIENT),
    "expired, but within the skew": lambda p: p.token(iat=now() - 300, exp=now() - 10),
    "from a clock that is a little fast": lambda p: p.token(iat=now() + 30),
}

BAD: dict[str, tuple[Callable[[Published], Any], str]] = {
    "other issuer": (lambda p: p.token(iss="https://iam.example.com"), "another issuer"),
    "issuer with our name in front": (lambda p: p.token(iss=f"{ISSUER}.evil.example"), "another issuer"),
    "no issuer": (lambda p: p.token(iss=None), "another issuer"),
    "other audience": (lambda p: p.token(aud="grafana"), "another service"),
    "no audience": (lambda p: p.token(aud=None), "another service"),
    "several audiences without azp": (lambda p: p.token(aud=[CLIENT, "other"]), "given to another service"),
    "other azp": (lambda p: p.token(azp="grafana"), "given to another service"),
    "expired": (lambda p: p.token(iat=now() - 900, exp=now() - 300), "expired"),
    "no expiry": (lambda p: p.token(exp=None), "no usable times"),
    "expiry as text": (lambda p: p.token(exp="tomorrow"), "no usable times"),
    "from the future": (lambda p: p.token(iat=now() + 3600), "from the future"),
    "not valid yet": (lambda p: p.token(nbf=now() + 3600), "from the future"),
    "of an old sign-in": (lambda p: p.token(iat=now() - 7200), "too old"),
    "other nonce": (lambda p: p.token(nonce="another"), "another sign-in"),
    "no nonce": (lambda p: p.token(nonce=None), "another sign-in"),
    "nobody": (lambda p: p.token(sub=None), "names nobody"),
    "alg none": (unsigned, "in a way that can be trusted"),
    "alg None in capitals": (lambda p: unsigned(p, "NoNe"), "in a way that can be trusted"),
    "public key as shared secret": (shared_secret, "in a way that can be trusted"),
    "signed by somebody else with our key id": (
        lambda p: p.token(RSAKey.generate_key(2048, {"kid": "rsa1"})),
        "signature",
    ),
    "claims replaced": (other_claims, "signature"),
    "unknown key": (lambda p: p.token(RSAKey.generate_key(2048, {"kid": "x"}), kid="x"), "unknown key"),
    "no key id among several keys": (lambda p: p.token(kid=None), "unknown key"),
    "algorithm of another key type": (lambda p: p.token(p.ec, alg="ES256", kid="rsa1"), "signature"),
    "rubbish": (lambda _: "rubbish", "cannot be read"),
    "not a text": (lambda _: {"alg": "RS256"}, "no ID token"),
    "nothing": (lambda _: None, "no ID token"),
    "endless": (lambda p: p.token(padding="x" * 40_000), "no ID token"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("token", GOOD.values(), ids=GOOD)
async def test_a_token_that_proves_the_person(
    provider: Provider, published: Published, token: Callable[[Published], str]
) -> None:
    assert (await verify(token(published), provider, CLIENT, NONCE))["sub"] == "sub-alice"


@pytest.mark.asyncio
@pytest.mark.parametrize(("token", "why"), BAD.values(), ids=BAD)
async def test_a_token_that_proves_nothing(
    provider: Provider, published: Published, token: Callable[[Published], Any], why: str
) -> None:
    text = token(published)
    with pytest.raises(UntrustedToken, match=why) as caught:
        await verify(text, provider, CLIENT, NONCE)
    assert caught.value.status == 403
    assert not isinstance(text, str) or text not in str(caught.value)


@pytest.mark.asyncio
async def test_keys_are_read_again_when_iam_has_a_new_one(provider: Provider, published: Published) -> None:
    await verify(published.token(), provider, CLIENT, NONCE)
    fresh = RSAKey.generate_key(2048, {"kid": "rsa2", "use": "sig"})
    published.keys.append(fresh.as_dict(private=False))
    await verify(published.token(fresh, kid="rsa2"), provider, CLIENT, NONCE)
    assert published.reads.count(f"{ISSUER}/jwk") == 2


@pytest.mark.asyncio
async def test_a_key_for_encryption_signs_nothing(provider: Provider, published: Published) -> None:
    published.keys = [{**published.rsa.as_dict(private=False), "use": "enc"}]
    with pytest.raises(UntrustedToken, match="unknown key"):
        await verify(published.token(), provider, CLIENT, NONCE)


@pytest.mark.asyncio
async def test_keys_that_are_not_understood_are_left_out(provider: Provider, published: Published) -> None:
    published.keys = [{"kty": "AKP", "kid": "new"}, {"kty": "RSA"}, *published.keys]
    assert await verify(published.token(), provider, CLIENT, NONCE)
