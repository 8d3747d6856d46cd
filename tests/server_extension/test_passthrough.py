"""What is passed on to the gateway, and how little that is: named addresses, with limits, the token never shown."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from lab_server import Desk, Stack, jupyter
from naas_client.catalogue import LARGEST_CHECK, LARGEST_INPUTS
from naas_client.errors import ErrorAnswer
from naas_local.ports import LOOPBACK, free_port
from naas_server.gateway import LONGEST_ANSWER
from panel_stand_ins import HUB_TOKEN, Asked, Reply

pytestmark = pytest.mark.server
CHECK = "healthchecks/projects/12/checks/f618072a-7bde-4eee-af63-71a77c5723bc"


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must have our error shape."""
    body = ErrorAnswer.model_validate(answer.json()).error
    assert body.message
    assert body.request_id == answer.headers["x-request-id"]
    return answer.status_code, body.code


def test_an_answer_is_passed_on_with_the_hub_token_and_the_request_id(stack: Stack, api: httpx.Client) -> None:
    answer = api.get("me", headers={"X-Request-ID": "abcdef-0123456789"})
    assert answer.json() == {"name": "alice", "groups": ["users/naas", "users/s3", "developers"]}
    (asked,) = stack.gateway.asked
    assert asked.headers["Authorization"] == f"Bearer {HUB_TOKEN}"
    assert asked.headers["X-Request-ID"] == answer.headers["x-request-id"] == "abcdef-0123456789"
    assert "Cookie" not in asked.headers


def test_a_forged_request_id_is_replaced(stack: Stack, api: httpx.Client) -> None:
    answer = api.get("me", headers={"X-Request-ID": "x" * 300})
    assert len(answer.headers["x-request-id"]) == 16
    assert stack.gateway.asked[0].headers["X-Request-ID"] == answer.headers["x-request-id"]


