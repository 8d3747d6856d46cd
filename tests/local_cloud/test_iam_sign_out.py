"""RP-initiated logout: back at the hub, signed out at IAM, with the grant left to its owner."""

from __future__ import annotations

import httpx
import pytest
from iam_login import authorize, browser, follow, post_form, refresh, sign_in
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server


def leave(iam: EmbeddedIam, window: httpx.Client, **parameters: str) -> httpx.Response:
    return window.get(f"{iam.url}/endsession", params=parameters)


def signed_in(iam: EmbeddedIam, window: httpx.Client) -> bool:
    answer = authorize(iam, window, "v" * 43, prompt="none")
    return "code=" in answer.headers["location"]


@pytest.mark.parametrize("path", ["", "/", "/hub/", "/hub/login", "/hub/home", "/hub/logout"])
def test_the_hub_signs_a_person_out_without_a_click(iam: EmbeddedIam, path: str) -> None:
    target = f"{iam.hub_url}{path}"
    with browser() as window:
        tokens = sign_in(iam, "alice", window=window)
        assert signed_in(iam, window)
        page = leave(iam, window, client_id=iam.client_id, post_logout_redirect_uri=target, state="S2")
        assert "requestSubmit" in page.text
        answer = post_form(window, page, logout="yes")
        assert answer.headers["location"] == f"{iam.hub_url}{path or '/'}?state=S2"
        assert not signed_in(iam, window)
    assert tokens.refresh_token
    assert refresh(iam, tokens.refresh_token).access_token


def test_an_id_token_hint_works_too(iam: EmbeddedIam) -> None:
    with browser() as window:
        tokens = sign_in(iam, "alice", window=window)
        assert tokens.id_token
        page = leave(iam, window, id_token_hint=tokens.id_token, post_logout_redirect_uri=f"{iam.hub_url}/hub/")
        assert post_form(window, page, logout="yes").headers["location"] == f"{iam.hub_url}/hub/"


def test_a_bare_link_asks_first(iam: EmbeddedIam) -> None:
    with browser() as window:
        sign_in(iam, "alice", window=window)
        page = leave(iam, window)
        assert "<script>" not in page.text
        assert signed_in(iam, window)
        page = leave(iam, window)
        assert "You are signed out" in follow(window, post_form(window, page, logout="yes"), "-").text
        assert not signed_in(iam, window)


def test_a_foreign_address_to_go_back_to_is_refused(iam: EmbeddedIam) -> None:
    with browser() as window:
        sign_in(iam, "alice", window=window)
        page = leave(iam, window, client_id=iam.client_id, post_logout_redirect_uri="http://evil.example.org/")
        assert page.status_code == 400
        assert signed_in(iam, window)


def test_who_is_not_signed_in_goes_straight_back(iam: EmbeddedIam) -> None:
    with browser() as window:
        page = leave(iam, window, client_id=iam.client_id, post_logout_redirect_uri=f"{iam.hub_url}/hub/")
        assert post_form(window, page).headers["location"] == f"{iam.hub_url}/hub/"
