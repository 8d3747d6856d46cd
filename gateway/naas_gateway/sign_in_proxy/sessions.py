"""What browsers keep for us, sealed: nobody but this service reads or makes it, and nothing is kept here.

The session cookie holds the person's token of the hub. A sign-in under way is the OAuth ``state``, bound to the browser that began it
(RFC 6749 §10.12).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.requests import Request
from starlette.responses import Response

SIGN_IN_LIMIT = 900
"""Seconds that a sign-in may take, with IAM's registration pages in between."""

LONGEST = 4096
"""Characters of anything sealed that we read: as long as a cookie can be."""

LONGEST_TARGET = 1500
"""Characters of an address to come back to; a longer one leads to the first page."""


class Sessions:
    """Makes and reads the cookies. Parameters: ``secret``, shared with the hub; ``secure``, whether browsers come by https."""

    def __init__(self, secret: str, *, secure: bool) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"naas sign-in proxy").derive(secret.encode())
        self._seal = Fernet(base64.urlsafe_b64encode(key))
        self._secure = secure
        prefix = "__Host-" if secure else ""  # RFC 6265bis §4.1.3.2: no other host of the domain can set it
        self.session_cookie, self.browser_cookie = f"{prefix}naas-sign-in", f"{prefix}naas-sign-in-browser"

    def token(self, request: Request) -> str:
        """The hub token of this browser's session; empty when it has none."""
        return str(self._open("session", request.cookies.get(self.session_cookie, "")).get("token", ""))

    def keep(self, response: Response, token: str) -> None:
        """Begin a session."""
        self._set(response, self.session_cookie, self._close("session", token=token))

    def end(self, response: Response) -> None:
        """End this browser's session."""
        response.delete_cookie(self.session_cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    def begin(self, request: Request, target: str) -> tuple[str, str]:
        """The ``state`` of a new sign-in that leads back to ``target``, and the value of this browser's cookie."""
        browser = self._browser(request) or secrets.token_urlsafe(16)
        target = target if len(target) <= LONGEST_TARGET else "/"
        return self._close("state", browser=browser, target=target), self._close("browser", browser=browser)

    def remember(self, response: Response, browser: str) -> None:
        """Give a browser its cookie from `begin`."""
        self._set(response, self.browser_cookie, browser)

    def target(self, request: Request, state: str) -> str | None:
        """Where a sign-in leads back to; None for one that this browser did not begin, or that took too long."""
        begun, browser = self._open("state", state, SIGN_IN_LIMIT), self._browser(request)
        if not browser or not hmac.compare_digest(str(begun.get("browser", "")), browser):
            return None
        return str(begun["target"])

    def _browser(self, request: Request) -> str:
        return str(self._open("browser", request.cookies.get(self.browser_cookie, "")).get("browser", ""))

    def _close(self, kind: str, **values: str) -> str:
        return self._seal.encrypt(json.dumps({"kind": kind, **values}).encode()).decode()

    def _open(self, kind: str, sealed: str, limit: int | None = None) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads(self._seal.decrypt(sealed[:LONGEST].encode(), ttl=limit))
        except (InvalidToken, UnicodeError):
            return {}
        return values if values["kind"] == kind else {}

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(name, value, path="/", secure=self._secure, httponly=True, samesite="lax")
