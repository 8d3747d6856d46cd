"""Dynamic client registration at IAM's address (RFC 7591, RFC 7592)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from iam_login import authorization_code, authorize, browser, follow, post_form, token
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server

CALLBACK = "http://127.0.0.1:9999/callback"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASKED = {
    "client_name": "paas:1234",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile offline_access",
}


def register(iam: EmbeddedIam, **more: Any) -> httpx.Response:
    return httpx.post(f"{iam.url}/iam/api/client-registration", json={**ASKED, **more})


def test_a_registered_client_signs_people_in(iam: EmbeddedIam) -> None:
    client = register(iam).json()
    asked: dict[str, str | None] = {"client_id": client["client_id"], "redirect_uri": CALLBACK}
    asked |= {"scope": ASKED["scope"], "code_challenge": None, "code_challenge_method": None}  # type: ignore[dict-item]
    with browser() as window:
        code = authorization_code(iam, window, "alice", "alice", "unused", **asked)
    secret = (client["client_id"], client["client_secret"])
    answer = token(iam, secret, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
    assert answer.json()["refresh_token"]


@pytest.mark.parametrize("answer", ["no", ""])
def test_a_person_who_is_signed_in_is_asked_before_a_registered_client_may_act_for_them(
    iam: EmbeddedIam, answer: str
) -> None:
    """Anybody can register a client; without the question, one click on its link would give it the person's tokens."""
    client = register(iam, client_name='<script>alert("hub")</script>').json()
    with browser() as window:
        authorization_code(iam, window, "alice", "alice", "v" * 43)
        asked = {
            "client_id": client["client_id"],
            "redirect_uri": CALLBACK,
            "scope": ASKED["scope"],
            "audience": "naas",
        }
        page = follow(window, authorize(iam, window, "unused", **asked), CALLBACK)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert CALLBACK in page.text, "the name is the client's own choice, the address is not"
        end = follow(window, post_form(window, page, allow=answer), CALLBACK)
    assert "error=access_denied" in end.headers["location"]
    assert "code=" not in end.headers["location"]


def test_a_registered_client_gets_nothing_without_a_question(iam: EmbeddedIam) -> None:
    client = register(iam).json()
    with browser() as window:
        authorization_code(iam, window, "alice", "alice", "v" * 43)
        asked = {"client_id": client["client_id"], "redirect_uri": CALLBACK, "scope": "openid", "prompt": "none"}
        end = follow(window, authorize(iam, window, "unused", **asked), CALLBACK)
    assert "error=consent_required" in end.headers["location"]


def test_its_token_reads_changes_and_deletes_it_also_after_a_restart(iam: EmbeddedIam) -> None:
    client = register(iam).json()
    address = client["registration_client_uri"]
    assert address == f"{iam.url}/iam/api/client-registration/{client['client_id']}"
    with httpx.Client(headers={"Authorization": f"Bearer {client['registration_access_token']}"}) as owner:
        iam.kill()
        iam.start()
        assert owner.get(address).json()["redirect_uris"] == [CALLBACK]
        changed = owner.put(
            address, json={**ASKED, "client_id": client["client_id"], "redirect_uris": [f"{CALLBACK}2"]}
        )
        assert changed.status_code == 200, changed.text
        assert owner.get(address).json()["redirect_uris"] == [f"{CALLBACK}2"]
        assert owner.delete(address).status_code == 204
        assert owner.get(address).status_code == 401


def test_another_clients_token_opens_nothing(iam: EmbeddedIam) -> None:
    one, other = register(iam).json(), register(iam).json()
    headers = {"Authorization": f"Bearer {other['registration_access_token']}"}
    assert httpx.get(one["registration_client_uri"], headers=headers).status_code == 401
    assert httpx.get(one["registration_client_uri"]).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"grant_types": ["authorization_code", EXCHANGE]},
        {"grant_types": ["authorization_code", "password"]},
        {"grant_types": ["client_credentials"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": []},
        {"scope": "openid admin:write"},
    ],
    ids=["token exchange", "password", "client credentials", "script", "no address", "unknown scope"],
)
def test_what_nobody_may_register(iam: EmbeddedIam, change: dict[str, Any]) -> None:
    answer = register(iam, **change)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}


def test_a_change_cannot_add_token_exchange_either(iam: EmbeddedIam) -> None:
    client = register(iam).json()
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    body = {**ASKED, "client_id": client["client_id"], "grant_types": ["authorization_code", EXCHANGE]}
    assert httpx.put(client["registration_client_uri"], json=body, headers=headers).status_code == 400


@pytest.mark.parametrize("body", ["[]", "{", "null", '"x"'])
def test_a_body_that_is_no_object(iam: EmbeddedIam, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{iam.url}/iam/api/client-registration", content=body, headers=headers).status_code == 400
