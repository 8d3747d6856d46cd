"""The sign-in proxy with the real hub, gateway and IAM, before an application on a real WSGI server that believes its header."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from header_application import Application, serving
from hub_session import HubSession
from naas_client.files import secret_file
from naas_client.settings import SharedSettings
from naas_client.sign_in import SignInSection
from naas_gateway.sign_in_proxy.app import SignInProxy
from naas_gateway.sign_in_proxy.application import Application as Passed
from naas_local.ports import free_port
from sign_in_stack import Stack, sign_in_stack
from waiting import wait_for

pytestmark = pytest.mark.server
HTML = {"Accept": "text/html"}
ACCESS_AGE = 5
"""Seconds of ``iam.auth_refresh_age``."""


class Behind:
    """The stack with an application behind the proxy. ``url``: the proxy's."""

    def __init__(self, stack: Stack, application: Application, upstream: str) -> None:
        self.stack, self.application, self.upstream = stack, application, upstream
        self.url: str = stack.settings["healthchecks"]["sign_in"]["public_url"]

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def raw(self, request: bytes) -> bytes:
        """What the proxy answers to these bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as channel:
            channel.sendall(request)
            answer = b""
            while part := channel.recv(65536):
                answer += part
        return answer

    def users(self) -> set[str]:
        """Everybody whom the application has taken somebody for."""
        return {seen.get("HTTP_X_REMOTE_EMAIL", "") for seen in self.application.seen}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("sign-in-proxy")
    secret_file(folder / "sign-in-token")
    application, port = Application(), free_port()
    with serving(application) as upstream:
        address = f"http://127.0.0.1:{port}"
        proxy = {"listen": address, "public_url": address, "upstream": upstream}
        proxy["token_file"] = str(folder / "sign-in-token")
        more: dict[str, dict[str, Any]] = {
            "iam": {"auth_refresh_age": ACCESS_AGE},
            "site": {"contact": "cloud-support@example.org"},
            "healthchecks": {"sign_in": proxy},
            "capabilities": {"healthchecks": ["users/naas"]},
        }
        with sign_in_stack(folder, more) as stack:
            yield Behind(stack, application, upstream)


@pytest.fixture(autouse=True)
def _forget(behind: Behind) -> None:
    behind.application.seen.clear()
    behind.application.go_on.clear()


@pytest.fixture
def person(behind: Behind) -> Iterator[Callable[[str], HubSession]]:
    """Sign somebody in at the hub and, by the way, at the application."""
    sessions: list[HubSession] = []

    def sign_in(name: str) -> HubSession:
        session = HubSession(behind.stack.url, name)
        sessions.append(session)
        session.sign_in()
        session.http.headers["Accept"] = "text/html"
        answer = session.http.get(f"{behind.url}/projects/?first=1", follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return session

    yield sign_in
    for session in sessions:
        session.http.close()


def set_email(behind: Behind, name: str, email: str, verified: bool = True) -> None:
    """What IAM says about a person's address from now on."""
    path = behind.stack.iam.data / "users.json"
    document = json.loads(path.read_text())
    for user in document["users"]:
        if user["username"] == name:
            user |= {"email": email, "email_verified": verified}
    path.write_text(json.dumps(document))


def test_a_person_signs_in_by_hub_and_iam(behind: Behind) -> None:
    with HubSession(behind.stack.url, "alice") as alice:
        alice.http.headers["Accept"] = "text/html"
        first = alice.http.get(f"{behind.url}/projects/?tag=a%20b", follow_redirects=True)
        assert str(first.url).startswith(f"{behind.stack.url}/hub/"), "who has no session is sent to the hub"
        assert behind.application.seen == []
        alice.sign_in()
        answer = alice.http.get(f"{behind.url}/projects/?tag=a%20b", follow_redirects=True)
        assert str(answer.url) == f"{behind.url}/projects/?tag=a%20b"
        assert answer.json()["user"] == "alice@example.org"
        assert behind.application.seen[-1]["QUERY_STRING"] == "tag=a%20b"
        posted = alice.http.post(f"{behind.url}/projects/add/", data={"name": "n"}, headers={"Origin": behind.url})
        assert posted.json() | {"environ": {}} == {
            "user": "alice@example.org",
            "method": "POST",
            "path": "/projects/add/",
            "body": "name=n",
            "environ": {},
        }
        assert posted.json()["environ"]["HTTP_ORIGIN"] == behind.url
        assert posted.json()["environ"]["HTTP_HOST"] == urlsplit(behind.url).netloc
        assert posted.json()["environ"]["HTTP_X_FORWARDED_PROTO"] == "http"


