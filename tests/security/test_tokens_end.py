"""What a token opens, and that it opens nothing any more when its owner's access ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from hub_session import HubSession
from naas_local.iam import set_groups
from product import ACCESS_AGE, Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root]
API = "/services/naas/api/v1"
HUB_ANSWER = 10
"""Seconds that the gateway believes the hub's answer about a token."""

GROUPS = {"erin": ["users/naas"], "dana": ["admins", "users/naas", "users/s3", "developers"]}


@pytest.fixture
def groups(product: Product) -> Iterator[Callable[[str, list[str]], None]]:
    """Change somebody's groups in IAM until the end of the test."""
    yield lambda name, groups: set_groups(product.data / "iam", name, groups)
    for name, before in GROUPS.items():
        set_groups(product.data / "iam", name, before)


def token_of(session: HubSession, scopes: list[str] | None = None) -> str:
    answer = session.hub("POST", f"/users/{session.name}/tokens", json={"scopes": scopes} if scopes else {})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def status(product: Product, token: str, method: str, path: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{product.url}{path}", headers=headers, json={}).status_code


SERVERS_OWN = [
    ("GET", "/hub/api/users"),
    ("GET", "/hub/api/users/alice"),
    ("POST", "/hub/api/users/mallory"),
    ("PATCH", "/hub/api/users/bob"),
    ("POST", "/hub/api/users/bob/server"),
    ("DELETE", "/hub/api/users/bob/server"),
    ("POST", "/hub/api/users/bob/tokens"),
    ("GET", "/hub/api/users/bob/tokens"),
    ("POST", "/hub/api/users/alice/activity"),
    ("POST", "/hub/api/shares/bob/"),
    ("GET", "/hub/api/proxy"),
    ("GET", "/hub/api/services"),
    ("GET", "/hub/api/groups"),
    ("POST", "/hub/api/shutdown"),
    ("GET", f"{API}/audit"),
    ("GET", "/services/naas/metrics"),
    ("POST", f"{API}/hub/sign-ins"),
    ("POST", f"{API}/hub/stop-reasons"),
    ("GET", f"{API}/hub/users/bob/claims"),
    ("POST", f"{API}/hub/users/bob/sign-out"),
]


def test_a_servers_own_token_opens_little_more_than_the_platforms_api(
    product: Product, person: Callable[[str], HubSession]
) -> None:
    bob = person("bob")
    bob.start_server()
    with bob.kernel() as kernel:
        token = kernel.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()
    assert status(product, token, "GET", f"{API}/me") == 200
    for method, path in SERVERS_OWN:
        assert status(product, token, method, path) in (401, 403, 404), (method, path)
    assert bob.hub("GET", "/users/bob").json()["servers"], "it still runs"


def test_nobody_gives_a_token_more_than_they_have(person: Callable[[str], HubSession]) -> None:
    bob = person("bob")
    for name, scopes, code in (
        ("bob", ["custom:naas:admin"], 400),
        ("bob", ["admin:users"], 400),
        ("bob", ["access:servers!user=alice"], 400),
        ("alice", ["custom:naas:use"], 403),
    ):
        assert bob.hub("POST", f"/users/{name}/tokens", json={"scopes": scopes}).status_code == code, scopes


def test_a_token_made_earlier_ends_with_its_owners_access(
    product: Product, person: Callable[[str], HubSession], groups: Callable[[str, list[str]], None]
) -> None:
    token = token_of(person("erin"))
    calls = [("GET", f"{API}/me"), ("GET", "/hub/api/user")]
    assert [status(product, token, *call) for call in calls] == [200, 200]
    groups("erin", ["users/other"])

    def refused() -> bool:
        return all(status(product, token, *call) in (401, 403) for call in calls)

    wait_for(refused, "the end of erin's token", ACCESS_AGE + HUB_ANSWER + 5)
    assert status(product, token, "POST", "/hub/api/users/erin/server") == 403


def test_an_administrators_token_is_an_ordinary_one_when_its_owner_is_none_any_more(
    product: Product, person: Callable[[str], HubSession], groups: Callable[[str, list[str]], None]
) -> None:
    token = token_of(person("dana"), ["custom:naas:admin", "custom:naas:use", "list:users"])
    calls = [("GET", f"{API}/audit"), ("GET", "/hub/api/users")]
    assert [status(product, token, *call) for call in calls] == [200, 200]
    groups("dana", ["users/naas"])

    def ordinary() -> bool:
        return all(status(product, token, *call) == 403 for call in calls)

    wait_for(ordinary, "the end of dana's rights", ACCESS_AGE + HUB_ANSWER + 5)
    assert status(product, token, "GET", f"{API}/me") == 200
