"""The device flow (RFC 8628) of the command line's public client."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from iam_login import SCOPE, browser, claims_of, follow, form_fields, post_form, userinfo
from naas_local.iam import CLI_CLIENT, EmbeddedIam

pytestmark = pytest.mark.server

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def begin(iam: EmbeddedIam, **more: str) -> dict[str, Any]:
    answer = httpx.post(f"{iam.url}/devicecode", data={"client_id": CLI_CLIENT, "scope": SCOPE, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ask(iam: EmbeddedIam, code: str, **more: str) -> httpx.Response:
    return httpx.post(
        f"{iam.url}/token", data={"client_id": CLI_CLIENT, "grant_type": DEVICE, "device_code": code, **more}
    )


def confirm_page(iam: EmbeddedIam, window: httpx.Client, user_code: str) -> httpx.Response:
    page = post_form(window, window.get(f"{iam.url}/device"), user_code=user_code)
    assert "NaaS command line" in page.text
    return page


def test_the_codes_and_where_to_type_them(iam: EmbeddedIam) -> None:
    codes = begin(iam)
    assert codes["verification_uri"] == f"{iam.url}/device"
    assert codes["verification_uri_complete"] == f"{iam.url}/device?user_code={codes['user_code']}"
    assert codes["expires_in"] == 600


def test_who_types_the_code_and_signs_in_gives_the_device_a_grant(iam: EmbeddedIam) -> None:
    codes = begin(iam, audience="naas")
    assert ask(iam, codes["device_code"]).json()["error"] == "authorization_pending"
    with browser() as window:
        login = follow(window, post_form(window, confirm_page(iam, window, codes["user_code"])), "-")
        assert "<h1>Sign in</h1>" in login.text
        done = follow(window, post_form(window, login, username="alice", password="alice"), "-")
        assert "Device connected" in done.text
    tokens = ask(iam, codes["device_code"]).json()
    assert claims_of(tokens["access_token"])["aud"] == "naas"
    assert userinfo(iam, tokens["access_token"]).json()["preferred_username"] == "alice"
    again = {"client_id": CLI_CLIENT, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = httpx.post(f"{iam.url}/token", data=again).json()
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert ask(iam, codes["device_code"]).json()["error"] == "invalid_grant"


def test_the_complete_address_goes_straight_to_the_question(iam: EmbeddedIam) -> None:
    codes = begin(iam)
    with browser() as window:
        page = window.get(codes["verification_uri_complete"])
        asked = post_form(window, page)
        assert codes["user_code"] in asked.text
        assert form_fields(asked)["confirm"] == "yes"


def test_a_refusal_reaches_the_device(iam: EmbeddedIam) -> None:
    codes = begin(iam)
    with browser() as window:
        page = post_form(window, confirm_page(iam, window, codes["user_code"]), abort="yes")
    assert "You refused" in page.text
    assert ask(iam, codes["device_code"]).json()["error"] == "access_denied"


def test_an_unknown_code_is_said_and_escaped(iam: EmbeddedIam) -> None:
    with browser() as window:
        page = post_form(window, window.get(f"{iam.url}/device"), user_code='"><b>x')
    assert 'role="alert"' in page.text
    assert "<b>x" not in page.text


def test_the_form_without_its_own_token_changes_nothing(iam: EmbeddedIam) -> None:
    codes = begin(iam)
    with browser() as window:
        window.get(f"{iam.url}/device")
        answer = window.post(f"{iam.url}/device", data={"user_code": codes["user_code"], "confirm": "yes"})
    assert answer.status_code == 400
    assert ask(iam, codes["device_code"]).json()["error"] == "authorization_pending"
