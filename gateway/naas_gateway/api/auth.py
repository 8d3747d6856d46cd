"""Who calls. Three credentials are taken, all in the header ``Authorization: Bearer …`` (or ``token …``, as the hub's clients write):

- a hub token with scope ``custom:naas:use`` (or ``custom:naas:admin``), looked up at the hub;
- an IAM access token (JWT) with audience ``naas``, verified by IAM's keys and mapped by ``iss`` + ``sub``;
- the token that hub and gateway share, for the hub's own calls.

There are no browser sessions yet: no cookie is read, so no other site can make a browser call this API. Nobody acts for somebody else:
a person is always the owner of the token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact
from naas_client.claims import SIGNATURE_ALGORITHMS, same_issuer
from naas_client.collaborations import Collaboration
from naas_client.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from naas_client.models import Claims
from naas_client.names import is_collaboration, is_hub_name

from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.people import read_claims
from naas_gateway.services.platform import Platform

USE, ADMIN = "custom:naas:use", "custom:naas:admin"
AUDIENCE = "naas"
CLOCK_SKEW = 30
"""Seconds."""
LONGEST_TOKEN = 16 * 1024

HUB_ANSWER_LIFE = 10.0
"""Seconds the hub's answer about a token is believed; a revoked token works no longer than that."""
MOST_ANSWERS = 5000

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_TOKEN = re.compile(r"[\w.~+/=-]+")


@dataclass(frozen=True)
class Caller:
    """Who made a request. ``admin``: may see everybody's audit rows."""

    kind: Literal["user", "hub", "service"]
    name: str
    admin: bool = False


class HubTokens:
    """The hub's answers about tokens, for a few seconds, by digest of the token."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[float, dict[str, Any]]] = {}

    async def owner(self, platform: Platform, token: str) -> dict[str, Any]:
        """The hub's model of a token's owner. Raises NotSignedIn or Unavailable."""
        digest, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        kept = self._kept.get(digest)
        if kept and now - kept[0] < HUB_ANSWER_LIFE:
            return kept[1]
        model = await platform.hub.whoami(token)
        if len(self._kept) >= MOST_ANSWERS:
            self._kept = {key: value for key, value in self._kept.items() if now - value[0] < HUB_ANSWER_LIFE}
        if len(self._kept) < MOST_ANSWERS:
            self._kept[digest] = (now, model)
        return model


def get_platform(request: Request) -> Platform:
    """The services of this application."""
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(get_platform)]


def _token(request: Request) -> str:
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() not in {"bearer", "token"} or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise NotSignedIn("Send a token in the header `Authorization: Bearer …`.")
    return token


async def identify(request: Request, platform: PlatformDep) -> Caller:
    """The caller of a request. Raises NotSignedIn, Forbidden or Unavailable."""
    token = _token(request)
    if hmac.compare_digest(token.encode(), platform.hub_token.encode()):
        caller = Caller("hub", "hub")
    elif _JWT.fullmatch(token):
        caller = await _from_iam(platform, token)
    else:
        caller = _from_hub(await request.app.state.hub_tokens.owner(platform, token))
    request.state.caller = f"{caller.kind}:{caller.name}"
    return caller


def _from_hub(model: dict[str, Any]) -> Caller:
    name, kind, scopes = str(model.get("name", "")), model.get("kind"), model.get("scopes") or []
    own = {f"!user={name}", f"!service={name}", ""}
    granted = {scope for scope in (USE, ADMIN) for suffix in own if f"{scope}{suffix}" in scopes}
    if not granted:
        raise Forbidden(
            f"This token has no scope {USE}. Make one with that scope on the hub's token page.", code="no-scope"
        )
    if kind == "user":
        return Caller("user", name, admin=ADMIN in granted)
    return Caller("service", name, admin=ADMIN in granted)


async def _from_iam(platform: Platform, token: str) -> Caller:
    claims = await _verified(platform, token)
    if not same_issuer(str(claims.get("iss", "")), platform.iam.issuer):
        raise NotSignedIn("This token is from another IAM. Use one of this site's IAM.")
    audience = claims.get("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise NotSignedIn(f"This token is not for this service. Ask IAM for one with audience {AUDIENCE}.")
    subject = read_claims(claims, platform.iam.issuer).subject  # who may do what is decided by userinfo
    try:
        row = await platform.people.by_subject(subject)
    except NotFound as error:
        where = platform.settings.gateway.public_hub_url
        raise Forbidden(f"{error.message} It is at {where}.", code=error.code) from None
    verified = await platform.people.claims(row, platform.settings.iam.auth_refresh_age)
    return Caller("user", row.name, admin=platform.access.administers(verified))


async def _verified(platform: Platform, token: str) -> dict[str, Any]:
    """The claims of a JWT whose signature and times are right. Raises NotSignedIn, or Unavailable without IAM's keys."""
    try:
        keys = await platform.iam.keys(_key_id(token))
        claims: dict[str, Any] = jwt.decode(token, keys, algorithms=SIGNATURE_ALGORITHMS).claims
        jwt.JWTClaimsRegistry(leeway=CLOCK_SKEW, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError):
        raise NotSignedIn("This token is not valid (any more). Sign in again.") from None
    return claims


