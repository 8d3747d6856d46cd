"""Requests to join a group, by program and by browser."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from iam_login import browser, follow, post_form, sign_in, userinfo
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server

PATH = "/iam/group_requests"


def api(iam: EmbeddedIam, username: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {sign_in(iam, username).access_token}", "Accept": "application/json"}
    return httpx.Client(base_url=iam.url, headers=headers)


@pytest.fixture
def newcomer(iam: EmbeddedIam, request: pytest.FixtureRequest) -> str:
    name = f"new-{abs(hash(request.node.nodeid))}"
    iam.add_user(name)
    return name


def pending(iam: EmbeddedIam, name: str, **more: Any) -> dict[str, Any]:
    with api(iam, name) as own:
        answer = own.post(PATH, json={"groupName": "users/naas", "notes": "for my thesis", **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_request_is_pending_and_only_ones_own(iam: EmbeddedIam, newcomer: str) -> None:
    request = pending(iam, newcomer)
    assert (request["username"], request["groupName"], request["notes"]) == (newcomer, "users/naas", "for my thesis")
    assert request["status"] == "PENDING"
    with api(iam, newcomer) as own, api(iam, "bob") as other, api(iam, "dana") as admin:
        assert own.get(PATH).json()["Resources"] == [request]
        assert other.get(PATH).json()["totalResults"] == 0
        assert request in admin.get(PATH).json()["Resources"]


@pytest.mark.parametrize(
    ("verb", "status", "groups"), [("approve", "APPROVED", ["users/naas"]), ("reject", "REJECTED", [])]
)
def test_an_administrator_decides(iam: EmbeddedIam, newcomer: str, verb: str, status: str, groups: list[str]) -> None:
    request = pending(iam, newcomer)
    with api(iam, "dana") as admin:
        assert admin.post(f"{PATH}/{request['uuid']}/{verb}").json()["status"] == status
        assert admin.post(f"{PATH}/{request['uuid']}/approve").status_code == 400
    assert userinfo(iam, sign_in(iam, newcomer).access_token).json()["groups"] == groups


def test_nobody_else_decides(iam: EmbeddedIam, newcomer: str) -> None:
    request = pending(iam, newcomer)
    for name in (newcomer, "bob"):
        with api(iam, name) as client:
            assert client.post(f"{PATH}/{request['uuid']}/approve").status_code == 403
    assert userinfo(iam, sign_in(iam, newcomer).access_token).json()["groups"] == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"groupName": "no/such/group"}, "no group"),
        ({"groupName": ""}, "no group"),
        ({}, "no group"),
        ({"groupName": ["users/naas", "admins"]}, "no group"),
        ({"groupName": "users/naas", "notes": "x" * 1001}, "Shorten"),
    ],
)
def test_a_request_that_cannot_be(iam: EmbeddedIam, newcomer: str, body: dict[str, Any], sentence: str) -> None:
    with api(iam, newcomer) as own:
        answer = own.post(PATH, json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert sentence in answer.json()["error_description"]
        assert own.get(PATH).json()["totalResults"] == 0


def test_asking_twice_or_for_what_one_has(iam: EmbeddedIam, newcomer: str) -> None:
    pending(iam, newcomer)
    with api(iam, newcomer) as own, api(iam, "alice") as member:
        assert "waiting" in own.post(PATH, json={"groupName": "/users/naas"}).json()["error_description"]
        assert "already" in member.post(PATH, json={"groupName": "users/naas"}).json()["error_description"]


@pytest.mark.parametrize(
    "authorization", ["", "Bearer nonsense", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic YWxpY2U6YWxpY2U="]
)
def test_strangers_are_asked_to_sign_in(iam: EmbeddedIam, authorization: str) -> None:
    headers = {"Authorization": authorization, "Accept": "application/json"}
    assert httpx.get(f"{iam.url}{PATH}", headers=headers).status_code == 401
    assert httpx.post(f"{iam.url}{PATH}", json={"groupName": "users/naas"}, headers=headers).status_code == 401


# --- in the browser -------------------------------------------------------------------------------------------------


def open_signed_in(iam: EmbeddedIam, window: httpx.Client, username: str, path: str) -> httpx.Response:
    login = follow(window, window.get(f"{iam.url}{path}"), "-")
    assert "<h1>Sign in</h1>" in login.text
    return follow(window, post_form(window, login, username=username, password=username), "-")


def test_from_the_hubs_link_to_the_managers_decision(iam: EmbeddedIam, newcomer: str) -> None:
    with browser() as window, browser() as managers:
        page = open_signed_in(iam, window, newcomer, f"{PATH}/new?group=users/naas")
        assert "<h1>Ask to join users/naas</h1>" in page.text
        mine = follow(window, post_form(window, page, notes="<i>please</i>"), "-")
        assert "waiting for a decision" in mine.text
        assert "&lt;i&gt;please" in mine.text
        assert "waiting for a decision" in follow(window, window.get(f"{iam.url}{PATH}/new?group=users/naas"), "-").text
        everybody = open_signed_in(iam, managers, "dana", "/")
        action = everybody.text.split(newcomer, 1)[1].split('action="', 1)[1].split('"', 1)[0]
        assert action.endswith("/approve")
        managers.post(f"{iam.url}{action}", headers={"Origin": iam.url})
        assert "approved" in window.get(f"{iam.url}{PATH}").text
    assert userinfo(iam, sign_in(iam, newcomer).access_token).json()["groups"] == ["users/naas"]


def test_a_foreign_page_sends_no_request_in_somebodys_name(iam: EmbeddedIam, newcomer: str) -> None:
    with browser() as window:
        open_signed_in(iam, window, newcomer, PATH)
        for headers in ({"Origin": "http://127.0.0.1:8000"}, {"Sec-Fetch-Site": "same-site"}):
            answer = window.post(f"{iam.url}{PATH}", data={"groupName": "users/naas"}, headers=headers)
            assert answer.status_code == 403
        assert "no request yet" in window.get(f"{iam.url}{PATH}").text


@pytest.mark.parametrize("state", ["http://evil.example.org/", "//evil.example.org", "/iam/group_requests.evil", ""])
def test_signing_in_leads_only_to_our_own_pages(iam: EmbeddedIam, state: str) -> None:
    answer = httpx.get(f"{iam.url}/iam/signed-in", params={"state": state})
    assert answer.headers["location"] == PATH


def test_an_unknown_group_in_a_link_is_escaped(iam: EmbeddedIam) -> None:
    with browser() as window:
        page = open_signed_in(iam, window, "bob", f"{PATH}/new?group=<script>alert(1)</script>")
    assert page.status_code == 400
    assert "<script>alert" not in page.text
