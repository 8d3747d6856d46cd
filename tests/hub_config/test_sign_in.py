"""Signing in through the real hub, proxy, gateway and IAM, as a browser does it."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from iam_login import browser, follow, post_form
from naas_client.files import write_private
from naas_client.names import hub_name
from sign_in_stack import Stack
from waiting import wait_for

pytestmark = pytest.mark.server
CONTACT = "cloud-support@example.org"

EVIL = [
    "https://evil.example/",
    "//evil.example/",
    "\\\\evil.example/",
    "/\\evil.example",
    "///evil.example",
    "https:evil.example",
]
EVIL += [
    "http:///evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "http://127.0.0.1@evil.example/",
    " //evil.example",
    "%2f%2fevil.example",
]


@pytest.fixture
def window() -> Iterator[httpx.Client]:
    """A browser without cookies."""
    with browser() as client:
        yield client


def to_iam(stack: Stack, window: httpx.Client, **query: str) -> httpx.Response:
    """Click on "Sign in": IAM's login page, or already the way back."""
    first = window.get(f"{stack.url}/hub/oauth_login", params=query)
    return follow(window, first, f"{stack.url}/hub/oauth_callback")


def way_back(stack: Stack, window: httpx.Client, name: str, password: str | None = None, **query: str) -> str:
    """The address with which IAM sends the browser back to the hub."""
    answer = to_iam(stack, window, **query)
    if not answer.has_redirect_location:
        posted = post_form(window, answer, username=name, password=password or name)
        answer = follow(window, posted, f"{stack.url}/hub/oauth_callback")
    return answer.headers["location"]


def sign_in(stack: Stack, window: httpx.Client, name: str, **query: str) -> httpx.Response:
    """A whole sign-in; the hub's answer to the way back."""
    return window.get(way_back(stack, window, name, **query))


def me(stack: Stack, window: httpx.Client) -> dict[str, object]:
    """Who the hub says this browser is."""
    answer = window.get(
        f"{stack.url}/hub/api/user", headers={"Referer": f"{stack.url}/hub/home", "Sec-Fetch-Site": "same-origin"}
    )
    return answer.json() if answer.status_code == 200 else {}


def grants(stack: Stack, name: str) -> int:
    """How many refresh tokens of a person IAM still honours, by its own journal."""
    people = json.loads((stack.iam.data / "users.json").read_text())["users"]
    subject = next(person["sub"] for person in people if person["username"] == name)
    alive = set()
    for kind, key, entry in map(json.loads, (stack.iam.data / "journal.jsonl").read_text().splitlines()):
        if kind == "RefreshToken" and entry is None:
            alive.discard(key)
        elif kind == "RefreshToken" and entry["payload"]["accountId"] == subject:
            alive.add(key)
    return len(alive)


@pytest.mark.parametrize(
    ("name", "groups", "admin"),
    [
        ("alice", {"users/naas", "users/s3", "developers"}, False),
        ("erin", {"users/naas"}, False),
        ("dana", {"users/naas", "users/s3", "developers", "admins"}, True),
    ],
)
def test_who_comes_in(stack: Stack, window: httpx.Client, name: str, groups: set[str], admin: bool) -> None:
    answer = sign_in(stack, window, name)
    assert answer.status_code == 302
    user = me(stack, window)
    assert (user["name"], set(user["groups"]), user["admin"]) == (name, groups, admin)  # type: ignore[arg-type]
    scopes = set(user["scopes"])  # type: ignore[call-overload]
    assert "custom:naas:use" in scopes
    assert ("custom:naas:admin" in scopes) is admin
    assert user.get("auth_state") is None


