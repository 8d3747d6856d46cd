"""Grants from the embedded IAM as a browser and a client get them: no shortcut, no test-only endpoint.

Every function takes the `naas_local.iam.EmbeddedIam` under test.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from naas_local.iam import EmbeddedIam

PLAIN: dict[str, Any] = {"timeout": 10, "verify": False}
"""Seconds; and no time lost on loading certificates for plain http on loopback."""

SCOPE = "openid profile email offline_access"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(frozen=True)
class Tokens:
    """The token endpoint's answer."""

    access_token: str
    refresh_token: str | None
    id_token: str | None
    expires_in: int
    scope: str


def browser() -> httpx.Client:
    """A browser: keeps cookies, prefers HTML, follows no redirect by itself."""
    return httpx.Client(headers={"Accept": "text/html"}, **PLAIN)


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT, unverified."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def authorize(iam: EmbeddedIam, window: httpx.Client, verifier: str, **parameters: str | None) -> httpx.Response:
    """GET /authorize as the hub sends a browser there. A parameter given as None is left out."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query: dict[str, str | None] = {
        "response_type": "code",
        "client_id": iam.client_id,
        "redirect_uri": iam.redirect_uri,
        "scope": SCOPE,
        "state": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **parameters,
    }
    return window.get(f"{iam.url}/authorize", params={k: v for k, v in query.items() if v is not None})


def form_fields(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def post_form(window: httpx.Client, page: httpx.Response, **fields: str) -> httpx.Response:
    """Send the form of a page, as its button would: to its action, with its hidden fields."""
    action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    target = urljoin(str(page.url), html.unescape(action.group(1))) if action else str(page.url)
    parts = urlsplit(str(page.url))
    origin = {"Origin": f"{parts.scheme}://{parts.netloc}"}
    return window.post(target, data={**form_fields(page), **fields}, headers=origin)


def follow(window: httpx.Client, answer: httpx.Response, until: str) -> httpx.Response:
    """Follow redirects within IAM until one leads to an address that starts with ``until``, or there is none."""
    while answer.has_redirect_location and not answer.headers["location"].startswith(until):
        answer = window.get(urljoin(str(answer.url), answer.headers["location"]))
    return answer


def authorization_code(
    iam: EmbeddedIam, window: httpx.Client, username: str, password: str, verifier: str, **parameters: str | None
) -> str:
    """Walk from /authorize over the login page to the hub's callback; returns the code."""
    target = parameters.get("redirect_uri") or iam.redirect_uri
    answer = follow(window, authorize(iam, window, verifier, **parameters), target)
    if not answer.has_redirect_location:
        answer = follow(window, post_form(window, answer, username=username, password=password), target)
    if not answer.has_redirect_location and 'name="allow"' in answer.text:  # a client that registered itself
        answer = follow(window, post_form(window, answer, allow="yes"), target)
    assert answer.has_redirect_location, f"{answer.status_code}: {answer.text[-800:]}"
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert "code" in found, found
    return found["code"][0]


def token(iam: EmbeddedIam, client: tuple[str, str] | None = None, **fields: str | None) -> httpx.Response:
    """POST /token, as the hub's client (HTTP basic) or as another ``(id, secret)``."""
    data = {name: value for name, value in fields.items() if value is not None}
    return httpx.post(f"{iam.url}/token", data=data, auth=client or (iam.client_id, iam.client_secret), **PLAIN)


def _tokens(answer: httpx.Response) -> Tokens:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return Tokens(
        found["access_token"],
        found.get("refresh_token"),
        found.get("id_token"),
        found["expires_in"],
        found.get("scope", ""),
    )


def sign_in(
    iam: EmbeddedIam,
    username: str,
    *,
    password: str | None = None,
    scope: str = SCOPE,
    audience: str | None = None,
    nonce: str | None = None,
    window: httpx.Client | None = None,
) -> Tokens:
    """Sign in as the hub's client by authorization code with PKCE.

    Parameters: ``password``, the user name when None; ``window``, a browser to use (and to stay signed in with).
    """
    verifier = secrets.token_urlsafe(48)
    own = window or browser()
    try:
        parameters = {"scope": scope, "audience": audience, "nonce": nonce}
        code = authorization_code(iam, own, username, password or username, verifier, **parameters)
    finally:
        if window is None:
            own.close()
    grant = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    return _tokens(token(iam, **grant, redirect_uri=iam.redirect_uri))


def refresh(iam: EmbeddedIam, refresh_token: str, *, audience: str | None = None, scope: str | None = None) -> Tokens:
    """Use a refresh token; fails the test when IAM refuses (use `token` to look at a refusal)."""
    answer = token(iam, grant_type="refresh_token", refresh_token=refresh_token, audience=audience, scope=scope)
    return _tokens(answer)


def exchange(iam: EmbeddedIam, access_token: str, *, audience: str | None = None, scope: str = SCOPE) -> Tokens:
    """Token exchange (RFC 8693) by the hub's client: a grant of its own when the scope has ``offline_access``."""
    subject = {"subject_token": access_token, "subject_token_type": ACCESS_TOKEN_TYPE}
    return _tokens(token(iam, grant_type=TOKEN_EXCHANGE, audience=audience, scope=scope, **subject))


def userinfo(iam: EmbeddedIam, access_token: str) -> httpx.Response:
    """GET /userinfo."""
    return httpx.get(f"{iam.url}/userinfo", headers={"Authorization": f"Bearer {access_token}"}, **PLAIN)
