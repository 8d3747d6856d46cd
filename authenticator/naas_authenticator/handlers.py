"""The hub's pages around a sign-in: login page, way to IAM, way back, sign-out. HTTP only; what it means is the authenticator's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.login import LoginHandler
from jupyterhub.utils import url_path_join
from naas_client.claims import same_issuer
from naas_client.errors import Forbidden, InvalidInput, NaasError
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler
from tornado.web import HTTPError

from naas_authenticator.refusal import NotAdmitted

COOKIE = "naas-sign-in"
COOKIE_DAYS = 1 / 24
"""Life of a sign-in that is under way, in days: an hour for finding the password."""

CANCELLED = frozenset({"access_denied", "consent_required", "login_required", "interaction_required"})
IAM_BUSY = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True)
class SignInUnderWay:
    """What this browser's sign-in needs on its way back; in a signed cookie, read once. ``code`` comes with the way back."""

    state: str
    nonce: str
    verifier: str
    next_url: str = ""
    code: str = ""


def with_query(url: str, **parameters: str) -> str:
    """The address with more parameters; empty when there is no address."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}" if url else ""


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class _Page(BaseHandler):
    """What our pages share."""

    @property
    def _sign_in_cookie(self) -> str:
        return f"__Host-{COOKIE}" if self.settings.get("cookie_host_prefix_enabled") else COOKIE

    @property
    def _sign_in_url(self) -> str:
        return self.authenticator.login_url(self.hub.base_url)

    async def _fail(self, error: NaasError) -> None:
        """A page with the sentence of the error and the way back."""
        self.log.warning("Sign-in failed (%s): %s", error.code, error.message)
        self.set_status(error.status)
        page = {"message": error.message, "sign_in_url": self._sign_in_url, "status_code": error.status}
        self.finish(await self.render_template("naas_sign_in_failed.html", **page))


class LoginPageHandler(LoginHandler):
    """The login page; its template gets ``iam_problem``, a sentence when IAM does not answer."""

    _problem = ""

    async def get(self) -> None:
        """Show the page, or send a person who is signed in on."""
        self._problem = "" if self.current_user else await self.authenticator.look_at_iam()
        await super().get()

    async def post(self) -> None:
        """There is no form here: people sign in at IAM. Raises HTTPError 405."""
        raise HTTPError(405, "Nobody signs in with a password here; use the button on the sign-in page.")

    def _render(self, login_error: str | None = None, username: str | None = None, **kwargs: Any) -> Any:
        return super()._render(login_error, username, **{"iam_problem": self._problem, **kwargs})


class IAMLoginHandler(_Page, LoginPageHandler, OAuthLoginHandler):
    """The way to IAM: state, nonce and PKCE verifier are new for each sign-in and bound to this browser."""

    async def get(self) -> None:
        """Redirect to IAM, or show the login page with the reason when IAM does not answer."""
        self._problem = await self.authenticator.look_at_iam()
        if self._problem:
            self.set_status(503)
            self.finish(await self._render())
            return
        metadata = await self.authenticator.provider.metadata()
        next_url = self._validate_next_url(self.get_argument("next", ""))
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        sign_in = SignInUnderWay(state, nonce, verifier, next_url)
        self._set_cookie(self._sign_in_cookie, json.dumps(asdict(sign_in)), expires_days=COOKIE_DAYS)
        self.redirect(with_query(metadata.authorization_endpoint, **self._parameters(sign_in)))

    def _parameters(self, sign_in: SignInUnderWay) -> dict[str, str]:
        authenticator = self.authenticator
        again = {"prompt": "login"} if self.get_argument("account", "") == "other" else {}
        return {
            **authenticator.extra_authorize_params,
            **again,
            "response_type": "code",
            "client_id": authenticator.client_id,
            "redirect_uri": authenticator.get_callback_url(self),
            "scope": " ".join(authenticator.scope),
            "state": sign_in.state,
            "nonce": sign_in.nonce,
            "code_challenge": challenge(sign_in.verifier),
            "code_challenge_method": "S256",
        }


class IAMCallbackHandler(_Page, OAuthCallbackHandler):
    """The way back from IAM."""

    _under_way: SignInUnderWay | None = None

    async def get(self) -> None:
        """Sign the person in and send them on, or say in a sentence why not."""
        try:
            self._under_way = await self._check_way_back()
            user = await self.login_user()
            if user is None:
                raise Forbidden("Your account is blocked on this service. Ask its administrators why.")
        except NotAdmitted as refusal:
            await self._refuse(refusal)
        except NaasError as error:
            await self._fail(error)
        else:
            self.redirect(self.get_next_url(user))

    def sign_in_under_way(self) -> SignInUnderWay:
        """The sign-in that this request completes; its state has been checked."""
        if self._under_way is None:
            raise _broken()
        return self._under_way

    def get_next_url(self, user: Any = None) -> str:
        """Where the person wanted to go: the hub's own validator decides, again."""
        wanted = self._validate_next_url(self._under_way.next_url) if self._under_way else ""
        return wanted or BaseHandler.get_next_url(self, user)

    async def _check_way_back(self) -> SignInUnderWay:
        """State first: nothing else in the address is worth reading when this browser did not begin the sign-in."""
        cookie = self.get_secure_cookie(self._sign_in_cookie, max_age_days=COOKIE_DAYS)
        self.clear_cookie(self._sign_in_cookie)
        sign_in = _read(cookie)
        given = self.get_argument("state", "")
        if sign_in is None or not hmac.compare_digest(sign_in.state.encode(), given.encode("utf-8", "replace")):
            raise _broken()
        await self._check_issuer()
        if error := self.get_argument("error", ""):
            raise self._explain(error)
        code = self.get_argument("code", "")
        if not code:
            raise _broken()
        return SignInUnderWay(**{**asdict(sign_in), "code": code})

    async def _check_issuer(self) -> None:
        """Mix-up defence (RFC 9207 §2.4): an issuer that is given must be ours; an IAM that says it gives one must do so."""
        issuer = self.get_argument("iss", "")
        metadata = await self.authenticator.provider.metadata()
        missing = not issuer and metadata.authorization_response_iss_parameter_supported
        if missing or (issuer and not same_issuer(issuer, self.authenticator.issuer)):
            raise InvalidInput("This answer is not from the IAM that was asked. Sign in again.", code="other-issuer")

    def _explain(self, error: str) -> NaasError:
        """IAM's error code (RFC 6749 §4.1.2.1) as a sentence; its free text is not shown, because anybody can write an address."""
        name = self.authenticator.login_service
        if error in CANCELLED:
            return Forbidden(
                f"The sign-in at {name} was cancelled. Nothing was changed; sign in when you like.", code="cancelled"
            )
        if error in IAM_BUSY:
            return self.authenticator.silent()
        return InvalidInput(
            f"{name} did not accept the sign-in. Sign in again, or tell the administrators of this service."
        )

    async def _refuse(self, refusal: NotAdmitted) -> None:
        claims = refusal.claims
        self.log.warning("%s: subject %s is in no group that opens the service", refusal.reference, claims.subject)
        self.set_status(refusal.status)
        page = self.authenticator.refusal_page(refusal, self._sign_in_url)
        self.finish(await self.render_template("naas_refused.html", **page))


