"""The API's edges: who may call what, hostile input, one error shape, no token in logs."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import iam_login
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app, sign_in_document
from joserfc import jwt
from joserfc.jwk import RSAKey
from naas_client.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn, Unavailable
from naas_client.gateway import API_PATH, SyncGatewayClient
from naas_client.models import StopReason
from naas_gateway.clock import utcnow
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server

USER_CALLS = [
    ("GET", "/me"),
    ("POST", "/tokens"),
    ("POST", "/s3-credentials"),
    ("GET", "/storage"),
    ("GET", "/storage/usage"),
    ("GET", "/events"),
    ("GET", "/stop-reasons"),
    ("POST", "/stop-reasons/seen"),
]
HUB_CALLS = [
    ("POST", "/hub/sign-ins"),
    ("GET", "/hub/users/alice/claims"),
    ("POST", "/hub/users/alice/sign-out"),
    ("POST", "/hub/users/alice/storage"),
    ("POST", "/hub/stop-reasons"),
    ("GET", "/hub/users/alice/stop-reasons"),
]
ADMIN_CALLS = [("GET", "/audit"), ("GET", "/../../metrics")]
BODIES: dict[str, Any] = {
    "/tokens": {"audience": "object"},
    "/hub/stop-reasons": {"username": "alice", "code": "admin", "message": "m", "at": "2026-01-01T00:00:00Z"},
}


@pytest.fixture(scope="module")
def signed_in(gateway: Gateway) -> Gateway:
    for name in ("alice", "bob", "carol", "dana"):
        gateway.sign_in(name)
    return gateway


def call(gateway: Gateway, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
    body = {"json": BODIES[path]} if path in BODIES and not {"json", "content"} & set(options) else {}
    with httpx.Client(base_url=gateway.url + API_PATH, timeout=20, trust_env=False) as client:
        return client.request(method, path, headers=headers, **body, **options)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()["error"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["message"].endswith((".", "json."))
    return answer.status_code, body["code"]


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
    with pytest.raises(InvalidInput, match="cursor"):
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


class TestHostileInput:
    @pytest.mark.parametrize(
        ("path", "body", "status", "words"),
        [
            ("/tokens", {}, 400, "audience: Field required"),
            ("/tokens", {"audience": ["object"]}, 400, "audience: Input should be a valid string"),
            ("/tokens", {"audience": "x" * 300}, 400, "audience: String should have at most 200"),
            ("/tokens", [], 400, "Correct it"),
        ],
    )
    def test_a_bad_body_is_explained_by_field(
        self, signed_in: Gateway, hub: HubStandIn, path: str, body: Any, status: int, words: str
    ) -> None:
        answer = call(signed_in, "POST", path, hub.user_token("alice"), json=body)
        assert error_of(answer) == (status, "invalid-input")
        assert words in answer.text

    def test_values_are_never_echoed(self, signed_in: Gateway) -> None:
        body = {"claims": {"issuer": ["s3cr3t-one"]}, "access_token": {"s3cr3t-two": 1}, "refresh_token": 17_000_003}
        answer = call(signed_in, "POST", "/hub/sign-ins", signed_in.hub_token, json=body)
        assert answer.status_code == 400
        assert not any(secret in answer.text for secret in ("s3cr3t-one", "s3cr3t-two", "17000003"))

    @pytest.mark.parametrize("content", [b"x" * 70_000, (b"y" * 10_000 for _ in range(1000))])
    def test_a_large_body_is_refused(self, signed_in: Gateway, content: Any) -> None:
        answer = call(signed_in, "POST", "/tokens", content=content)
        assert error_of(answer) == (413, "too-large")

    @pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 5000])
    def test_a_body_that_is_no_json_is_refused(self, signed_in: Gateway, hub: HubStandIn, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = call(signed_in, "POST", "/tokens", hub.user_token("alice"), content=content, headers=headers)
        assert error_of(answer)[0] == 400

    @pytest.mark.parametrize("name", ["Alice", "a..b", "scratch", "a" * 64, "%2e%2e", "alice%00", "alicé", "<b>x</b>"])
    def test_a_name_that_is_no_hub_name_is_refused(self, signed_in: Gateway, name: str) -> None:
        for method, what in (("GET", "claims"), ("POST", "storage"), ("POST", "sign-out"), ("GET", "stop-reasons")):
            answer = call(signed_in, method, f"/hub/users/{name}/{what}", signed_in.hub_token)
            assert error_of(answer)[0] in (400, 404)

    @pytest.mark.parametrize("query", ["max_age=-1", "max_age=x", "max_age=1e99", "max_age=nan"])
    def test_a_bad_query_is_refused(self, signed_in: Gateway, query: str) -> None:
        answer = call(signed_in, "GET", f"/hub/users/alice/claims?{query}", signed_in.hub_token)
        assert error_of(answer) == (400, "invalid-input")

    @pytest.mark.parametrize("header", ["-1", "abc", "9" * 30, "1;drop"])
    def test_a_bad_last_event_id_is_refused(self, signed_in: Gateway, hub: HubStandIn, header: str) -> None:
        answer = call(signed_in, "GET", "/events", hub.user_token("alice"), headers={"Last-Event-ID": header})
        assert error_of(answer) == (400, "invalid-input")

    def test_two_authorization_headers_are_no_credential(self, signed_in: Gateway, hub: HubStandIn) -> None:
        headers = [("Authorization", f"Bearer {hub.user_token('alice')}"), ("Authorization", "Bearer x")]
        answer = httpx.get(f"{signed_in.url}{API_PATH}/me", headers=headers, trust_env=False)
        assert error_of(answer) == (401, "not-signed-in")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nothing", 404),
            ("GET", "/../../", 404),
            ("DELETE", "/me", 405),
            ("GET", "/tokens", 405),
            ("GET", "/me/", 404),
        ],
    )
    def test_unknown_addresses_have_our_shape(self, signed_in: Gateway, method: str, path: str, status: int) -> None:
        assert error_of(call(signed_in, method, path))[0] == status

    @pytest.mark.parametrize(
        ("given", "kept"), [("abcdef-123456", True), ("short", False), ("x" * 70, False), ("a b;c\"d'e", False)]
    )
    def test_the_request_id_is_taken_over_if_it_is_one(self, signed_in: Gateway, given: str, kept: bool) -> None:
        answer = call(signed_in, "GET", "/health", headers={"X-Request-ID": given})
        assert (answer.headers["X-Request-ID"] == given) is kept


class TestSignIn:
    def test_the_name_of_another_subject_is_refused(self, signed_in: Gateway) -> None:
        signed_in.iam.add_user("mallory", ["users/naas"])
        document = sign_in_document(signed_in.iam, "alice", iam_login.sign_in(signed_in.iam, "mallory"))
        with pytest.raises(Conflict, match="The name alice belongs to another account"):
            signed_in.hub.sign_in(document)
        assert signed_in.hub.claims("alice", 0).preferred_username == "alice"

    def test_a_rename_in_iam_keeps_the_hub_name(self, signed_in: Gateway) -> None:
        tokens = iam_login.sign_in(signed_in.iam, "bob")
        assert signed_in.hub.sign_in(sign_in_document(signed_in.iam, "robert", tokens)).name == "bob"

    def test_a_slash_at_the_end_of_the_issuer_does_not_matter(self, signed_in: Gateway) -> None:
        tokens = iam_login.sign_in(signed_in.iam, "bob")
        for issuer in (signed_in.iam.url, f"{signed_in.iam.url}/"):
            identity = signed_in.hub.sign_in(sign_in_document(signed_in.iam, "bob", tokens, issuer=issuer))
            assert (identity.name, identity.issuer) == ("bob", signed_in.iam.url)

    @pytest.mark.parametrize(
        "claims",
        [
            {"issuer": "https://evil.example.org"},
            {"subject": ""},
            {"subject": "x" * 300},
            {"preferred_username": "x" * 301},
            {"email": "x" * 1001},
            {"groups": ["/"]},
            {"groups": ["x" * 256]},
            {"groups": [str(number) for number in range(1001)]},
        ],
    )
    def test_unusable_claims_leave_nothing_behind(self, signed_in: Gateway, claims: dict[str, Any]) -> None:
        tokens = iam_login.sign_in(signed_in.iam, "erin")
        with pytest.raises(InvalidInput):
            signed_in.hub.sign_in(sign_in_document(signed_in.iam, "erin", tokens, **claims))
        with pytest.raises(NotFound):
            signed_in.hub.claims("erin", 0)

    @pytest.mark.parametrize("preferred", ["Ada.Lovelace", "scratch", "müller", "a/../b", "x" * 300])
    def test_unusual_names_become_safe_ones(self, signed_in: Gateway, preferred: str) -> None:
        signed_in.iam.add_user(preferred, ["users/naas"], password="secret-of-them")
        tokens = iam_login.sign_in(signed_in.iam, preferred, password="secret-of-them")
        identity = signed_in.hub.sign_in(sign_in_document(signed_in.iam, preferred, tokens))
        assert "---" in identity.name
        assert identity.preferred_username == preferred
        assert signed_in.hub.claims(identity.name, 0).groups == ["users/naas"]

    def test_the_same_name_at_the_same_moment_goes_to_one(self, signed_in: Gateway) -> None:
        for user in ("twin-one", "twin-two"):
            signed_in.iam.add_user(user, ["users/naas"])
        documents = [
            sign_in_document(signed_in.iam, "twin", iam_login.sign_in(signed_in.iam, user))
            for user in ("twin-one", "twin-two")
        ] * 4

        def sign_in(document: Any) -> str:
            try:
                return str(signed_in.hub.sign_in(document).subject)
            except Conflict:
                return "refused"

        with ThreadPoolExecutor(8) as pool:
            outcome = list(pool.map(sign_in, documents))
        assert len(set(outcome) - {"refused"}) == 1
        assert outcome.count("refused") == 4


class TestClaims:
    def test_they_are_read_again_when_older_than_wished(self, signed_in: Gateway, iam: EmbeddedIam) -> None:
        first = signed_in.hub.claims("alice", 0)
        iam.set_groups("alice", ["users/naas"])
        assert signed_in.hub.claims("alice", 3600) == first
        assert signed_in.hub.claims("alice", 0).groups == ["users/naas"]
        iam.set_groups("alice", ["users/naas", "users/s3", "developers"])
        assert signed_in.hub.claims("alice", 0).groups == ["developers", "users/naas", "users/s3"]

    def test_the_wlcg_profile_says_the_same(self, signed_in: Gateway, iam: EmbeddedIam) -> None:
        scope = "openid profile email offline_access wlcg wlcg.groups"
        signed_in.sign_in("dana", scope=scope)
        assert signed_in.hub.claims("dana", 0).groups == ["admins", "developers", "users/naas", "users/s3"]
        iam.set_groups("dana", [])
        assert signed_in.hub.claims("dana", 0).groups == []
        iam.set_groups("dana", ["admins", "users/naas", "users/s3", "developers"])
        signed_in.sign_in("dana")

    @pytest.mark.parametrize("groups", [["/"], ["users/naas", "a\nb"], ["x" * 256]], ids=["empty", "line", "long"])
    def test_groups_that_would_be_refused_at_sign_in_are_refused_later_too(
        self, signed_in: Gateway, iam: EmbeddedIam, groups: list[str]
    ) -> None:
        before = signed_in.hub.claims("bob", 3600)
        iam.set_groups("bob", groups)
        try:
            with pytest.raises(Forbidden, match="IAM's answer about this person cannot be used") as caught:
                signed_in.hub.claims("bob", 0)
        finally:
            iam.set_groups("bob", before.groups)
        assert caught.value.code == "malformed-claims"
        assert signed_in.hub.claims("bob", 0).groups == before.groups


class TestStopReasons:
    def test_they_wait_until_they_are_seen(self, signed_in: Gateway, hub: HubStandIn) -> None:
        reason = StopReason(username="bob", server="gpu", code="culled", message="Idle for 3 hours.", at=utcnow())
        signed_in.hub.add_stop_reason(reason)
        signed_in.hub.add_stop_reason(reason)  # a repetition
        assert signed_in.hub.user_stop_reasons("bob").items == [reason]
        client = signed_in.client(hub.user_token("bob"))
        assert client.stop_reasons().items == [reason]
        client.stop_reasons_seen()
        assert signed_in.hub.user_stop_reasons("bob").items == []
        assert client.stop_reasons().total == 1
        assert signed_in.client(hub.user_token("alice")).stop_reasons().items == []

    @pytest.mark.parametrize(
        "change", [{"username": "../x"}, {"code": "x" * 41}, {"message": "x" * 1001}, {"server": "x" * 64}]
    )
    def test_bad_ones_are_refused(self, signed_in: Gateway, change: dict[str, str]) -> None:
        reason = StopReason(username="bob", code="c", message="m", at=utcnow()).model_copy(update=change)
        with pytest.raises(InvalidInput):
            signed_in.hub.add_stop_reason(reason)


def test_openapi_describes_every_call(gateway: Gateway) -> None:
    document = call(gateway, "GET", "/openapi.json").json()
    described = {(m.upper(), path.removeprefix(API_PATH)) for path, ms in document["paths"].items() for m in ms}
    named = [
        *USER_CALLS,
        *[(m, p.replace("alice", "{name}")) for m, p in HUB_CALLS],
        ("GET", "/audit"),
        ("GET", "/health"),
        ("GET", "/client"),
    ]
    assert described == set(named)


def test_openapi_tells_users_how_to_call(gateway: Gateway) -> None:
    description = call(gateway, "GET", "/openapi.json").json()["info"]["description"]
    assert "Authorization: Bearer" in description
    assert "custom:naas:use" in description


def test_metrics_name_routes_not_people(signed_in: Gateway, hub: HubStandIn) -> None:
    url = f"{signed_in.url}/services/naas/metrics"
    text = httpx.get(url, headers={"Authorization": f"token {signed_in.hub_token}"}, trust_env=False).text
    assert 'naas_gateway_requests_total{method="GET",route="/hub/users/{name}/claims",status="200"}' in text
    assert "naas_gateway_refreshes" in text
    assert "alice" not in text


def test_health_names_what_is_missing(gateway: Gateway) -> None:
    with SyncGatewayClient(gateway.url + API_PATH, "") as client:
        health = client.health()
    assert health.status == "degraded"
    states = {part.name: part.state for part in health.parts}
    assert states == {"database": "ok", "iam": "ok", "store": "down", "hub": "ok"}


def test_no_token_is_in_the_log(signed_in: Gateway, hub: HubStandIn, eventually: Callable[..., Any]) -> None:
    tokens = signed_in.sign_in("alice")
    mine = hub.user_token("alice")
    given = signed_in.client(mine).token("object").access_token
    call(signed_in, "GET", f"/me?token={mine}", mine)
    log = signed_in.log.read_text()
    assert "sign-ins 200" in log
    for secret in (
        tokens.access_token,
        tokens.refresh_token,
        mine,
        given,
        signed_in.hub_token,
        signed_in.iam.client_secret,
    ):
        assert secret is not None
        assert secret not in log
    assert all(json.loads(line)["part"] == "gateway" for line in log.splitlines())