def test_a_write_takes_its_body_along(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.says("tokens", {"access_token": "t", "audience": "object", "expires_at": "2026-11-21T15:00:00Z"})
    answer = api.post("tokens", json={"audience": "object"})
    assert answer.json()["audience"] == "object"
    assert stack.gateway.asked[0].body == b'{"audience":"object"}'


def test_inputs_of_a_service_may_be_large(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.says("catalogue/run-docker/validate", {"problems": []})
    body = {"inputs": {"compose": "x" * (LARGEST_INPUTS - 100)}}
    assert api.post("catalogue/run-docker/validate", json=body).status_code == 200
    assert json.loads(stack.gateway.asked[0].body) == body
    body = {"inputs": {"compose": "x" * LARGEST_CHECK}}
    assert error(api.post("catalogue/run-docker/validate", json=body)) == (413, "too-large")
    assert len(stack.gateway.asked) == 1


def test_only_known_parameters_are_passed(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.says("stop-reasons", {"items": [], "total": 0})
    api.get("stop-reasons", params={"limit": "5", "username": "bob", "1763712345": ""})
    assert stack.gateway.asked[0].path == "/api/v1/stop-reasons?limit=5"


def test_an_answer_without_content_stays_one(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.replies["stop-reasons/seen"] = lambda _asked: (204, {}, b"")
    assert (api.post("stop-reasons/seen").status_code, stack.gateway.asked[0].method) == (204, "POST")


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        ("GET", "healthchecks/projects", ""),
        ("POST", "healthchecks/projects", ""),
        ("PATCH", "healthchecks/projects/12", ""),
        ("DELETE", "healthchecks/projects/12", ""),
        ("GET", "healthchecks/checks", "?cursor=100&limit=100&search=a+b&state=down&tag=x"),
        ("POST", "healthchecks/projects/12/checks", ""),
        ("PATCH", CHECK, ""),
        ("DELETE", CHECK, ""),
        ("POST", f"{CHECK}/pause", ""),
        ("GET", f"{CHECK}/pings", "?cursor=100&limit=100"),
        ("GET", f"{CHECK}/pings/7/body", ""),
        ("GET", f"{CHECK}/flips", "?since=2026-11-01T00%3A00%3A00%2B00%3A00"),
        ("GET", f"{CHECK.rpartition('/')[0]}/{'0f' * 20}", ""),
        ("POST", "healthchecks/schedule/preview", ""),
        ("DELETE", "s3-keys/3", ""),
    ],
)
def test_addresses_of_single_things_are_passed_on_as_they_are(
    stack: Stack, api: httpx.Client, method: str, path: str, parameters: str
) -> None:
    stack.gateway.says(path, {})
    body = {"json": {"name": "x"}} if method in ("POST", "PATCH") else {}
    assert api.request(method, path + parameters, **body).status_code == 200
    (asked,) = stack.gateway.asked
    passed, _, query = asked.path.partition("?")
    assert (asked.method, passed) == (method, f"/api/v1/{path}")
    assert set(query.split("&")) == set(parameters.removeprefix("?").split("&"))
    assert asked.body == (b'{"name":"x"}' if body else b"")


@pytest.mark.parametrize(
    "path",
    [
        "healthchecks/projects/0/checks",
        "healthchecks/projects/1/checks/%2e%2e/%2e%2e/me",
        f"{CHECK}/pings/7/body/x",
        f"{CHECK}/keys",
        "s3-credentials",
        "hub/sign-ins",
        "hub/users/alice/claims",
        "audit",
        "",
        "me/",
        "tokens/../audit",
        "%2e%2e/hub/api",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_addresses_do_not_exist(stack: Stack, api: httpx.Client, path: str, method: str) -> None:
    answer = api.request(method, path)
    assert answer.status_code == 404
    assert not stack.gateway.asked


@pytest.mark.parametrize(("method", "path"), [("POST", "me"), ("GET", "tokens"), ("POST", "health"), ("DELETE", "me")])
def test_other_methods_are_refused(stack: Stack, api: httpx.Client, method: str, path: str) -> None:
    assert error(api.request(method, path)) == (405, "method-not-allowed")
    assert not stack.gateway.asked


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[1]", (400, "invalid-input")),
        (b"{", (400, "invalid-input")),
        (b"\xff\xfe", (400, "invalid-input")),
        (b"[" * 60_000, (400, "invalid-input")),
        (b'{"audience": "' + b"x" * 70_000 + b'"}', (413, "too-large")),
    ],
    ids=["a list", "broken", "not text", "deep", "large"],
)
def test_a_body_that_cannot_be_used_is_refused_here(
    stack: Stack, api: httpx.Client, body: bytes, expected: tuple[int, str]
) -> None:
    assert error(api.post("tokens", content=body, headers={"Content-Type": "application/json"})) == expected
    assert not stack.gateway.asked


def test_the_gateways_own_error_is_passed_on(stack: Stack, api: httpx.Client) -> None:
    body = {"error": {"code": "access-ended", "message": "Sign in again.", "request_id": "1234567890abcdef"}}
    stack.gateway.says("tokens", body, 403)
    answer = api.post("tokens", json={"audience": "object"})
    assert (answer.status_code, answer.json()) == (403, body)


def proxy_page(_asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return 503, {"Content-Type": "text/html"}, b"<h1>503</h1> token=secret"


def redirect(_asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return 302, {"Location": "http://127.0.0.1:1/steal"}, b""


def flood(_asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, b'"' + b"x" * LONGEST_ANSWER + b'"'


@pytest.mark.parametrize(
    ("reply", "code"), [(proxy_page, "unavailable"), (redirect, "unavailable"), (flood, "gateway-answer")]
)
def test_an_answer_that_is_not_the_gateways_is_not_shown(
    stack: Stack, api: httpx.Client, reply: Reply, code: str
) -> None:
    stack.gateway.replies["me"] = reply
    answer = api.get("me")
    assert error(answer) == (503, code)
    assert "secret" not in answer.text
    assert "steal" not in answer.text


def test_a_gateway_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    environment = {"NAAS_GATEWAY_URL": f"http://{LOOPBACK}:{free_port()}/api/v1", "JUPYTERHUB_API_TOKEN": HUB_TOKEN}
    with jupyter(Desk.at(tmp_path), **environment) as server, server.client() as api:
        assert error(api.get("me")) == (503, "gateway-down")
        assert api.get("storage").status_code == 200


def test_an_answer_that_breaks_off_is_an_error(stack: Stack, api: httpx.Client) -> None:
    cut = {"Content-Length": "100", "Content-Type": "application/json"}
    stack.gateway.replies["me"] = lambda _asked: (200, cut, b"{")
    assert error(api.get("me")) == (503, "gateway-down")


def test_strangers_learn_nothing(stack: Stack) -> None:
    with stack.jupyter.client(token="wrong") as stranger:
        for path in ("storage", "me", "events", "s3-credentials"):
            assert error(stranger.get(path)) == (403, "not-signed-in")
    assert not stack.gateway.asked


def test_a_write_by_cookie_needs_the_xsrf_token(stack: Stack) -> None:
    stack.gateway.says("stop-reasons/seen", {})
    with httpx.Client(base_url=stack.jupyter.url) as browser:
        browser.get("tree", params={"token": stack.jupyter.token}, follow_redirects=True)
        browser.get("login")
        forged = browser.post("naas/api/stop-reasons/seen", json={})
        assert error(forged) == (403, "forbidden")
        assert not stack.gateway.asked
        header = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.post("naas/api/stop-reasons/seen", json={}, headers=header).status_code == 200


def test_the_panels_polls_do_not_count_as_work(stack: Stack, api: httpx.Client) -> None:
    def last_activity() -> str:
        value: str = httpx.get(
            f"{stack.jupyter.url}api/status", params={"no_track_activity": 1}, headers=api.headers
        ).json()["last_activity"]
        return value

    before = last_activity()
    api.get("storage")
    api.get("health")
    assert last_activity() == before


def test_the_token_is_in_no_log(stack: Stack, api: httpx.Client) -> None:
    api.get("me")
    api.get("audit")
    assert HUB_TOKEN not in stack.jupyter.log.read_text()


def test_a_key_is_ended_by_its_number_alone(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.says("s3-keys/12", {"id": 12, "state": "ended"})
    assert api.delete("s3-keys/12").json() == {"id": 12, "state": "ended"}
    (asked,) = stack.gateway.asked
    assert (asked.method, asked.path, asked.headers["Authorization"]) == (
        "DELETE",
        "/api/v1/s3-keys/12",
        f"Bearer {HUB_TOKEN}",
    )
    for path in ("s3-keys/0", "s3-keys/12/x", "s3-keys/%2e%2e", "s3-keys/x", "s3-keys/12345678901", "admin/s3-keys"):
        assert api.delete(path).status_code == 404
    assert error(api.get("s3-keys/12")) == (405, "method-not-allowed")
    assert error(api.delete("s3-keys")) == (405, "method-not-allowed")
    assert len(stack.gateway.asked) == 1


def test_services_of_the_catalogue_are_asked_by_name(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.says("catalogue/run-docker/form", {"name": "docker/run_docker"})
    answer = api.get("catalogue/run-docker/form", params={"template": "docker/run_docker", "unknown": "y"})
    assert answer.json() == {"name": "docker/run_docker"}
    (asked,) = stack.gateway.asked
    assert asked.path == "/api/v1/catalogue/run-docker/form?template=docker%2Frun_docker"
    for path in ("catalogue/Run", "catalogue/%2e%2e", "catalogue/run-docker/icon", "admin/catalogue/problems"):
        assert api.get(path).status_code == 404
    assert error(api.get("catalogue/run-docker/validate")) == (405, "method-not-allowed")
    assert len(stack.gateway.asked) == 1
