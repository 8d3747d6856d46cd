"""Who may call what: hub, services, people, administrators, IAM tokens."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import iam_login
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from gateway_calls import HUB_CALLS, USER_CALLS, call, error_of
from joserfc import jwt
from joserfc.jwk import RSAKey
from naas_client.errors import Forbidden, InvalidInput, NotSignedIn, Unavailable
from naas_gateway.clock import utcnow
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server

ADMIN_CALLS = [
    ("GET", "/audit"),
    ("GET", "/admin/s3-keys"),
    ("DELETE", "/admin/s3-keys/1"),
    ("GET", "/admin/catalogue/problems"),
    ("GET", "/../../metrics"),
]


@pytest.mark.parametrize(("method", "path"), [*USER_CALLS, *HUB_CALLS, *ADMIN_CALLS])
@pytest.mark.parametrize("token", [None, "nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.x"])
def test_without_a_good_token_nothing_is_answered(gateway: Gateway, method: str, path: str, token: str | None) -> None:
    assert error_of(call(gateway, method, path, token)) == (401, "not-signed-in")


@pytest.mark.parametrize(("method", "path"), [*HUB_CALLS, *ADMIN_CALLS])
def test_a_person_is_neither_hub_nor_administrator(signed_in: Gateway, hub: HubStandIn, method: str, path: str) -> None:
    assert call(signed_in, method, path, hub.user_token("alice")).status_code == 403


@pytest.mark.parametrize(("method", "path"), USER_CALLS)
def test_the_hub_and_services_are_no_persons(signed_in: Gateway, hub: HubStandIn, method: str, path: str) -> None:
    for token in (signed_in.hub_token, hub.user_token("cull", kind="service")):
        assert error_of(call(signed_in, method, path, token)) == (403, "not-a-person")


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["custom:naas:use"], 200),
        (["custom:naas:use!user=alice"], 200),
        (["custom:naas:admin"], 200),
        (["custom:naas:use!user=bob"], 403),
        (["custom:naas:user"], 403),
        (["self", "access:servers!server=alice/"], 403),
    ],
)
def test_a_hub_token_needs_our_scope(signed_in: Gateway, hub: HubStandIn, scopes: list[str], status: int) -> None:
    assert call(signed_in, "GET", "/me", hub.user_token("alice", *scopes)).status_code == status


def test_the_audit_is_for_administrators(signed_in: Gateway, hub: HubStandIn) -> None:
    client = signed_in.client(hub.user_token("dana", "custom:naas:use", "custom:naas:admin"))
    page = client.audit(action="sign-in", limit=2)
    assert [row.actor for row in page.items] == ["dana", "carol"]
    assert page.total == 4
    older = client.audit(action="sign-in", limit=2, cursor=page.next)
    assert ([row.actor for row in older.items], older.next) == (["bob", "alice"], None)
    assert client.audit(actor="alice", since=utcnow()).items == []
    assert page.items[0].address == "127.0.0.1"
    with pytest.raises(InvalidInput, match="begin with the first page"):
        client.audit(cursor="1 OR 1=1")


def test_a_person_learns_what_is_open_and_how_to_open_the_rest(signed_in: Gateway, hub: HubStandIn) -> None:
    signed_in.iam.add_user("frank", ["users/naas"])
    signed_in.sign_in("frank")
    frank, dana = (signed_in.client(hub.user_token(name)).me() for name in ("frank", "dana"))
    assert (frank.name, frank.groups, frank.admin) == ("frank", ["users/naas"], False)
    assert dana.admin
    assert dana.capabilities["storage"].allowed
    reason = frank.capabilities["storage"].reason
    assert reason.startswith("Cloud storage opens to members of users/s3. Ask to join users/s3 at http")


def test_a_person_without_admitted_group_is_refused(signed_in: Gateway, hub: HubStandIn) -> None:
    with pytest.raises(Forbidden, match="Ask to join users/naas or admins"):
        signed_in.client(hub.user_token("carol")).me()


def test_somebody_who_never_signed_in_is_told_so(signed_in: Gateway, hub: HubStandIn) -> None:
    with pytest.raises(Forbidden, match="Sign in on the hub first"):
        signed_in.client(hub.user_token("nobody")).me()


def test_only_allowed_audiences_are_given(signed_in: Gateway, hub: HubStandIn) -> None:
    client = signed_in.client(hub.user_token("alice"))
    token = client.token("object")
    assert iam_login.claims_of(token.access_token)["aud"] == "object"
    assert client.token("object") == token
    with pytest.raises(InvalidInput, match="these audiences: object"):
        client.token("naas")


def test_a_hub_that_is_down_is_not_a_refusal(signed_in: Gateway, hub: HubStandIn, tmp_path: Any) -> None:
    with gateway_app(tmp_path, signed_in.iam) as alone, pytest.raises(Unavailable, match="The hub does not answer"):
        alone.client("some-hub-token").me()


class TestIamTokens:
    """An IAM access token with audience `naas`, as the CLI sends it."""

    @pytest.fixture(scope="class")
    def key(self, iam: EmbeddedIam) -> RSAKey:
        """IAM's own key, for tokens that only IAM could have signed."""
        return RSAKey.import_key(json.loads((iam.data / "keys.json").read_text())["jwks"]["keys"][0])

    @pytest.fixture(scope="class")
    def subject(self, iam: EmbeddedIam) -> str:
        return str(iam_login.claims_of(iam_login.sign_in(iam, "alice").access_token)["sub"])

    def test_a_real_one_is_its_owner(self, signed_in: Gateway, iam: EmbeddedIam) -> None:
        token = iam_login.sign_in(iam, "alice", audience="naas").access_token
        assert signed_in.client(token).me().name == "alice"

    def test_one_for_another_audience_is_refused(self, signed_in: Gateway, iam: EmbeddedIam) -> None:
        with pytest.raises(NotSignedIn, match="not for this service"):
            signed_in.client(iam_login.sign_in(iam, "alice").access_token).me()

    @pytest.mark.parametrize(
        ("changes", "status", "words"),
        [
            ({}, 200, ""),
            ({"aud": ["x", "naas"]}, 200, ""),
            ({"groups": ["/users/naas"]}, 200, ""),
            ({"iss": "https://evil.example.org"}, 401, "another IAM"),
            ({"aud": "object"}, 401, "not for this service"),
            ({"aud": None}, 401, "not for this service"),
            ({"exp": 1}, 401, "not valid"),
            ({"exp": None}, 401, "not valid"),
            ({"sub": "somebody-else"}, 403, "Nobody with this name"),
            ({"sub": ["a"]}, 401, "not valid"),
            ({"groups": "admins"}, 403, "claim groups is not a list"),
            ({"wlcg.groups": "/admins"}, 403, "claim wlcg.groups is not a list"),
            ({"preferred_username": ["alice"]}, 403, "claim preferred_username is not a text"),
            ({"sub": None}, 403, "claim sub is missing"),
        ],
    )
    def test_each_claim_is_checked(
        self, signed_in: Gateway, key: RSAKey, subject: str, changes: dict[str, Any], status: int, words: str
    ) -> None:
        good = _good_claims(signed_in, subject)
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        answer = call(signed_in, "GET", "/me", jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key))
        assert answer.status_code == status
        assert words in answer.text

    @pytest.mark.parametrize("kid", ["own", "other"])
    def test_a_foreign_signature_is_refused(self, signed_in: Gateway, key: RSAKey, subject: str, kid: str) -> None:
        header = {"alg": "RS256", "kid": key.kid if kid == "own" else kid}
        token = jwt.encode(header, _good_claims(signed_in, subject), RSAKey.generate_key(2048))
        assert error_of(call(signed_in, "GET", "/me", token)) == (401, "not-signed-in")

    def test_the_public_key_is_no_shared_secret(self, signed_in: Gateway, key: RSAKey, subject: str) -> None:
        def encoded(value: bytes) -> str:
            return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

        header = json.dumps({"alg": "HS256", "kid": key.kid}).encode()
        signed = f"{encoded(header)}.{encoded(json.dumps(_good_claims(signed_in, subject)).encode())}"
        signature = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
        answer = call(signed_in, "GET", "/me", f"{signed}.{encoded(signature)}")
        assert error_of(answer) == (401, "not-signed-in")


def _good_claims(gateway: Gateway, subject: str) -> dict[str, Any]:
    return {"iss": gateway.iam.issuer, "sub": subject, "aud": "naas", "exp": int(time.time()) + 60}