def test_who_is_refused_reads_why(stack: Stack, window: httpx.Client) -> None:
    answer = sign_in(stack, window, "carol")
    assert answer.status_code == 403
    assert me(stack, window) == {}
    page = answer.text
    assert "users/naas" in page
    assert "https://iam.example.org/join" in page
    assert "Notebooks &lt;b&gt;with&lt;/b&gt; storage" in page
    assert CONTACT in page
    reference = re.search(r"R-[2-9A-HJ-NP-Z]{4}-\d\d", page)
    assert reference
    wait_for(lambda: reference[0] in stack.log("hub"), "the reference in the log")
    with sqlite3.connect(stack.folder / "hub.sqlite") as database:
        assert ("carol",) not in database.execute("SELECT name FROM users").fetchall()
    with sqlite3.connect(stack.folder / "gateway.sqlite") as database:
        assert ("carol",) not in database.execute("SELECT name FROM identities").fetchall()
    wait_for(lambda: grants(stack, "carol") == 0, "the revocation of carol's grant")


def test_who_is_refused_gets_in_after_joining(stack: Stack, window: httpx.Client) -> None:
    stack.iam.add_user("newcomer", ["others"])
    page = sign_in(stack, window, "newcomer")
    assert page.status_code == 403
    again = re.search(r'href="([^"]*/hub/oauth_login)"', page.text)
    assert again
    stack.iam.set_groups("newcomer", ["others", "users/naas"])
    answer = follow(window, window.get(again[1]), f"{stack.url}/hub/oauth_callback")
    assert answer.has_redirect_location, "no password is asked for again"
    assert window.get(answer.headers["location"]).status_code == 302
    assert me(stack, window)["name"] == "newcomer"


def test_another_account_can_be_used(stack: Stack, window: httpx.Client) -> None:
    sign_in(stack, window, "carol")
    page = to_iam(stack, window, account="other")
    assert not page.has_redirect_location, "IAM asks who it is, though carol is signed in there"


@pytest.mark.parametrize("preferred", ["Weird.Name", "a/b", "..", "аlice", "x" * 300, "scratch"])
def test_any_name_of_iam_gets_a_safe_one_here(stack: Stack, window: httpx.Client, preferred: str) -> None:
    stack.iam.add_user(preferred, ["users/naas"], password="p")
    location = way_back(stack, window, preferred, "p")
    assert window.get(location).status_code == 302
    assert me(stack, window)["name"] == hub_name(preferred)


def test_a_name_stays_with_whoever_had_it_first(stack: Stack, window: httpx.Client) -> None:
    first = stack.iam.add_user("twin", ["users/naas"])
    sign_in(stack, window, "twin")
    file = stack.iam.data / "users.json"
    write_private(file, file.read_text().replace(first, str(uuid.uuid4())))
    with browser() as other:
        answer = sign_in(stack, other, "twin")
        assert answer.status_code == 409
        assert "twin" in answer.text
        assert me(stack, other) == {}
    assert me(stack, window)["name"] == "twin"


def test_auth_state_in_the_database_is_encrypted_and_the_log_holds_no_token(stack: Stack, window: httpx.Client) -> None:
    location = way_back(stack, window, "alice")
    window.get(location)
    code = parse_qs(urlsplit(location).query)["code"][0]
    with sqlite3.connect(stack.folder / "hub.sqlite") as database:
        (state,) = database.execute("SELECT encrypted_auth_state FROM users WHERE name='alice'").fetchone()
    assert state
    assert b"alice" not in state
    log = stack.log("hub")
    assert code not in log
    for name in ("client-secret", "hub-token", "proxy-token", "cookie-secret", "crypt-key"):
        assert stack.secret(name) not in log
    assert not re.search(r"eyJ[\w-]{10,}\.", log)


@pytest.mark.parametrize("next_url", EVIL)
def test_a_way_out_to_another_host_is_not_followed(stack: Stack, window: httpx.Client, next_url: str) -> None:
    for answer in (
        sign_in(stack, window, "alice", next=next_url),
        window.get(f"{stack.url}/hub/login", params={"next": next_url}),
    ):
        assert answer.status_code == 302
        target = urlsplit(urljoin(f"{stack.url}/hub/", answer.headers["location"].replace("\\", "/")))
        assert f"{target.scheme}://{target.netloc}" == stack.url


