"""Projects of the embedded Healthchecks: made for a person by the administrator, with keys that are shown once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHealthchecks]:
    with embedded_healthchecks(tmp_path_factory.mktemp("checks")) as running:
        yield running


def checks(server: EmbeddedHealthchecks, key: str) -> httpx.Response:
    return httpx.get(f"{server.url}/api/v3/checks/", headers={"X-Api-Key": key})


def channels(server: EmbeddedHealthchecks, owner: str) -> set[tuple[str, str]]:
    return {(one["kind"], one["name"]) for one in server.admin("GET", f"/{owner}").json()["channels"]}


def test_keys_are_shown_once_and_kept_nowhere(server: EmbeddedHealthchecks) -> None:
    made = server.admin("PUT", "/alice", json={"name": "Alice's", "email": "alice@example.org"})
    again = server.admin("PUT", "/alice", json={})
    assert made.status_code == 201
    assert again.status_code == 200
    assert again.json() == {"owner": "alice", "name": "Alice's"}
    files = b"".join(file.read_bytes() for file in server.data.iterdir()) + server.log.read_bytes()
    for kind in ("api_key", "api_key_readonly", "ping_key"):
        assert made.json()[kind].encode() not in files
    assert checks(server, made.json()["api_key"]).json() == {"checks": []}
    assert channels(server, "alice") == {("lab", "Lab")}, "without a mail server there is no channel by e-mail"


def test_a_mail_server_that_comes_later_gives_people_a_channel(tmp_path: Path) -> None:
    mail = {"host": "127.0.0.1", "port": 2525, "security": "none", "sender": "naas@example.org"}
    with embedded_healthchecks(tmp_path) as server:
        key = server.project("alice", email="alice@example.org")["api_key"]
        server.project("bob")
        made = httpx.post(f"{server.url}/api/v3/checks/", headers={"X-Api-Key": key}, json={"channels": "*"}).json()
    for _ in range(2):
        with embedded_healthchecks(tmp_path, mail=mail) as server:
            assert channels(server, "alice") == {("lab", "Lab"), ("email", "alice@example.org")}
            assert channels(server, "bob") == {("lab", "Lab")}
            (check,) = checks(server, key).json()["checks"]
            assert len(check["channels"].split(",")) == 2
            assert made["channels"] in check["channels"]
            server.project("carol", email="carol@example.org")
            assert channels(server, "carol") == {("lab", "Lab"), ("email", "carol@example.org")}
    with embedded_healthchecks(tmp_path, mail=mail) as server:
        for given, then in (
            ({}, "alice@example.org"),
            ({"email": "new@example.org"}, "new@example.org"),
            ({"email": ""}, ""),
            ({"email": "again@example.org"}, "again@example.org"),
        ):
            assert server.admin("PUT", "/alice", json=given).status_code == 200
            assert channels(server, "alice") - {("lab", "Lab")} == ({("email", then)} if then else set())


def test_new_keys_end_those_before(server: EmbeddedHealthchecks) -> None:
    old = server.project("bob")
    new = server.admin("POST", "/bob/keys").json()
    assert checks(server, old["api_key"]).json() == {"error": "wrong api key"}
    assert checks(server, old["api_key_readonly"]).status_code == 401
    assert checks(server, new["api_key"]).status_code == 200


def test_a_project_ends_with_its_checks(server: EmbeddedHealthchecks) -> None:
    key = server.project("carol")["api_key"]
    made = httpx.post(f"{server.url}/api/v3/checks/", headers={"X-Api-Key": key}, json={}).json()
    assert server.admin("DELETE", "/carol").status_code == 204
    assert checks(server, key).status_code == 401
    assert httpx.get(made["ping_url"]).status_code == 404
    assert server.admin("DELETE", "/carol").status_code == 404


def test_only_the_administrator_makes_projects(server: EmbeddedHealthchecks) -> None:
    person = server.project("erin")["api_key"]
    for key in ("", "Bearer x", f"Bearer {person}", "Bearer \xff", f"Basic {server.admin_key}"):
        headers = {"Authorization": key.encode("latin-1")} if key else {}
        assert httpx.put(f"{server.url}/api/projects/mallory", headers=headers, json={}).status_code == 401
    assert server.admin("GET", "/mallory").status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        {"email": "no address"},
        {"email": "a@example.org\r\nBcc: all@example.org"},
        {"name": "x" * 101},
        {"unknown": 1},
        [],
    ],
)
def test_a_wrong_request_makes_nothing(server: EmbeddedHealthchecks, given: object) -> None:
    assert server.admin("PUT", "/nobody", json=given).status_code == 400
    assert server.admin("GET", "/nobody").status_code == 404


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "webhook", "value": "ftp://example.org"}, "begins with http"),
        ({"kind": "webhook", "value": "http://"}, "begins with http"),
        ({"kind": "webhook", "value": "http://a b/"}, "begins with http"),
        ({"kind": "email", "value": "alice"}, "no e-mail address"),
        ({"kind": "email", "value": "alice@example.org"}, "Set mail.host"),
        ({"kind": "sms", "value": "+39"}, "kind"),
    ],
)
def test_a_channel_that_leads_nowhere_is_not_made(server: EmbeddedHealthchecks, given: object, why: str) -> None:
    server.admin("PUT", "/channels", json={})
    answer = server.admin("POST", "/channels/channels", json=given)
    assert answer.status_code == 400
    assert why in answer.json()["error"]
    assert channels(server, "channels") == {("lab", "Lab")}


def test_a_channel_is_taken_away(server: EmbeddedHealthchecks) -> None:
    server.admin("PUT", "/taken", json={})
    made = server.admin(
        "POST", "/taken/channels", json={"kind": "webhook", "name": "hook", "value": "https://example.org/x"}
    )
    assert made.status_code == 201
    assert channels(server, "taken") == {("lab", "Lab"), ("webhook", "hook")}
    path = f"/taken/channels/{made.json()['id']}"
    assert [server.admin("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert channels(server, "taken") == {("lab", "Lab")}
