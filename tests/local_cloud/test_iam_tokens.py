"""The life of a grant at the embedded IAM: audiences, rotation, reuse, exchange, introspection, revocation, expiry."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from iam_login import (
    ACCESS_TOKEN_TYPE,
    TOKEN_EXCHANGE,
    Tokens,
    authorization_code,
    browser,
    claims_of,
    exchange,
    refresh,
    sign_in,
    token,
    userinfo,
)
from naas_local.iam import EmbeddedIam, embedded_iam

pytestmark = pytest.mark.server

NAMES = ["audience", "aud", "resource"]


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    error: str = answer.json()["error"]
    return error


def try_refresh(iam: EmbeddedIam, refresh_token: str | None, **fields: str) -> httpx.Response:
    return token(iam, grant_type="refresh_token", refresh_token=refresh_token, **fields)


def post(iam: EmbeddedIam, path: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{iam.url}{path}", data=fields, auth=(iam.client_id, iam.client_secret))


def introspect(iam: EmbeddedIam, value: str) -> dict[str, Any]:
    found: dict[str, Any] = post(iam, "/introspect", token=value).json()
    return found


@pytest.fixture
def alice(iam: EmbeddedIam) -> Tokens:
    return sign_in(iam, "alice")


# --- audience -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_audience_asked_at_authorize_stays_through_refreshes(iam: EmbeddedIam, name: str) -> None:
    verifier = secrets.token_urlsafe(48)
    with browser() as window:
        code = authorization_code(iam, window, "alice", "alice", verifier, **{name: "object"})
    grant = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    first = token(iam, **grant, redirect_uri=iam.redirect_uri).json()
    assert claims_of(first["access_token"])["aud"] == "object"
    assert claims_of(refresh(iam, first["refresh_token"]).access_token)["aud"] == "object"


@pytest.mark.parametrize("name", NAMES)
def test_an_audience_asked_at_refresh_is_for_that_token_alone(iam: EmbeddedIam, alice: Tokens, name: str) -> None:
    answer = try_refresh(iam, alice.refresh_token, **{name: "object"}).json()
    assert claims_of(answer["access_token"])["aud"] == "object"
    assert "aud" not in claims_of(refresh(iam, answer["refresh_token"]).access_token)


@pytest.mark.parametrize("name", NAMES)
def test_an_audience_asked_with_the_code(iam: EmbeddedIam, name: str) -> None:
    verifier = secrets.token_urlsafe(48)
    with browser() as window:
        code = authorization_code(iam, window, "alice", "alice", verifier)
    grant = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, name: "object"}
    answer = token(iam, **grant, redirect_uri=iam.redirect_uri).json()
    assert claims_of(answer["access_token"])["aud"] == "object"


def test_several_audiences_are_a_list(iam: EmbeddedIam) -> None:
    assert claims_of(sign_in(iam, "alice", audience="object naas").access_token)["aud"] == ["object", "naas"]


@pytest.mark.parametrize("audience", ["x" * 513, "ob\u00e9ject", "a\nb"])
def test_an_unusable_audience_is_refused_and_the_token_not_used_up(
    iam: EmbeddedIam, alice: Tokens, audience: str
) -> None:
    assert refused(try_refresh(iam, alice.refresh_token, audience=audience)) == "invalid_target"
    assert try_refresh(iam, alice.refresh_token).status_code == 200


@pytest.mark.parametrize("audience", [None, "object", "naas"])
def test_userinfo_takes_a_token_of_any_audience(iam: EmbeddedIam, audience: str | None) -> None:
    assert userinfo(iam, sign_in(iam, "alice", audience=audience).access_token).status_code == 200


# --- refresh --------------------------------------------------------------------------------------------------------


def test_only_offline_access_gives_a_refresh_token(iam: EmbeddedIam) -> None:
    assert sign_in(iam, "alice").refresh_token
    assert sign_in(iam, "alice", scope="openid profile").refresh_token is None


def test_refresh_tokens_rotate_and_reuse_ends_the_grant(iam: EmbeddedIam, alice: Tokens) -> None:
    assert alice.refresh_token
    second = refresh(iam, alice.refresh_token)
    assert second.refresh_token != alice.refresh_token
    assert refused(try_refresh(iam, alice.refresh_token)) == "invalid_grant"
    assert refused(try_refresh(iam, second.refresh_token)) == "invalid_grant"
    assert userinfo(iam, second.access_token).status_code == 401


def test_reuse_ends_that_grant_only(iam: EmbeddedIam, alice: Tokens) -> None:
    other = sign_in(iam, "alice")
    assert alice.refresh_token
    assert other.refresh_token
    refresh(iam, alice.refresh_token)
    assert refused(try_refresh(iam, alice.refresh_token)) == "invalid_grant"
    assert refresh(iam, other.refresh_token).access_token


def test_of_simultaneous_uses_of_one_refresh_token_at_most_one_wins(iam: EmbeddedIam) -> None:
    for _ in range(5):
        value = sign_in(iam, "bob").refresh_token
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, v=value: try_refresh(iam, v), range(8)))
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) <= 1
        assert {answer.json()["error"] for answer in answers if answer not in won} == {"invalid_grant"}
        for answer in won:
            assert refused(try_refresh(iam, answer.json()["refresh_token"])) == "invalid_grant"


def test_a_refresh_may_narrow_the_scope_but_not_widen_it(iam: EmbeddedIam) -> None:
    tokens = sign_in(iam, "alice", scope="openid email offline_access")
    assert tokens.refresh_token
    narrow = refresh(iam, tokens.refresh_token, scope="openid")
    assert set(userinfo(iam, narrow.access_token).json()) == {"sub"}
    answer = try_refresh(iam, narrow.refresh_token, scope="openid profile")
    assert refused(answer) == "invalid_scope"


def test_who_is_suspended_gets_no_new_token(iam: EmbeddedIam) -> None:
    iam.add_user("leaving", ["users/naas"])
    tokens = sign_in(iam, "leaving")
    iam.set_active("leaving", False)
    assert userinfo(iam, tokens.access_token).status_code == 401
    assert refused(try_refresh(iam, tokens.refresh_token)) == "invalid_grant"
    iam.set_active("leaving", True)
    assert try_refresh(iam, tokens.refresh_token).status_code == 200


# --- token exchange -------------------------------------------------------------------------------------------------


def test_exchange_gives_a_grant_of_its_own(iam: EmbeddedIam, alice: Tokens) -> None:
    assert alice.refresh_token
    own = exchange(iam, alice.access_token, audience="object")
    assert own.refresh_token
    claims = claims_of(own.access_token)
    assert (claims["aud"], claims["act"]) == ("object", {"sub": iam.client_id})
    assert claims["sub"] == claims_of(alice.access_token)["sub"]
    assert claims_of(refresh(iam, own.refresh_token).access_token)["aud"] == "object"
    assert refused(try_refresh(iam, own.refresh_token)) == "invalid_grant"
    assert refresh(iam, alice.refresh_token).access_token


def test_exchange_without_offline_access_gives_no_refresh_token(iam: EmbeddedIam, alice: Tokens) -> None:
    assert exchange(iam, alice.access_token, audience="naas", scope="openid profile").refresh_token is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"subject_token": "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"}, "invalid_grant"),
        ({"subject_token": "nonsense"}, "invalid_grant"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"scope": "openid admin:write"}, "invalid_scope"),
        ({"audience": "\u00e9"}, "invalid_target"),
    ],
)
def test_an_exchange_that_cannot_be(iam: EmbeddedIam, alice: Tokens, change: dict[str, str], error: str) -> None:
    fields = {"subject_token": alice.access_token, "subject_token_type": ACCESS_TOKEN_TYPE, "scope": "openid"}
    assert refused(token(iam, grant_type=TOKEN_EXCHANGE, **{**fields, **change})) == error


def test_an_id_token_is_not_an_access_token(iam: EmbeddedIam, alice: Tokens) -> None:
    assert alice.id_token
    fields = {"subject_token": alice.id_token, "subject_token_type": ACCESS_TOKEN_TYPE}
    assert refused(token(iam, grant_type=TOKEN_EXCHANGE, **fields)) == "invalid_grant"
    assert userinfo(iam, alice.id_token).status_code == 401


# --- introspection and revocation -----------------------------------------------------------------------------------


def test_introspection_says_who_it_is_as_scopes_allow(iam: EmbeddedIam) -> None:
    tokens = sign_in(iam, "bob", audience="object")
    found = introspect(iam, tokens.access_token)
    assert found["active"] is True
    assert (found["preferred_username"], found["email"]) == ("bob", "bob@example.org")
    assert (found["groups"], found["aud"], found["client_id"]) == (["users/naas", "users/s3"], "object", iam.client_id)
    assert "groups" not in introspect(iam, sign_in(iam, "bob", scope="openid").access_token)
    assert tokens.refresh_token
    assert introspect(iam, tokens.refresh_token)["active"] is True


@pytest.mark.parametrize("value", ["nonsense", "eyJhbGciOiJub25lIn0.e30.", "~", "eyJ"])
def test_introspection_of_anything_else_is_inactive(iam: EmbeddedIam, value: str) -> None:
    assert introspect(iam, value) == {"active": False}


def test_the_identifier_of_a_token_is_not_a_token(iam: EmbeddedIam, alice: Tokens) -> None:
    identifier = claims_of(alice.access_token)["jti"]
    assert introspect(iam, identifier) == {"active": False}
    assert userinfo(iam, identifier).status_code == 401


def test_revoking_a_refresh_token_ends_the_grant(iam: EmbeddedIam, alice: Tokens) -> None:
    assert alice.refresh_token
    assert post(iam, "/revoke", token=alice.refresh_token, token_type_hint="refresh_token").status_code == 200
    assert refused(try_refresh(iam, alice.refresh_token)) == "invalid_grant"
    assert userinfo(iam, alice.access_token).status_code == 401
    assert introspect(iam, alice.access_token) == {"active": False}


def test_revoking_an_access_token_leaves_the_grant(iam: EmbeddedIam, alice: Tokens) -> None:
    assert alice.refresh_token
    assert post(iam, "/revoke", token=alice.access_token).status_code == 200
    assert introspect(iam, alice.access_token) == {"active": False}
    assert refresh(iam, alice.refresh_token).access_token


def test_revoking_what_is_not_known_is_no_error(iam: EmbeddedIam) -> None:
    assert post(iam, "/revoke", token="never-seen").status_code == 200


# --- lifetimes ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    folder = tmp_path_factory.mktemp("iam")
    with embedded_iam(folder, access_token_seconds=1, refresh_token_seconds=2) as running:
        yield running


def wait_past(moment: float) -> None:
    while time.time() <= moment:
        time.sleep(0.02)


def test_lifetimes_are_exact(short: EmbeddedIam) -> None:
    tokens = sign_in(short, "alice")
    claims = claims_of(tokens.access_token)
    assert (tokens.expires_in, claims["exp"] - claims["iat"]) == (1, 1)
    wait_past(claims["exp"])
    assert userinfo(short, tokens.access_token).status_code == 401
    assert introspect(short, tokens.access_token) == {"active": False}
    wait_past(claims["iat"] + 2.1)
    assert refused(try_refresh(short, tokens.refresh_token)) == "invalid_grant"


def test_each_rotation_gives_a_full_life(short: EmbeddedIam) -> None:
    value = sign_in(short, "alice").refresh_token
    end = time.time() + 3
    while time.time() < end:
        assert value
        value = refresh(short, value).refresh_token
        wait_past(time.time() + 0.5)
