"""Who signs in: a token from the hub (OAuth 2.0 code flow, RFC 6749 §4.1), and what the gateway says about its owner."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import httpx
from naas_client.errors import Forbidden, InvalidInput, Unavailable
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.settings import SharedSettings
from naas_client.sign_in import SERVICE, SignInSection

from naas_gateway.services.access import Access

HUB_LIMIT = 10.0
"""Seconds for one answer of the hub."""

CAPABILITY = "healthchecks"
CLIENT_ID = f"service-{SERVICE}"
"""JupyterHub's name for a service as OAuth client."""

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
"""Addresses of RFC 5322 §3.4.1 without quotes: one value of a header in every server's eyes."""
LONGEST_EMAIL = 254


class People:
    """Sign-ins. Parameters: ``secret``, this service's token at the hub."""

    def __init__(self, settings: SharedSettings, proxy: SignInSection, secret: str) -> None:
        self._settings, self._proxy, self._secret = settings, proxy, secret
        self._access = Access(settings)

    def sign_in_url(self, state: str) -> str:
        """Where a browser signs in."""
        query = {
            "client_id": CLIENT_ID,
            "redirect_uri": self._proxy.redirect_uri,
            "response_type": "code",
            "state": state,
        }
        return f"{self._settings.gateway.public_hub_url}/hub/api/oauth2/authorize?{urlencode(query)}"

    @property
    def sign_out_url(self) -> str:
        """Where a browser signs out of hub and IAM; with that the hub ends the tokens of the session, ours too."""
        return f"{self._settings.gateway.public_hub_url}/hub/logout"

    async def token(self, code: str) -> str:
        """The token for a code that the hub gave a browser. Raises InvalidInput for a code that is not good, Unavailable."""
        form = {
            "client_id": CLIENT_ID,
            "client_secret": self._secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._proxy.redirect_uri,
        }
        url = f"{self._settings.gateway.hub_api_url}/oauth2/token"
        try:
            async with httpx.AsyncClient(timeout=HUB_LIMIT, trust_env=False) as http:
                answer = await http.post(url, data=form)
            document = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            raise Unavailable("The hub does not answer. Try again in a moment.", code="hub-down") from None
        if not isinstance(document, dict) or not isinstance(document.get("access_token"), str):
            raise InvalidInput("The hub does not accept this sign-in any more. Begin again.", code="sign-in-refused")
        return str(document["access_token"])

    async def email(self, token: str) -> str:
        """The verified e-mail of the token's owner, in lower case, as Healthchecks keeps addresses.

        Raises NotSignedIn when the token is over, AccessEnded, Forbidden with the remedy, or Unavailable.
        """
        async with GatewayClient(f"{self._settings.gateway.url}{API_PATH}", token) as gateway:
            me = await gateway.me()
        # Not by `me.capabilities`: that is closed where the gateway manages no checks, and there people may sign in all the same.
        groups = self._proxy.groups or self._settings.capabilities.get(CAPABILITY, [])
        if groups and set(groups).isdisjoint(me.groups):
            how = self._access.how_to_join(groups)
            raise Forbidden(f"This opens to members of {' or '.join(groups)}. {how}", code="not-in-group")
        if not me.email or len(me.email) > LONGEST_EMAIL or not _EMAIL.fullmatch(me.email):
            iam = self._settings.iam
            raise Forbidden(
                f"{iam.display_name} knows no e-mail address that is verified as yours, and here people are known by theirs. "
                f"Verify your address at {iam.issuer} and try again in some minutes, or write to "
                f"{self._settings.site.contact or 'the operators of this service'}.",
                code="no-verified-email",
            )
        return me.email.lower()