def test_nothing_of_the_hub_reaches_the_application(behind: Behind, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    alice.http.cookies.set("csrftoken", "mine", domain="127.0.0.1")
    alice.http.get(f"{behind.url}/projects/")
    for seen in behind.application.seen:
        assert set(re.findall(r"([^=; ]+)=", seen.get("HTTP_COOKIE", ""))) <= {"csrftoken"}
    assert behind.application.seen[-1]["HTTP_COOKIE"] == "csrftoken=mine"
    values = {cookie.value for cookie in alice.http.cookies.jar}
    assert not any(str(value) in str(behind.application.seen) for value in values - {"mine"})
    secret = (Path(behind.stack.settings["healthchecks"]["sign_in"]["token_file"])).read_text()
    assert secret not in behind.stack.log("sign-in")


def test_cookies_of_the_application_come_back_and_no_others(
    behind: Behind, person: Callable[[str], HubSession]
) -> None:
    alice = person("alice")
    answer = alice.http.get(f"{behind.url}/cookies/")
    names = {value.partition("=")[0] for value in answer.headers.get_list("set-cookie")}
    assert names == {"sessionid", "csrftoken"}
    assert "Domain" not in answer.headers["set-cookie"]
    assert alice.http.get(f"{behind.url}/").json()["user"] == "alice@example.org"


SPELLINGS = ["X-Remote-Email", "x-remote-email", "X_Remote_Email", "x_remote-email", "X.Remote.Email"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("path", ["/projects/", "/ping/1234/", "/api/v3/checks/"])
def test_whoever_names_a_person_is_not_that_person(
    behind: Behind, person: Callable[[str], HubSession], spelling: str, path: str
) -> None:
    attack = {spelling: "dana@example.org", "Connection": f"close, {spelling}"}
    outside = httpx.get(behind.url + path, headers={**HTML, **attack})
    assert outside.status_code == (302 if path == "/projects/" else 200)
    assert behind.users() <= {""}
    session = person("erin")
    answer = session.http.get(behind.url + path, headers=attack)
    assert answer.json()["user"] == ("erin@example.org" if path == "/projects/" else "")
    assert behind.users() <= {"", "erin@example.org"}


def test_doubled_and_chunked_requests_name_nobody(behind: Behind) -> None:
    head = b"Host: x\r\nConnection: close\r\nX-Remote-Email: dana@example.org\r\nX-Remote-Email: dana@example.org\r\nx_remote_email: a\r\n"
    chunked = b"POST /ping/1/ HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    answer = behind.raw(chunked + b"X-Remote-Email: dana@example.org\r\n\r\n")
    assert b" 200 " in answer.splitlines()[0]
    assert behind.application.seen[0]["body"] == b"hello"
    assert behind.application.seen[0]["CONTENT_LENGTH"] == "5"
    assert behind.users() == {""}


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Content-Length: 6\r\nContent-Length: 5\r\n",
        b"Content-Length: +6\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
def test_a_second_request_cannot_hide_in_a_body(behind: Behind, framing: bytes) -> None:
    hidden = b"GET /hidden/ HTTP/1.1\r\nHost: x\r\nX-Remote-Email: dana@example.org\r\n\r\n"
    answer = behind.raw(b"POST /ping/1/ HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n0\r\n\r\n" + hidden)
    assert re.match(rb"HTTP/1.1 (400|501) ", answer), answer
    assert behind.application.seen == []


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://evil.example/projects/ HTTP/1.1",
        b"GET http://127.0.0.1/ping/ HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
    ],
)
def test_only_paths_are_passed_on(behind: Behind, line: bytes) -> None:
    answer = behind.raw(line + b"\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer
    assert behind.application.seen == []


def test_a_strange_host_changes_nothing(behind: Behind) -> None:
    answer = httpx.get(
        f"{behind.url}/projects/", headers={**HTML, "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert answer.headers["location"].startswith(f"{behind.stack.url}/hub/api/oauth2/authorize?")
    assert "evil" not in answer.headers["location"]
    httpx.get(f"{behind.url}/ping/1/", headers={"Host": "evil.example"})
    assert behind.application.seen[0]["HTTP_HOST"] == urlsplit(behind.url).netloc


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "/%2f/evil.example", "/@evil.example", "/..//evil.example"]
)
def test_a_sign_in_leads_back_here_and_nowhere_else(
    behind: Behind, person: Callable[[str], HubSession], path: str
) -> None:
    alice = person("alice")
    alice.http.cookies.delete("naas-sign-in")
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    head = behind.raw(request.encode()).decode()
    location = re.search(r"(?im)^location: (\S+)", head)
    cookie = re.search(r"(?im)^set-cookie: ([^=]+)=([^;\s]+)", head)
    assert location, head
    assert cookie, head
    alice.http.cookies.set(cookie[1], cookie[2], domain="127.0.0.1")
    back = alice.http.get(location[1])
    answer = alice.http.get(back.headers["location"])
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{behind.url}/")


def test_a_sign_in_of_another_browser_is_not_taken(behind: Behind, person: Callable[[str], HubSession]) -> None:
    begun = httpx.get(f"{behind.url}/projects/", headers=HTML).headers["location"]
    alice = person("alice")
    alice.http.cookies.delete("naas-sign-in")
    back = alice.http.get(begun).headers["location"]
    refused = alice.http.get(back)
    assert refused.status_code == 400
    assert "another browser" in refused.text
    again = httpx.get(back, headers=HTML)
    assert again.status_code == 400
    for state in ("", "x", "x" * 10000):
        assert httpx.get(f"{behind.url}/naas-sign-in/callback", params={"state": state, "code": "1"}).status_code == 400


def test_a_token_of_ones_own_is_no_session(behind: Behind, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    token = alice.hub("POST", "/users/alice/tokens", json={}).json()["token"]
    for value in (token, "", "x" * 5000):
        answer = httpx.get(f"{behind.url}/projects/", cookies={"naas-sign-in": value})
        assert answer.status_code == 401
    browser = alice.http.cookies["naas-sign-in-browser"]
    assert httpx.get(f"{behind.url}/projects/", cookies={"naas-sign-in": browser}).status_code == 401
    assert httpx.get(f"{behind.url}/projects/", headers={"Authorization": f"token {token}"}).status_code == 401
    assert behind.users() == {"alice@example.org"}


def test_programs_are_told_to_sign_in_and_not_sent_around(behind: Behind) -> None:
    answer = httpx.get(f"{behind.url}/projects/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not-signed-in")
    posted = httpx.post(f"{behind.url}/projects/", headers=HTML, data={"a": "b"})
    assert posted.status_code == 401
    assert behind.application.seen == []


def test_pings_pass_without_a_person_whoever_sends_them(behind: Behind, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    alice.http.cookies.set("sessionid", "s", domain="127.0.0.1")
    behind.application.seen.clear()
    for answer in (
        httpx.post(f"{behind.url}/ping/1234/fail?rid=a", content=b"what\x00happened"),
        alice.http.post(f"{behind.url}/ping/1234/fail?rid=a", content=b"what\x00happened"),
    ):
        assert answer.json()["body"] == "what\x00happened"
    for seen in behind.application.seen:
        assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/ping/1234/fail", "rid=a")
        assert not {"HTTP_COOKIE", "HTTP_X_REMOTE_EMAIL"} & set(seen)


def test_who_is_not_in_the_group_reads_how_to_join(behind: Behind, person: Callable[[str], HubSession]) -> None:
    behind.stack.iam.add_user("olga", ["admins"])
    session = HubSession(behind.stack.url, "olga")
    session.sign_in()
    answer = session.http.get(f"{behind.url}/", headers=HTML, follow_redirects=True)
    assert answer.status_code == 403
    assert "Ask to join users/naas" in answer.text
    assert behind.application.seen == []
    session.http.close()


def test_without_a_verified_address_nobody_gets_in(behind: Behind) -> None:
    behind.stack.iam.add_user("nora", ["users/naas"])
    for email, verified in (("dana@example.org", False), ("a b@example.org", True), ("x,dana@example.org", True)):
        set_email(behind, "nora", email, verified)
        with HubSession(behind.stack.url, "nora") as nora:
            nora.sign_in()
            answer = nora.http.get(f"{behind.url}/", headers={**HTML, "Accept-Language": "it"}, follow_redirects=True)
            assert answer.status_code == 403, (email, answer.text)
            assert "verified" in answer.text
            assert "cloud-support@example.org" in answer.text
            assert "Riprova" in answer.text
            nora.sign_out()
    assert behind.application.seen == []


def test_access_that_ends_in_iam_ends_here(behind: Behind, person: Callable[[str], HubSession]) -> None:
    behind.stack.iam.add_user("leaver", ["users/naas"])
    session = person("leaver")
    left = time.monotonic()
    behind.stack.iam.set_groups("leaver", ["others"])
    wait_for(lambda: session.http.get(f"{behind.url}/").status_code != 200, "the end of the access", ACCESS_AGE + 5)
    assert time.monotonic() - left < ACCESS_AGE + 2
    behind.application.seen.clear()
    session.http.get(f"{behind.url}/", follow_redirects=True)
    assert behind.application.seen == []


def test_signing_out_is_for_good(behind: Behind, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    stolen = alice.http.cookies["naas-sign-in"]
    asked = alice.http.get(f"{behind.url}/accounts/logout/")
    assert "<form" in asked.text, "a link alone signs nobody out"
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": behind.stack.url}):
        assert alice.http.post(f"{behind.url}/naas-sign-in/sign-out", headers=origin).status_code == 403
    assert alice.http.get(f"{behind.url}/").status_code == 200
    answer = alice.http.post(f"{behind.url}/accounts/logout/", headers={"Origin": behind.url})
    assert answer.headers["location"] == f"{behind.stack.url}/hub/logout"
    gone = answer.headers.get_list("set-cookie")
    assert any(cookie.startswith("naas-sign-in=") and "Max-Age=0" in cookie for cookie in gone)
    assert any(cookie.startswith("sessionid=") for cookie in gone)
    alice.sign_out()

    def refused() -> bool:
        return httpx.get(f"{behind.url}/", cookies={"naas-sign-in": stolen}).status_code == 401

    wait_for(refused, "the end of a copied session", 15)


def test_an_answer_is_passed_on_as_it_comes(behind: Behind, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    with alice.http.stream("GET", f"{behind.url}/stream/") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"first\n"
        behind.application.go_on.set()
        assert b"".join(parts) == b"last\n"


@contextlib.contextmanager
def open_proxy(folder: Path, upstream: str, **options: Any) -> Iterator[str]:
    """A proxy in this process, for what needs no sign-in. Parameters: ``options``, those of `naas_gateway…Application`."""
    token = folder / "token"
    secret_file(token)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = SignInSection(listen=url, public_url=url, upstream=upstream, token_file=token)
    app = SignInProxy(SharedSettings(), settings, Passed(settings, **options)).app()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, "the proxy")
        yield url
    finally:
        server.should_exit = True
        thread.join(10)


def test_an_application_that_is_away_is_said_to_be_so(tmp_path: Path) -> None:
    with open_proxy(tmp_path, "http://127.0.0.1:9") as url:
        page = httpx.get(f"{url}/ping/1/", headers=HTML)
        assert page.status_code == 502
        assert "cannot be reached" in page.text
        answer = httpx.get(f"{url}/ping/1/")
        assert answer.json()["error"]["code"] == "application-away"
        assert answer.headers["retry-after"]


def test_a_slow_application_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    application = Application()
    with serving(application) as upstream, open_proxy(tmp_path, upstream, answer_limit=0.3) as url:
        slow = httpx.get(f"{url}/api/slow/")
        assert (slow.status_code, slow.json()["error"]["code"]) == (504, "application-slow")
        assert httpx.get(f"{url}/api/quick/").status_code == 200


def test_a_socket_is_used_unless_everybody_can_open_it(tmp_path: Path) -> None:
    private, public = tmp_path / "private", Path(tempfile.mkdtemp(dir="/tmp"))
    private.mkdir(0o700)
    public.chmod(0o755)
    try:
        for folder, code in ((private, 200), (public, 502)):
            with serving(Application(), path=folder / "s") as upstream, open_proxy(tmp_path, upstream) as url:
                (folder / "s").chmod(0o777)
                answer = httpx.get(f"{url}/ping/1/")
                assert answer.status_code == code, answer.text
                (folder / "s").chmod(0o770)
                assert httpx.get(f"{url}/ping/1/").json()["path"] == "/ping/1/"
        assert "chmod o-w" in answer.text
    finally:
        shutil.rmtree(public)


def test_large_requests_are_refused(behind: Behind) -> None:
    answer = httpx.post(f"{behind.url}/ping/1/", content=b"x" * 2_700_000)
    assert answer.status_code == 413
    with contextlib.suppress(ConnectionResetError):
        answered = behind.raw(b"GET /ping/ HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 400")
    assert behind.application.seen == []