def _key_id(token: str) -> str | None:
    kid = extract_compact(token.encode()).headers().get("kid")
    return kid if isinstance(kid, str) else None


@dataclass(frozen=True)
class Person:
    """The signed-in person, admitted by groups that were read lately."""

    row: IdentityRow
    claims: Claims
    admin: bool

    @property
    def name(self) -> str:
        """The person's hub name."""
        return self.row.name


CallerDep = Annotated[Caller, Depends(identify)]


async def account(platform: PlatformDep, caller: CallerDep) -> Person | Collaboration:
    """The person or the shared server that calls, for what both have. Raises Forbidden."""
    shared = platform.shared_servers.find(caller.name) if caller.kind == "user" else None
    return shared if shared is not None else await person(platform, caller)


async def person(platform: PlatformDep, caller: CallerDep) -> Person:
    """The person who calls. Raises Forbidden for services and for people who are not admitted (any more)."""
    if caller.kind != "user":
        raise Forbidden("This call is for people; a service has no account here.", code="not-a-person")
    if is_collaboration(caller.name):
        raise Forbidden("This is for people. A shared server has no account of its own.", code="not-a-person")
    try:
        row = await platform.people.by_name(caller.name)
    except NotFound as error:
        raise Forbidden(error.message, code=error.code) from None
    claims = await platform.people.claims(row, platform.settings.iam.auth_refresh_age)
    platform.access.require_admitted(claims)
    return Person(row, claims, caller.admin)


async def admin(caller: CallerDep) -> Caller:
    """An administrator (a person or a service). Raises Forbidden."""
    if not caller.admin:
        raise Forbidden(f"This needs the scope {ADMIN}, which administrators have.", code="not-admin")
    return caller


async def hub_only(caller: CallerDep) -> Caller:
    """The hub itself. Raises Forbidden."""
    if caller.kind != "hub":
        raise Forbidden("Only the hub may do this.", code="hub-only")
    return caller


async def admin_or_hub(caller: CallerDep) -> Caller:
    """An administrator or the hub itself. Raises Forbidden."""
    return caller if caller.kind == "hub" else await admin(caller)


def hub_user(name: Annotated[str, Path(max_length=63)]) -> str:
    """A hub name from a path. Raises InvalidInput."""
    if not is_hub_name(name):
        raise InvalidInput("name: not a hub name.")
    return name


PersonDep = Annotated[Person, Depends(person)]
AccountDep = Annotated[Person | Collaboration, Depends(account)]
NameDep = Annotated[str, Depends(hub_user)]
