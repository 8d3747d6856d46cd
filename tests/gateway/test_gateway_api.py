"""What the hub's calls and the public pages of the API answer, and that no token is in logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import iam_login
import pytest
from gateway_app import Gateway, HubStandIn, sign_in_document
from gateway_calls import HUB_CALLS, USER_CALLS, call, template
from naas_client.errors import Conflict, Forbidden, InvalidInput, NotFound
from naas_client.gateway import API_PATH, SyncGatewayClient
from naas_client.models import StopReason
from naas_gateway.clock import utcnow
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server


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
        *[(m, template(p)) for m, p in (*USER_CALLS, *HUB_CALLS)],
        ("GET", "/audit"),
        ("GET", "/admin/catalogue/problems"),
        ("GET", "/admin/s3-keys"),
        ("DELETE", "/admin/s3-keys/{key_id}"),
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