@pytest.mark.parametrize("next_url", ["/hub/home", "/hub/token", "/user/alice/lab?reset"])
def test_the_way_to_a_page_of_ours_is_followed(stack: Stack, window: httpx.Client, next_url: str) -> None:
    assert sign_in(stack, window, "alice", next=next_url).headers["location"] == next_url


def test_the_sign_in_uses_pkce_state_and_nonce_and_they_are_new_each_time(stack: Stack, window: httpx.Client) -> None:
    asked = []
    for _ in range(2):
        answer = window.get(f"{stack.url}/hub/oauth_login")
        asked.append({key: value[0] for key, value in parse_qs(urlsplit(answer.headers["location"]).query).items()})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
    for query in asked:
        assert query["code_challenge_method"] == "S256"
        assert query["redirect_uri"] == f"{stack.url}/hub/oauth_callback"
        assert all(len(query[key]) >= 43 for key in ("state", "nonce", "code_challenge"))
    assert all(asked[0][key] != asked[1][key] for key in ("state", "nonce", "code_challenge"))


def changed(**changes: str | None) -> Callable[[str], str]:
    """A way back with other parameters; None leaves one out."""

    def change(location: str) -> str:
        parts = urlsplit(location)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()} | changes
        return str(httpx.URL(location, params={key: value for key, value in query.items() if value is not None}))

    return change


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        (changed(state="another"), 400, "not begun in this browser"),
        (changed(state=None), 400, "not begun in this browser"),
        (changed(state="ß"), 400, "not begun in this browser"),
        (changed(code=None), 400, "not begun in this browser"),
        (changed(code="x" * 43), 400, "did not accept the sign-in"),
        (changed(iss="https://iam.example.com/"), 400, "not from the IAM that was asked"),
        (changed(iss=None), 400, "not from the IAM that was asked"),  # this IAM says that it always names itself
        (changed(error="access_denied", code=None), 403, "was cancelled"),
        (changed(error="server_error", code=None), 503, "does not answer"),
        (changed(error="invalid_scope", error_description="Call <b>555</b>", code=None), 400, "did not accept"),
    ],
)
def test_a_way_back_that_is_not_as_it_should_be(
    stack: Stack, window: httpx.Client, change: Callable[[str], str], status: int, text: str
) -> None:
    answer = window.get(change(way_back(stack, window, "alice")))
    assert (answer.status_code, me(stack, window)) == (status, {})
    assert text in answer.text
    assert f'href="{stack.url}/hub/oauth_login"' in answer.text, "there is a way to try again"
    assert "555" not in answer.text
    assert "Traceback" not in answer.text


def test_a_way_back_works_once_and_in_one_browser(stack: Stack, window: httpx.Client) -> None:
    location = way_back(stack, window, "alice")
    with browser() as other:
        assert other.get(location).status_code == 400
        assert me(stack, other) == {}
    assert window.get(location).status_code == 302
    assert window.get(location).status_code == 400