class IAMLogoutHandler(_Page, OAuthLogoutHandler):
    """Sign-out: here, of the grant at the gateway, and of the session at IAM."""

    async def get(self) -> None:
        """Sign out, unless the request was made by another site's page: that may not end anybody's session."""
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            self.redirect(url_path_join(self.hub.base_url, "home"))
            return
        await super().get()

    async def handle_logout(self) -> None:
        """Forget a sign-in that is under way; revoke the person's grant."""
        self.clear_cookie(self._sign_in_cookie)
        if user := self.current_user:
            await self.authenticator.end_grant(user.name)

    async def render_logout_page(self) -> None:
        """Go on to IAM, so that a shared computer does not sign the next person in; without IAM say that it is done here."""
        if self.authenticator.logout_redirect_url:
            self.redirect(self.authenticator.logout_redirect_url)
            return
        back = self._sign_in_url.removesuffix("oauth_login") + "login"
        if "://" not in back:
            back = f"{self.request.protocol}://{self.request.host}{back}"
        if at_iam := await self.authenticator.end_session_url(back):
            self.redirect(at_iam)
            return
        self.finish(await self.render_template("logout.html"))


def _read(cookie: bytes | None) -> SignInUnderWay | None:
    """The sign-in in a cookie; None when there is none, or one of another version of this service."""
    try:
        return SignInUnderWay(**json.loads(cookie)) if cookie else None
    except (ValueError, TypeError):
        return None


def _broken() -> InvalidInput:
    return InvalidInput(
        "This sign-in was not begun in this browser, took more than an hour, or was completed before. Sign in again.",
        code="bad-state",
    )
