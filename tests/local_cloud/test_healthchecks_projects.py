"""Projects of the embedded Healthchecks: made for a person by the administrator, with keys that are shown once."""

from __future__ import annotations

from collections.abc import Iterator

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
    assert {(one["kind"], one["name"]) for one in server.admin("GET", "/alice").json()["channels"]} == {
        ("lab", "Lab"),
        ("email", "alice@example.org"),
    }


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