def test_a_request_id_goes_through_hub_and_gateway(stack: Stack, window: httpx.Client) -> None:
    given = "request-of-a-test-0001"
    answer = window.get(way_back(stack, window, "alice"), headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    for part in ("hub", "gateway"):
        wait_for(lambda part=part: given in stack.log(part), f"the request id in the log of {part}")


@pytest.mark.parametrize("page", ["login", "oauth_login"])
def test_nobody_signs_in_by_a_form_of_the_hub(stack: Stack, window: httpx.Client, page: str) -> None:
    window.get(f"{stack.url}/hub/login", headers={"Sec-Fetch-Mode": "navigate"})
    xsrf = next(cookie.value for cookie in window.cookies.jar if cookie.name == "_xsrf")
    form = {"_xsrf": str(xsrf), "username": "dana", "password": "dana"}
    headers = {"Referer": f"{stack.url}/hub/login", "Sec-Fetch-Site": "same-origin"}
    assert window.post(f"{stack.url}/hub/{page}", data=form, headers=headers).status_code == 405
    assert me(stack, window) == {}


def test_nobody_signs_in_by_the_api_with_a_password(stack: Stack, window: httpx.Client) -> None:
    window.get(f"{stack.url}/hub/login", headers={"Sec-Fetch-Mode": "navigate"})
    xsrf = next(cookie.value for cookie in window.cookies.jar if cookie.name == "_xsrf")
    headers = {"Referer": f"{stack.url}/hub/login", "Sec-Fetch-Site": "same-origin", "X-XSRFToken": str(xsrf)}
    body = {"auth": {"username": "dana", "password": "dana"}}
    assert window.post(f"{stack.url}/hub/api/users/dana/tokens", json=body, headers=headers).status_code == 403


def test_pages_cannot_be_framed(stack: Stack, window: httpx.Client) -> None:
    answer = window.get(f"{stack.url}/hub/login")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_sign_out_ends_the_session_here_and_leads_to_iam(stack: Stack, window: httpx.Client) -> None:
    sign_in(stack, window, "erin")
    answer = window.get(f"{stack.url}/hub/logout")
    at_iam = urlsplit(answer.headers["location"])
    query = parse_qs(at_iam.query)
    assert f"{at_iam.scheme}://{at_iam.netloc}" == stack.iam.url
    assert query == {"client_id": ["naas-hub"], "post_logout_redirect_uri": [f"{stack.url}/hub/login"]}
    assert me(stack, window) == {}
    hub = {"Authorization": f"Bearer {stack.secret('hub-token')}"}
    claims = httpx.get(
        f"{stack.settings['gateway']['url']}/services/naas/api/v1/hub/users/erin/claims?max_age=0", headers=hub
    )
    assert (claims.status_code, claims.json()["error"]["code"]) == (403, "access-ended")


def test_another_site_cannot_sign_anybody_out(stack: Stack, window: httpx.Client) -> None:
    sign_in(stack, window, "alice")
    answer = window.get(f"{stack.url}/hub/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["location"] == "/hub/home"
    assert me(stack, window)["name"] == "alice"


def test_a_new_group_arrives_and_a_lost_one_ends_the_session(stack: Stack, window: httpx.Client) -> None:
    stack.iam.add_user("mover", ["users/naas"])
    sign_in(stack, window, "mover")
    stack.iam.set_groups("mover", ["users/naas", "developers"])
    wait_for(lambda: "developers" in me(stack, window).get("groups", []), "the new group", 15)  # type: ignore[operator]
    stack.iam.set_groups("mover", ["developers"])
    wait_for(lambda: not me(stack, window), "the end of the session", 15)
    page = window.get(f"{stack.url}/hub/home")
    assert (page.status_code, "/hub/login" in page.headers["location"]) == (302, True)


def test_an_administrator_who_is_none_any_more(stack: Stack, window: httpx.Client) -> None:
    stack.iam.add_user("deputy", ["admins"])
    sign_in(stack, window, "deputy")
    assert me(stack, window)["admin"]
    stack.iam.set_groups("deputy", ["users/naas"])
    wait_for(lambda: me(stack, window).get("admin") is False, "the end of the office", 15)
    assert "custom:naas:admin" not in me(stack, window)["scopes"]  # type: ignore[operator]


def test_a_hub_token_ends_with_the_access(stack: Stack, window: httpx.Client) -> None:
    stack.iam.add_user("leaver", ["users/naas"])
    sign_in(stack, window, "leaver")
    home = {"Referer": f"{stack.url}/hub/home", "Sec-Fetch-Site": "same-origin"}
    window.get(f"{stack.url}/hub/home")
    xsrf = next(cookie.value for cookie in window.cookies.jar if cookie.name == "_xsrf" and cookie.path == "/hub/")
    made = window.post(f"{stack.url}/hub/api/users/leaver/tokens", json={}, headers={**home, "X-XSRFToken": str(xsrf)})
    assert made.status_code == 201, made.text
    token = {"Authorization": f"token {made.json()['token']}"}

    def status() -> int:
        return httpx.get(f"{stack.url}/hub/api/user", headers=token).status_code

    assert status() == 200
    stack.iam.set_active("leaver", False)
    wait_for(lambda: status() == 403, "the end of the token", 15)
