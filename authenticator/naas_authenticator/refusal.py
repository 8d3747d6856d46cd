"""A person whom IAM knows but who may not use this service: what the page tells them."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from naas_client.errors import Forbidden
from naas_client.models import Claims

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0, 1, I and O, which people mix up on the phone."""

SUBJECT_SHOWN = 8
"""Characters of the subject on the page: enough to find an account, not to guess one."""


def new_reference() -> str:
    """A short code for the page and the log, such as ``R-7F3K-20``."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(4))
    return f"R-{letters}-{secrets.randbelow(100):02d}"


class NotAdmitted(Forbidden):
    """Signed in at IAM, but in none of the groups that open this service. Parameters: ``claims``, what IAM says about the person."""

    default_code = "not-admitted"

    def __init__(self, claims: Claims) -> None:
        self.claims, self.reference = claims, new_reference()
        super().__init__(
            f"None of your groups opens this service (reference {self.reference}). Ask to join one of the groups that do, then try again."
        )


def _shortened(subject: str) -> str:
    return subject if len(subject) <= SUBJECT_SHOWN else f"{subject[:SUBJECT_SHOWN]}…"


def open_groups(groups: Iterable[str], texts: Mapping[str, Mapping[str, str]], issuer: str) -> list[dict[str, str]]:
    """The groups that open the service, as people should read about them; IAM's own page is where to ask by default."""
    return [
        {
            "name": name,
            "description": texts.get(name, {}).get("description", ""),
            "join_url": texts.get(name, {}).get("join_url") or f"{issuer}/",
        }
        for name in sorted(groups)
    ]


def page_context(
    refusal: NotAdmitted, *, groups: list[dict[str, str]], contact: str, sign_in_url: str
) -> dict[str, Any]:
    """What the template ``naas_refused.html`` shows. Parameters: ``groups`` from `open_groups`; ``sign_in_url``, where to try again."""
    claims = refusal.claims
    return {
        "account": claims.preferred_username or claims.name,
        "email": claims.email,
        "issuer": claims.issuer,
        "subject": _shortened(claims.subject),
        "groups": claims.groups,
        "groups_at": claims.fetched_at.astimezone(dt.UTC),
        "open_groups": groups,
        "contact": contact,
        "reference": refusal.reference,
        "check_again_url": sign_in_url,
        "other_account_url": f"{sign_in_url}?account=other",
    }
