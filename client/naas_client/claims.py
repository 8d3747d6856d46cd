"""Reading what INDIGO IAM says about a person, in either token profile. Everything here comes from outside and is checked.

Profile ``iam`` gives ``groups`` (``users/naas``), profile ``wlcg`` gives ``wlcg.groups`` (``/users/naas``) and leaves the claim
out when there is none; see the token profiles of INDIGO IAM and the WLCG Common JWT Profiles 1.0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from naas_client.errors import InvalidInput
from naas_client.models import Claims

GROUP_CLAIMS = ("groups", "wlcg.groups")
MOST_GROUPS = 1000
LONGEST_GROUP = 255
LONGEST_SUBJECT = 255
"""Characters, as OpenID Connect Core §2 has it."""
LONGEST_USERNAME = 300
"""Characters; the gateway's table of identities holds as many."""
LONGEST_TEXT = 1000

SIGNATURE_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures of IAM's tokens that are taken: with a public key only; with ``none`` or a shared secret, anybody who knows the
public key could sign (RFC 8725 §3.1)."""


def same_issuer(one: str, other: str) -> bool:
    """Whether two issuers are the same but for a trailing slash: IAM's discovery document has it, its tokens may not."""
    return one.rstrip("/") == other.rstrip("/")


def groups_from(document: Mapping[str, object]) -> list[str]:
    """The groups in userinfo or in a token's claims, sorted, without leading slash; an absent claim means none.

    Raises InvalidInput when a claim is not a list of usable names: a string would otherwise count as a list of letters.
    """
    groups: set[str] = set()
    for claim in GROUP_CLAIMS:
        values = document.get(claim)
        if values is None:
            continue
        if not isinstance(values, list) or len(values) > MOST_GROUPS:
            raise _malformed(f"the claim {claim} is not a list of at most {MOST_GROUPS} names")
        groups.update(_group(value, claim) for value in values)
    return sorted(groups)


def _group(value: object, claim: str) -> str:
    name = value.lstrip("/") if isinstance(value, str) else ""
    if not name or len(name) > LONGEST_GROUP or not name.isprintable():
        raise _malformed(f"the claim {claim} holds something that is not a group's name")
    return name


def _text(document: Mapping[str, object], claim: str, longest: int = LONGEST_TEXT) -> str:
    value = document.get(claim)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest:
        raise _malformed(f"the claim {claim} is not a text of at most {longest} characters")
    return value


def claims_from(document: Mapping[str, object], issuer: str) -> Claims:
    """A verified document (userinfo, or a token's claims) as `Claims`, fetched now. Raises InvalidInput when it is malformed."""
    subject = _text(document, "sub", LONGEST_SUBJECT)
    if not subject:
        raise _malformed("the claim sub is missing")
    return Claims(
        issuer=issuer.rstrip("/"),
        subject=subject,
        preferred_username=_text(document, "preferred_username", LONGEST_USERNAME),
        name=_text(document, "name"),
        email=_text(document, "email"),
        email_verified=document.get("email_verified") is True,
        groups=groups_from(document),
        fetched_at=dt.datetime.now(dt.UTC),
    )


def _malformed(what: str) -> InvalidInput:
    return InvalidInput(
        f"IAM's answer about this person cannot be used: {what}. Tell the administrators of this service.",
        code="malformed-claims",
    )
