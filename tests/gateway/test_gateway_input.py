"""Hostile input at the gateway's edge: one error shape, nothing half-made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from gateway_app import Gateway, HubStandIn
from gateway_calls import call, error_of
from naas_client.gateway import API_PATH

pytestmark = pytest.mark.server


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
