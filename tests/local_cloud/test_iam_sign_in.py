"""Signing in at the embedded IAM with a browser: the page, the code flow with PKCE, and what is refused."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from iam_login import (
    authorization_code,
    authorize,
    browser,
    claims_of,
    follow,
    post_form,
    sign_in,
    token,
    userinfo,
)
from naas_local.iam import DEMO_GROUPS, EmbeddedIam

pytestmark = pytest.mark.server

VERIFIER = secrets.token_urlsafe(48)


def login_page(iam: EmbeddedIam, window: httpx.Client, **parameters: str | None) -> httpx.Response:
    page = follow(window, authorize(iam, window, VERIFIER, **parameters), iam.redirect_uri)
    assert page.status_code == 200, page.text
    return page


def redirected(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


@pytest.mark.parametrize(("username", "groups"), DEMO_GROUPS.items())
def test_every_demo_user_signs_in_with_the_own_name(iam: EmbeddedIam, username: str, groups: list[str]) -> None:
    found = userinfo(iam, sign_in(iam, username).access_token).json()
    assert (found["preferred_username"], found["groups"]) == (username, groups)


def test_the_page_names_the_service_lists_the_demo_users_and_loads_nothing_from_elsewhere(iam: EmbeddedIam) -> None:
    iam.add_user("not-a-demo-user")
    with browser() as window:
        page = login_page(iam, window)
    assert "<title>INDIGO IAM (embedded, for trying out)</title>" in page.text
    assert "<b>Cloud notebooks</b>" in page.text
    assert all(f'<th scope="row">{name}</th>' in page.text for name in DEMO_GROUPS)
    assert "not-a-demo-user" not in page.text
    for field in ("username", "password"):
        assert f'<label for="{field}">' in page.text
    assert "http" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "bob"),
        ("alice", ""),
        ("nobody", "nobody"),
        ('"><script>alert(1)</script>', "x"),
        ("__proto__", "__proto__"),
    ],
)
def test_a_wrong_password_is_401_and_keeps_the_name(iam: EmbeddedIam, username: str, password: str) -> None:
    with browser() as window:
        page = login_page(iam, window)
        answer = post_form(window, page, username=username, password=password)
        assert answer.status_code == 401
        assert 'role="alert"' in answer.text
        escaped = username.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
        assert f'value="{escaped}"' in answer.text
        assert "<script>alert" not in answer.text
        assert post_form(window, answer, username="alice", password="alice").has_redirect_location


def test_cancel_goes_back_with_access_denied(iam: EmbeddedIam) -> None:
    with browser() as window:
        answer = post_form(window, login_page(iam, window), cancel="yes")
        assert redirected(follow(window, answer, iam.redirect_uri))["error"] == "access_denied"


@pytest.mark.parametrize("origin", ["http://evil.example.org", "http://127.0.0.1:1", "null"])
def test_a_form_from_another_site_signs_nobody_in(iam: EmbeddedIam, origin: str) -> None:
    with browser() as window:
        page = login_page(iam, window)
        fields = {"username": "alice", "password": "alice"}
        assert window.post(str(page.url), data=fields, headers={"Origin": origin}).status_code == 403
        assert window.post(str(page.url), data=fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_sign_in_page_belongs_to_the_browser_that_opened_it(iam: EmbeddedIam) -> None:
    with browser() as window, browser() as other:
        page = login_page(iam, window)
        login_page(iam, other)
        answer = post_form(other, page, username="alice", password="alice")
    assert answer.status_code == 400
    assert "too old" in answer.text


def test_the_second_sign_in_of_a_browser_needs_no_password(iam: EmbeddedIam) -> None:
    with browser() as window:
        sign_in(iam, "alice", window=window)
        answer = authorize(iam, window, VERIFIER)
        assert answer.headers["location"].startswith(iam.redirect_uri)
        assert login_page(iam, window, prompt="login").status_code == 200


def test_nobody_signed_in_and_prompt_none_is_login_required(iam: EmbeddedIam) -> None:
    with browser() as window:
        assert redirected(authorize(iam, window, VERIFIER, prompt="none"))["error"] == "login_required"


def test_state_and_nonce_come_back(iam: EmbeddedIam) -> None:
    with browser() as window:
        page = login_page(iam, window, state="S1")
        answer = follow(window, post_form(window, page, username="bob", password="bob"), iam.redirect_uri)
    assert redirected(answer)["state"] == "S1"
    tokens = sign_in(iam, "bob", nonce="N1")
    assert tokens.id_token
    claims = claims_of(tokens.id_token)
    assert (claims["nonce"], claims["aud"]) == ("N1", iam.client_id)


@pytest.mark.parametrize(
    "parameters",
    [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}],
    ids=["no challenge", "plain"],
)
def test_pkce_with_s256_is_required_of_the_hub(iam: EmbeddedIam, parameters: dict[str, str | None]) -> None:
    with browser() as window:
        assert redirected(authorize(iam, window, VERIFIER, **parameters))["error"] == "invalid_request"


@pytest.mark.parametrize("verifier", [None, "x" * 43], ids=["none", "another"])
def test_a_code_is_worth_nothing_without_its_verifier(iam: EmbeddedIam, verifier: str | None) -> None:
    with browser() as window:
        code = authorization_code(iam, window, "alice", "alice", VERIFIER)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": iam.redirect_uri}
    answer = token(iam, **fields, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_used_twice_ends_the_grant(iam: EmbeddedIam) -> None:
    with browser() as window:
        code = authorization_code(iam, window, "alice", "alice", VERIFIER)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": iam.redirect_uri,
    }
    first, second = token(iam, **fields), token(iam, **fields)
    assert (first.status_code, second.json()["error"]) == (200, "invalid_grant")
    assert userinfo(iam, first.json()["access_token"]).status_code == 401


@pytest.mark.parametrize(
    "address", ["http://evil.example.org/hub/oauth_callback", "http://127.0.0.1:8000/hub/oauth_callback/x"]
)
def test_a_foreign_redirect_address_gets_nothing(iam: EmbeddedIam, address: str) -> None:
    with browser() as window:
        answer = authorize(iam, window, VERIFIER, redirect_uri=address)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "username",
    ["scratch", "Alice/../root", "..", "\u0430lice", "a" * 300, "<b>x</b>", "constructor", "with space"],
    ids=["reserved", "path", "dots", "look-alike", "300", "html", "object member", "space"],
)
def test_any_user_name_signs_in_as_it_is_spelt(iam: EmbeddedIam, username: str) -> None:
    subject = iam.add_user(username, ["users/naas"])
    found = userinfo(iam, sign_in(iam, username).access_token).json()
    assert (found["preferred_username"], found["sub"]) == (username, subject)


def test_a_password_of_ones_own(iam: EmbeddedIam) -> None:
    iam.add_user("frank", password="another")
    assert sign_in(iam, "frank", password="another").access_token
    with browser() as window:
        assert post_form(window, login_page(iam, window), username="frank", password="frank").status_code == 401
