"""IAM or gateway away: what still works, what is said, and that it comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from iam_login import browser, follow, post_form
from sign_in_stack import Stack, sign_in_stack
from waiting import wait_for

pytestmark = pytest.mark.server

WLCG = ["openid", "profile", "email", "offline_access", "wlcg", "wlcg.groups"]
"""This stack uses the other token profile: groups with a leading slash, in another claim."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose parts these tests stop."""
    folder: Path = tmp_path_factory.mktemp("down")
    with sign_in_stack(folder, {"iam": {"auth_refresh_age": 5, "scopes": WLCG}}) as running:
        yield running


@pytest.fixture
def window() -> Iterator[httpx.Client]:
    with browser() as client:
        yield client


def sign_in(stack: Stack, window: httpx.Client, name: str) -> httpx.Response:
    callback = f"{stack.url}/hub/oauth_callback"
    page = follow(window, window.get(f"{stack.url}/hub/oauth_login"), callback)
    if not page.has_redirect_location:
        page = follow(window, post_form(window, page, username=name, password=name), callback)
    return window.get(page.headers["location"])


def login_page(stack: Stack) -> str:
    return httpx.get(f"{stack.url}/hub/login").text


def signed_in(stack: Stack, window: httpx.Client) -> bool:
    same_origin = {"Referer": f"{stack.url}/hub/home", "Sec-Fetch-Site": "same-origin"}
    return window.get(f"{stack.url}/hub/api/user", headers=same_origin).status_code == 200


def test_the_hub_starts_without_iam_says_so_and_recovers_alone(stack: Stack, window: httpx.Client) -> None:
    stack.stop("hub")
    stack.iam.stop()
    stack.start("hub")
    login = window.get(f"{stack.url}/hub/login")
    assert login.status_code == 200
    assert "INDIGO IAM does not answer" in login.text
    assert window.get(f"{stack.url}/hub/oauth_login").status_code == 503
    wait_for(lambda: "sign-in works as soon as IAM answers" in stack.log("hub"), "the warning in the log")
    stack.iam.start()
    wait_for(lambda: "does not answer" not in window.get(f"{stack.url}/hub/login").text, "the recovery", 30)
    assert sign_in(stack, window, "alice").status_code == 302
    assert signed_in(stack, window)


def test_without_the_gateway_nobody_comes_in_and_nobody_is_thrown_out(stack: Stack, window: httpx.Client) -> None:
    assert sign_in(stack, window, "alice").status_code == 302
    stack.stop("gateway")
    try:
        with browser() as other:
            answer = sign_in(stack, other, "bob")
            assert answer.status_code == 503
            assert "gateway does not answer" in answer.text
            assert f'href="{stack.url}/hub/oauth_login"' in answer.text
            assert not signed_in(stack, other)
        wait_for(lambda: "the last ones hold" in stack.log("hub") or not signed_in(stack, window), "a refresh", 15)
        assert signed_in(stack, window)
    finally:
        stack.start("gateway")
    with browser() as other:
        assert sign_in(stack, other, "bob").status_code == 302


def test_without_iam_a_session_goes_on_and_a_sign_out_still_ends_it(stack: Stack, window: httpx.Client) -> None:
    assert sign_in(stack, window, "alice").status_code == 302
    stack.iam.stop()
    try:
        assert signed_in(stack, window)
        assert window.get(f"{stack.url}/hub/home").status_code == 200
        # the hub finds out within seconds; before, it would send the browser to an IAM that is not there
        wait_for(lambda: "does not answer" in login_page(stack), "the hub's knowledge that IAM is away", 15)
        answer = window.get(f"{stack.url}/hub/logout")
        assert (answer.status_code, "signed out" in answer.text) == (200, True)
        assert not signed_in(stack, window)
    finally:
        stack.iam.start()
