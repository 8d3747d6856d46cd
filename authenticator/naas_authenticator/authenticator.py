"""`IAMAuthenticator`: sign-in with INDIGO IAM, groups from verified claims, access that ends when IAM says so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from naas_client.claims import claims_from, same_issuer
from naas_client.errors import AccessEnded, Conflict, InvalidInput, NaasError, NotFound, Unavailable
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.logs import REQUEST_ID_HEADER, new_request_id, request_id
from naas_client.models import Claims, Identity, SignIn
from naas_client.names import is_collaboration, is_hub_name
from naas_client.settings import read_secret
from tornado.httpclient import HTTPClientError
from tornado.web import RequestHandler
from typing_extensions import override

from naas_authenticator import handlers, id_token
from naas_authenticator.configuration import IAMConfiguration
from naas_authenticator.iam import IAM, Grant, explain, silent
from naas_authenticator.provider import Provider
from naas_authenticator.refusal import NotAdmitted, open_groups, page_context

OWNERS = "/naas/owners"
"""Hub group of the people named in ``owners``, so that a role can name them; no IAM group begins with a slash here."""

TEMPLATES = Path(__file__).with_name("templates")

WATCH = 5.0
"""Seconds after which a page that would send somebody to IAM looks again whether it answers."""


class IAMAuthenticator(IAMConfiguration):
    """Sign-in with INDIGO IAM (OpenID Connect code flow with PKCE and nonce), for JupyterHub with our gateway.

    Identity is issuer and subject; the gateway fixes the hub name at the first sign-in and alone keeps the tokens.
    """

    login_handler = handlers.IAMLoginHandler
    callback_handler = handlers.IAMCallbackHandler
    logout_handler = handlers.IAMLogoutHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check_settings()
        self.provider = Provider(self.issuer, self.login_service, self._get_json)
        self.iam = IAM(self.provider, self.httpfetch, self.client_id, self.read_client_secret)
        token = read_secret(Path(self.gateway_token_file), "IAMAuthenticator.gateway_token_file")
        self.gateway = GatewayClient(f"{self.gateway_url.rstrip('/')}{API_PATH}", token)
        self._greeting: asyncio.Task[None] | None = None

    # -- IAM's answers

    @override
    async def fetch(self, req: Any, label: str = "", parse_json: bool = True, **kwargs: Any) -> Any:
        """Send one request to IAM. Raises NaasError; nothing of an answer gets into the log (upstream logs bodies)."""
        try:
            answer = await self.http_client.fetch(req, **kwargs)
            return json.loads(answer.body or b"null") if parse_json else answer
        except HTTPClientError as error:
            raise explain(error, self.login_service) from None
        except (OSError, ValueError):
            raise silent(self.login_service) from None

    async def _get_json(self, url: str) -> Any:
        try:
            return await self.httpfetch(url, method="GET")
        except Unavailable:
            raise
        except NaasError:
            raise silent(self.login_service) from None

    def silent(self) -> Unavailable:
        """The error for an IAM that does not answer."""
        return silent(self.login_service)

    async def look_at_iam(self) -> str:
        """Why nobody can sign in at the moment, for people; empty when IAM answers."""
        try:
            await self.provider.metadata(max_age=WATCH)
        except NaasError as error:
            return error.message
        return ""

    async def _greet(self) -> None:
        """Say once in the log that IAM is not there at our start, and once that it came."""
        silent_before = False
        while problem := await self.look_at_iam():
            if not silent_before:
                self.log.warning("%s The hub runs on; sign-in works as soon as IAM answers.", problem)
            silent_before = True
            await asyncio.sleep(self.provider.pause)
        self.log.info("%s answers at %s", self.login_service, self.provider.issuer)

    @override
    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """Our pages for sign-in and sign-out; called when the hub starts."""
        self._greeting = asyncio.ensure_future(self._greet())
        app.template_paths.append(str(TEMPLATES))  # the last place to look, for a hub without pages of its own
        return [(r"/login", handlers.LoginPageHandler), *super().get_handlers(app)]

    @override
    def login_url(self, base_url: str) -> str:
        """Where the sign-in begins: on the public host when that is known, because the way back from IAM leads there."""
        if self.oauth_callback_url:
            return self.oauth_callback_url.removesuffix("oauth_callback") + "oauth_login"
        return url_path_join(base_url, "oauth_login")

    # -- sign-in

    @override
    async def authenticate(self, handler: RequestHandler, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Who came back from IAM, as JupyterHub's auth model; None for a request that is not the way back.

        Raises NaasError; a grant that is then not used is given back.
        """
        if not hasattr(handler, "sign_in_under_way"):  # JupyterHub's API takes names and passwords; there are none here
            return None
        self._adopt_request_id(handler)
        sign_in = handler.sign_in_under_way()
        grant = await self.iam.exchange(sign_in.code, sign_in.verifier, self.get_callback_url(handler))
        try:
            claims = await self._who(grant, sign_in.nonce)
            if not self.rule.allows(claims.groups, claims.subject):
                raise NotAdmitted(claims)
            identity = await self._hand_over(grant, claims)
            await self._check_same_person(handler, identity)
        except NaasError:
            await self._give_back(grant)
            raise
        return self._auth_model(identity.name, claims)

    async def _who(self, grant: Grant, nonce: str) -> Claims:
        """Verified claims: the ID token proves the person, userinfo (of the same person) says the rest."""
        token = grant.id_token.get_secret_value() if grant.id_token else None
        proven = await id_token.verify(token, self.provider, self.client_id, nonce)
        document = await self.iam.userinfo(grant)
        if document.get("sub") != proven["sub"]:
            raise id_token.refuse("IAM's answers are about two different people")
        return claims_from({**proven, **document}, self.issuer)

    async def _hand_over(self, grant: Grant, claims: Claims) -> Identity:
        identity = await self.gateway.sign_in(
            SignIn(
                claims=claims,
                access_token=grant.access_token,
                refresh_token=grant.refresh_token,
                expires_in=grant.expires_in,
                scope=grant.scope,
            )
        )
        if not is_hub_name(identity.name) or is_collaboration(identity.name):
            raise InvalidInput("The gateway gave a name that cannot be used. Tell the administrators of this service.")
        return identity

    async def _check_same_person(self, handler: RequestHandler, identity: Identity) -> None:
        """Refuse a name that the hub knows as somebody else's, should the gateway have lost its identity map."""
        user = handler.find_user(identity.name)
        known = await user.get_auth_state() if user else None
        if known and not _is(known, identity.issuer, identity.subject):
            await self.end_grant(identity.name)
            raise Conflict(
                f"The name {identity.name!r} belongs to somebody else here. Tell the administrators of this service."
            )

    async def _give_back(self, grant: Grant) -> None:
        try:
            await self.iam.revoke(grant)
        except NaasError as error:
            self.log.warning("A grant that is not used could not be revoked: %s", error.message)

    def _auth_model(self, name: str, claims: Claims) -> dict[str, Any]:
        owner = claims.subject in self.owners
        return {
            "name": name,
            "admin": self.rule.administers(claims.groups, claims.subject),
            "groups": [*claims.groups, *([OWNERS] if owner else [])],
            "auth_state": claims.model_dump(mode="json"),
            "user_info": {"name": name, "display_name": claims.name or claims.preferred_username or name},
        }

    @override
    def normalize_username(self, username: str) -> str:
        """The gateway's names are used as they are."""
        return username

    @override
    def validate_username(self, username: str) -> bool:
        """Whether this can be a hub name, a person's or a shared server's (`naas_client.names`)."""
        return is_hub_name(username)

    @override
    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """The rule of `iam` settings on the claims in the auth model; without claims nobody is allowed."""
        state = (auth_model or {}).get("auth_state") or {}
        return self.rule.allows(state.get("groups", []), state.get("subject", ""))

    @override
    async def check_blocked_users(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """`blocked_users` by hub name; the grant of a blocked person is revoked."""
        if passed := username not in self.blocked_users:
            return passed
        await self.end_grant(username)
        return False

    # -- later

    @override
    async def refresh_user(
        self, user: User, handler: RequestHandler | None = None, **kwargs: Any
    ) -> bool | dict[str, Any]:
        """What IAM says now, through the gateway: the new auth model, False when access has ended, True when nobody can say.

        IAM knows nothing of the users of shared servers, who never sign in.
        """
        if is_collaboration(user.name):
            return True
        self._adopt_request_id(handler)
        try:
            claims = await self.gateway.claims(user.name, max_age=self.auth_refresh_age)
        except (AccessEnded, NotFound) as ended:
            self.log.info("Access of %s has ended: %s", user.name, ended.code)
            return False
        except NaasError as error:
            self.log.warning("Claims of %s could not be read again, the last ones hold: %s", user.name, error.message)
            return True
        known = await user.get_auth_state()
        model = self._auth_model(user.name, claims)
        if not known or not _is(known, claims.issuer, claims.subject) or user.name in self.blocked_users:
            return False
        if not await self.check_allowed(user.name, model):
            self.log.info("%s is in none of the groups that open the service any more", user.name)
            return False
        return model

    async def end_grant(self, name: str) -> None:
        """Have the gateway revoke a person's grant; a gateway that is down keeps nobody from signing out."""
        try:
            await self.gateway.sign_out(name)
        except NaasError as error:
            self.log.warning("The grant of %s was not revoked: %s", name, error.message)

    async def end_session_url(self, back: str) -> str:
        """Where to send a browser to end its session at IAM (OpenID Connect RP-Initiated Logout 1.0); empty when that is impossible."""
        try:
            metadata = await self.provider.metadata(max_age=WATCH)
        except NaasError:
            return ""
        return handlers.with_query(
            metadata.end_session_endpoint, client_id=self.client_id, post_logout_redirect_uri=back
        )

    def refusal_page(self, refusal: NotAdmitted, sign_in_url: str) -> dict[str, Any]:
        """What `naas_refused.html` shows."""
        groups = open_groups(
            self.allowed_groups - self.admin_groups or self.allowed_groups, self.group_texts, self.provider.issuer
        )
        return page_context(refusal, groups=groups, contact=self.contact, sign_in_url=sign_in_url)

    def _adopt_request_id(self, handler: RequestHandler | None) -> None:
        if handler is not None and not request_id.get():
            new_request_id(handler.request.headers.get(REQUEST_ID_HEADER))


def _is(state: dict[str, Any], issuer: str, subject: str) -> bool:
    return same_issuer(state.get("issuer", ""), issuer) and state.get("subject") == subject
