"""An IAM whose answers cannot be trusted, spoken to over HTTP: the sign-in is refused in a sentence and the grant given back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from iam_published import CLIENT, NONCE, Published
from naas_authenticator import IAMAuthenticator
from naas_authenticator.handlers import SignInUnderWay
from naas_client.errors import NaasError
from naas_local.ports import free_port
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

pytestmark = pytest.mark.asyncio
REFRESH_TOKEN = "the-refresh-token-of-this-grant"


class BadIam:
    """A server with IAM's endpoints that answers what the test says. ``answers``: by path, status and body."""

    def __init__(self, published: Published) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.published = published
        self.revoked: list[str] = []
        published.metadata = {
            "issuer": f"{self.url}/",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "revocation_endpoint": f"{self.url}/revoke",
            "jwks_uri": f"{self.url}/jwk",
        }
        grant = {"access_token": "a", "refresh_token": REFRESH_TOKEN, "token_type": "Bearer", "expires_in": 60}
        token = published.token(iss=self.url)
        self.answers: dict[str, tuple[int, Any]] = {
            "/.well-known/openid-configuration": (200, published.metadata),
            "/jwk": (200, {"keys": published.keys}),
            "/token": (200, {**grant, "id_token": token}),
            "/userinfo": (200, {"sub": "sub-alice", "preferred_username": "alice", "groups": ["users/naas"]}),
            "/revoke": (200, {}),
        }

    def answer(self, handler: RequestHandler) -> None:
        """Answer one request."""
        status, body = self.answers[handler.request.path]
        if handler.request.path == "/revoke":
            self.revoked += parse_qs(handler.request.body.decode())["token"]
        handler.set_status(status)
        if isinstance(body, str) and body.startswith("http"):
            handler.set_header("Location", body)
        handler.finish(body if isinstance(body, dict | str | bytes) else str(body))


@pytest_asyncio.fixture
async def iam(published: Published) -> AsyncIterator[BadIam]:
    bad = BadIam(published)

    class Handler(RequestHandler):
        def get(self) -> None:
            bad.answer(self)

        post = get

    server = HTTPServer(Application([(r".*", Handler)]))
    server.listen(int(bad.url.rpartition(":")[2]), "127.0.0.1")
    yield bad
    server.stop()
    await server.close_all_connections()


class WayBack:
    """The hub's handler of the way back, as far as the authenticator looks at it."""

    def __init__(self) -> None:
        self.request = HTTPServerRequest("GET", "/hub/oauth_callback")

    def sign_in_under_way(self) -> SignInUnderWay:
        return SignInUnderWay(state="s", nonce=NONCE, verifier="v" * 43, code="the-code")


async def refusal(make: Callable[..., IAMAuthenticator], iam: BadIam) -> NaasError:
    nobody = f"http://127.0.0.1:{free_port()}"
    authenticator = make(issuer=iam.url, gateway_url=nobody, oauth_callback_url="http://127.0.0.1/hub/oauth_callback")
    with pytest.raises(NaasError) as caught:
        await authenticator.authenticate(WayBack())  # type: ignore[arg-type]
    await authenticator.gateway.aclose()
    assert REFRESH_TOKEN not in str(caught.value)
    return caught.value


async def test_a_good_sign_in_gets_as_far_as_the_gateway(make: Callable[..., IAMAuthenticator], iam: BadIam) -> None:
    error = await refusal(make, iam)
    assert (error.status, error.code) == (503, "gateway-down")
    assert iam.revoked == [REFRESH_TOKEN]


PERSON = {"sub": "sub-alice", "preferred_username": "alice"}


@pytest.mark.parametrize(
    ("userinfo", "status", "code"),
    [
        ((200, {**PERSON, "sub": "sub-dana", "groups": ["admins"]}), 403, "untrusted-token"),
        ((200, {**PERSON, "sub": None}), 403, "untrusted-token"),
        ((200, {**PERSON, "groups": "users/naas"}), 400, "malformed-claims"),
        ((200, {**PERSON, "groups": {"users/naas": 1}}), 400, "malformed-claims"),
        ((200, {**PERSON, "wlcg.groups": "/users/naas"}), 400, "malformed-claims"),
        ((200, {**PERSON, "preferred_username": ["alice"]}), 400, "malformed-claims"),
        ((200, PERSON), 403, "not-admitted"),
        ((200, {**PERSON, "groups": []}), 403, "not-admitted"),
        ((200, "[]"), 503, "unavailable"),
        ((200, "<html>login</html>"), 503, "iam-down"),
        ((200, b"x" * 2**21), 503, "iam-down"),
        ((302, "http://127.0.0.1:1/"), 503, "iam-down"),
        ((401, {"error": "invalid_token"}), 400, "sign-in-refused"),
        ((500, "oops"), 503, "iam-down"),
    ],
)
async def test_a_person_that_iam_cannot_describe(
    make: Callable[..., IAMAuthenticator], iam: BadIam, userinfo: tuple[int, Any], status: int, code: str
) -> None:
    iam.answers["/userinfo"] = userinfo
    error = await refusal(make, iam)
    assert (error.status, error.code) == (status, code)
    assert iam.revoked == [REFRESH_TOKEN], "a grant that is not used is given back"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ((400, {"error": "invalid_grant", "error_description": "<b>x</b>"}), 400, "sign-in-refused"),
        ((401, {"error": "invalid_client"}), 502, "client-refused"),
        ((200, {"token_type": "Bearer"}), 503, "unavailable"),
        ((200, {"access_token": ""}), 503, "unavailable"),
        ((200, "null"), 503, "unavailable"),
        ((429, "slow down"), 503, "iam-down"),
        ((503, ""), 503, "iam-down"),
        ((302, "http://127.0.0.1:1/"), 503, "iam-down"),
    ],
)
async def test_a_code_that_iam_does_not_exchange(
    make: Callable[..., IAMAuthenticator], iam: BadIam, answer: tuple[int, Any], status: int, code: str
) -> None:
    iam.answers["/token"] = answer
    error = await refusal(make, iam)
    assert (error.status, error.code) == (status, code)
    assert "<b>" not in error.message
    assert iam.revoked == []


@pytest.mark.parametrize(
    "changes", [{"nonce": "other"}, {"aud": "other"}, {"iss": "https://iam.example.org"}, {"exp": 1}]
)
async def test_an_id_token_that_proves_nothing_ends_the_sign_in(
    make: Callable[..., IAMAuthenticator], iam: BadIam, changes: dict[str, Any]
) -> None:
    token = iam.published.token(**{"iss": iam.url, "aud": CLIENT, **changes})
    iam.answers["/token"] = (200, {**iam.answers["/token"][1], "id_token": token})
    error = await refusal(make, iam)
    assert (error.status, error.code) == (403, "untrusted-token")
    assert iam.revoked == [REFRESH_TOKEN]


async def test_a_revocation_that_fails_changes_nothing_for_the_person(
    make: Callable[..., IAMAuthenticator], iam: BadIam
) -> None:
    iam.answers["/revoke"] = (500, "oops")
    iam.answers["/userinfo"] = (200, PERSON)
    assert (await refusal(make, iam)).code == "not-admitted"
