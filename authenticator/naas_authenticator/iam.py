"""The requests that the hub itself sends to IAM during a sign-in: code for tokens, who is it, give the grant back."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from naas_client.errors import NaasError, Unavailable
from naas_client.models import Document
from pydantic import Field, SecretStr, ValidationError
from tornado.httpclient import HTTPClientError

from naas_authenticator.provider import Provider

Send = Callable[..., Awaitable[Any]]
"""Sends a request with oauthenticator's settings (proxy, certificates, time limits); answers the JSON document."""

LONGEST_ANSWER = 2**20
"""Bytes; a userinfo document with a thousand groups has a tenth of it."""

CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client", "redirect_uri_mismatch", "unsupported_grant_type"})
"""OAuth errors that only the operator can repair (RFC 6749 §5.2)."""


TOO_MANY = 429


class SignInRefused(NaasError):
    """IAM did not accept the sign-in. Parameters: ``oauth_error``, its code (RFC 6749 §5.2), empty when it gave none."""

    status = 400
    default_code = "sign-in-refused"

    def __init__(self, message: str, oauth_error: str = "") -> None:
        super().__init__(message)
        self.oauth_error = oauth_error


class ClientRefused(NaasError):
    """IAM does not know this service any more, or not its secret: for the operator to repair."""

    status = 502
    default_code = "client-refused"


class Grant(Document):
    """IAM's answer to a code (RFC 6749 §5.1). Secret fields never show in logs or exceptions."""

    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr | None = None
    id_token: SecretStr | None = None
    expires_in: int = Field(3600, ge=1)
    scope: str = ""


class IAM:
    """IAM as this client speaks to it. Parameters: ``provider``, its endpoints; ``secret``, gives the client's secret when it is needed."""

    def __init__(self, provider: Provider, send: Send, client_id: str, secret: Callable[[], str]) -> None:
        self.provider, self.client_id = provider, client_id
        self._send, self._secret = send, secret

    def _basic(self) -> dict[str, str]:
        """Client authentication; both halves are form-encoded first (RFC 6749 §2.3.1)."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self._secret())}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"}

    async def _post(self, url: str, fields: Mapping[str, str]) -> Any:
        return await self._send(
            url, method="POST", headers=self._basic(), body=urlencode(fields), follow_redirects=False
        )

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        """Tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.5). Raises SignInRefused or Unavailable."""
        metadata = await self.provider.metadata()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        try:
            return Grant.model_validate(await self._post(metadata.token_endpoint, fields))
        except ValidationError:
            raise Unavailable(f"{self.provider.name} gave no usable tokens. Try again in a moment.") from None

    async def userinfo(self, grant: Grant) -> dict[str, Any]:
        """What IAM says about the owner of a grant (OpenID Connect Core §5.3). Raises SignInRefused or Unavailable."""
        metadata = await self.provider.metadata()
        headers = {"Authorization": f"Bearer {grant.access_token.get_secret_value()}", "Accept": "application/json"}
        document = await self._send(metadata.userinfo_endpoint, method="GET", headers=headers, follow_redirects=False)
        if not isinstance(document, dict):
            raise Unavailable(f"{self.provider.name} did not say who you are. Try again in a moment.")
        return document

    async def revoke(self, grant: Grant) -> None:
        """Give a grant back (RFC 7009): the refresh token, and with it the access token. Raises NaasError when IAM does not take it."""
        metadata = await self.provider.metadata()
        if not metadata.revocation_endpoint:
            return
        token, hint = (
            (grant.refresh_token, "refresh_token") if grant.refresh_token else (grant.access_token, "access_token")
        )
        await self._post(metadata.revocation_endpoint, {"token": token.get_secret_value(), "token_type_hint": hint})


def explain(error: HTTPClientError, name: str) -> NaasError:
    """IAM's refusal or silence as our error; of its answer, only OAuth's error code is used. Parameters: ``name``, what people call IAM."""
    if error.code >= 500 or error.code < 400 or error.code == TOO_MANY:
        return silent(name)
    oauth_error = _oauth_error(error)
    if oauth_error in CLIENT_ERRORS:
        return ClientRefused(
            f"{name} does not accept this service as its client ({oauth_error}). Tell the administrators of this service."
        )
    return SignInRefused(
        f"{name} did not accept the sign-in, because it took too long or its address was used before. Sign in again.",
        oauth_error,
    )


def silent(name: str) -> Unavailable:
    """IAM does not answer at all."""
    return Unavailable(f"{name} does not answer at the moment. Try again in a moment.", code="iam-down")


def _oauth_error(error: HTTPClientError) -> str:
    try:
        code = json.loads(error.response.body).get("error", "") if error.response else ""
    except (ValueError, AttributeError):
        return ""
    return code[:60] if isinstance(code, str) and code.replace("_", "").isalnum() else ""
