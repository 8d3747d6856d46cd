"""Plain requests to the gateway, as a stranger or a broken client makes them."""

from __future__ import annotations

from typing import Any

import httpx
from gateway_app import Gateway
from naas_client.gateway import API_PATH

CHECK_ID = "f618072a-7bde-4eee-af63-71a77c5723bc"
CHECK = f"/healthchecks/projects/1/checks/{CHECK_ID}"
HOST = "harbor.example.org"
"""In the place of a registry's host in a path."""

USER_CALLS = [
    ("GET", "/me"),
    ("POST", "/tokens"),
    ("POST", "/s3-credentials"),
    ("GET", "/storage"),
    ("GET", "/storage/usage"),
    ("GET", "/gpus"),
    ("GET", "/events"),
    ("GET", "/s3-keys"),
    ("POST", "/s3-keys"),
    ("DELETE", "/s3-keys/1"),
    ("GET", "/registry-logins"),
    ("PUT", f"/registry-logins/{HOST}"),
    ("DELETE", f"/registry-logins/{HOST}"),
    ("GET", "/images"),
    ("GET", "/images/tags"),
    ("GET", "/catalogue"),
    ("GET", "/catalogue/run-docker"),
    ("GET", "/catalogue/run-docker/icon"),
    ("GET", "/catalogue/run-docker/form"),
    ("POST", "/catalogue/run-docker/validate"),
    ("GET", "/stop-reasons"),
    ("POST", "/stop-reasons/seen"),
    ("GET", "/healthchecks/projects"),
    ("POST", "/healthchecks/projects"),
    ("PATCH", "/healthchecks/projects/1"),
    ("DELETE", "/healthchecks/projects/1"),
    ("GET", "/healthchecks/checks"),
    ("GET", "/healthchecks/projects/1/checks"),
    ("POST", "/healthchecks/projects/1/checks"),
    ("GET", CHECK),
    ("PATCH", CHECK),
    ("DELETE", CHECK),
    ("POST", f"{CHECK}/pause"),
    ("POST", f"{CHECK}/resume"),
    ("GET", f"{CHECK}/pings"),
    ("GET", f"{CHECK}/pings/1/body"),
    ("GET", f"{CHECK}/flips"),
    ("GET", "/healthchecks/projects/1/channels"),
    ("GET", "/healthchecks/projects/1/badges"),
    ("POST", "/healthchecks/schedule/preview"),
]

HUB_CALLS = [
    ("POST", "/hub/sign-ins"),
    ("GET", "/hub/users/alice/claims"),
    ("POST", "/hub/users/alice/sign-out"),
    ("POST", "/hub/users/alice/storage"),
    ("GET", "/hub/gpus"),
    ("PUT", "/hub/gpus"),
    ("POST", "/hub/users/alice/gpus"),
    ("DELETE", "/hub/users/alice/gpus"),
    ("GET", f"/hub/users/alice/registry-logins/{HOST}"),
    ("GET", "/hub/users/alice/images"),
    ("GET", "/hub/users/alice/images/tags"),
    ("POST", "/hub/stop-reasons"),
    ("GET", "/hub/users/alice/stop-reasons"),
]
BODIES: dict[str, Any] = {
    "/healthchecks/projects": {"name": "mine", "api_key": "x" * 32},
    "/healthchecks/projects/1/checks": {"name": "x"},
    "/healthchecks/schedule/preview": {"schedule": "* * * * *"},
    "/s3-keys": {"description": "backup", "days": 7},
    "/tokens": {"audience": "object"},
    "/catalogue/run-docker/validate": {"inputs": {}},
    "/hub/users/alice/gpus": {"flavour": "A100"},
    "/hub/stop-reasons": {"username": "alice", "code": "admin", "message": "m", "at": "2026-01-01T00:00:00Z"},
}


def template(path: str) -> str:
    """The path as the API's description has it."""
    named = {
        "s3-keys/1": "s3-keys/{key_id}",
        "projects/1": "projects/{project_id}",
        CHECK_ID: "{check_id}",
        "pings/1": "pings/{n}",
        HOST: "{registry}",
        "run-docker": "{name}",
        "/users/alice": "/users/{name}",
    }
    for value, name in named.items():
        path = path.replace(value, name)
    return path


def call(gateway: Gateway, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
    body = (
        {"json": BODIES[path]} if method == "POST" and path in BODIES and not {"json", "content"} & set(options) else {}
    )
    with httpx.Client(base_url=gateway.url + API_PATH, timeout=20, trust_env=False) as client:
        return client.request(method, path, headers=headers, **body, **options)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()["error"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["message"].endswith((".", "json."))
    return answer.status_code, body["code"]
