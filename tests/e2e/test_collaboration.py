"""The shared server of a group: members edit one notebook as themselves, nobody else gets in, and no member's token is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import websocket
from hub_session import HubSession
from naas_local.iam import add_user, set_groups
from playwright.sync_api import Browser, Page, expect
from product import Product, naas_up
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

SHARED = "collab--cygno"
MEMBER = ["users/naas", "users/s3", "cygno"]
ACCESS_AGE = 10
IDLE = 60
"""Seconds; Jupyter Server itself looks only once a minute."""
SLACK = 20
LIMIT = 60_000
"""Milliseconds."""
TOKENS = """
import json, os, urllib.error, urllib.request
def ask(path, body=None):
    headers = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["NAAS_GATEWAY_URL"] + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
print(ask("/tokens", b'{"audience": "object"}')["error"]["code"], ask("/me")["groups"])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """alice and bob are in the group with a shared server and a bucket; erin is admitted and in no such group."""
    settings = {
        "iam": {"auth_refresh_age": ACCESS_AGE},
        "profiles": [{"slug": "standard", "name": "Standard", "groups": ["users/naas", "cygno"]}],
        "collaborations": [{"group": "cygno", "profile": "standard", "idle_timeout": IDLE}],
        "storage": {"folders": [{"name": "cygno", "bucket": "cygno-data", "groups": ["cygno"]}]},
    }
    with naas_up(tmp_path_factory.mktemp("site"), settings) as product:
        for name in ("alice", "bob"):
            set_groups(product.data / "iam", name, MEMBER)
        yield product


def as_member(site: Product, name: str) -> HubSession:
    """A session whose calls are about the shared server, not about the member's own."""
    session = HubSession(site.url, name)
    session.sign_in()
    session.name = SHARED
    return session


@pytest.fixture
def shared(site: Product) -> Iterator[HubSession]:
    """alice in the running shared server."""
    with as_member(site, "alice") as session:
        if not session._server_ready():
            session.start_server()
        session.http.get(f"/user/{SHARED}/lab", follow_redirects=True)
        session.wait_connected()
        yield session


def sign_in(browser: Browser, site: Product, name: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page()
    page.set_default_timeout(LIMIT)
    page.goto(site.url)
    page.get_by_role("link", name=re.compile("Sign in with")).click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/hub/"))
    page.goto(f"{site.url}/hub/home")
    return page


@pytest.fixture
def alice(browser: Browser, site: Product) -> Iterator[Page]:
    page = sign_in(browser, site, "alice")
    yield page
    page.context.close()


@pytest.fixture
def bob(browser: Browser, site: Product) -> Iterator[Page]:
    page = sign_in(browser, site, "bob")
    yield page
    page.context.close()


@pytest.mark.browser
def test_two_members_edit_one_notebook_and_see_each_other(
    alice: Page, bob: Page, site: Product, accessible: Callable[..., None], picture: Callable[[Page, str], None]
) -> None:
    accessible(alice)
    alice.get_by_role("button", name="Start the shared notebook of cygno").click()
    alice.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    hers, his = (page.locator(".jp-Notebook .jp-Cell .cm-content").first for page in (alice, bob))
    hers.click()
    alice.keyboard.type("a = 'from alice'")

    bob.reload()
    bob.get_by_role("link", name="Open the shared notebook of cygno").click()
    bob.locator(".jp-DirListing-item", has_text="Untitled.ipynb").dblclick()
    expect(his).to_have_text("a = 'from alice'", timeout=LIMIT)
    expect(bob.get_by_text("Alice", exact=True).first).to_be_attached(timeout=LIMIT)
    his.click()
    bob.keyboard.press("End")
    bob.keyboard.type("; b = 'from bob'")
    expect(hers).to_contain_text("a = 'from alice'; b = 'from bob'", timeout=LIMIT)
    expect(alice.get_by_text("Bob", exact=True).first).to_be_attached(timeout=LIMIT)
    picture(alice, "collaboration")

    notebook = site.data / "homes" / SHARED / "Untitled.ipynb"
    wait_for(lambda: "from bob" in notebook.read_text(), "the notebook on the disk")


def test_who_is_not_in_the_group_gets_nothing(site: Product, shared: HubSession) -> None:
    with HubSession(site.url, "erin") as erin:
        assert "Shared notebooks" not in erin.sign_in().text
        assert erin.http.get(f"/user/{SHARED}/lab", follow_redirects=True).status_code == 403
        assert erin.http.get(f"/hub/spawn/{SHARED}").status_code in (403, 404)
        for method, path in (("POST", "server"), ("DELETE", "server"), ("GET", ""), ("POST", "tokens")):
            assert erin.hub(method, f"/users/{SHARED}/{path}".rstrip("/")).status_code in (403, 404)


def test_nobody_signs_in_as_the_shared_server(site: Product, shared: HubSession) -> None:
    add_user(site.data / "iam", SHARED, ["users/naas"])
    with HubSession(site.url, SHARED) as impostor:
        assert impostor.sign_in().status_code == 200
        assert impostor.hub("GET", "/user").json()["name"].startswith("collab-cygno---")
        assert impostor.http.get(f"/user/{SHARED}/lab", follow_redirects=True).status_code == 403


def test_a_member_cannot_act_as_the_shared_server(shared: HubSession) -> None:
    assert shared.hub("POST", f"/users/{SHARED}/tokens").status_code in (403, 404)
    assert shared.hub("DELETE", f"/users/{SHARED}").status_code in (403, 404)


OWN_TOKEN = """
import os, urllib.error, urllib.request
url = os.environ["JUPYTERHUB_SERVICE_URL"].rstrip("/") + "/api/status"
request = urllib.request.Request(url, headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"})
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_the_servers_own_token_lets_nobody_in(shared: HubSession) -> None:
    """Every member can read it, and a former one could have kept it."""
    with shared.kernel() as kernel:
        assert kernel.run(OWN_TOKEN) == "403\n"


def test_no_members_token_is_in_the_server(site: Product, shared: HubSession) -> None:
    uid = (site.data / "homes" / SHARED).stat().st_uid
    with shared.kernel() as kernel:
        assert kernel.run(TOKENS) == "not-a-person ['cygno']\n"
        kernel.run("import pathlib; (pathlib.Path.home() / 'cloud-storage/cygno/note').write_text('from the group')")
        assert kernel.run("import os; print(os.listdir(pathlib.Path.home() / 'cloud-storage'))") == "['cygno']\n"
        processes = [process for process in psutil.process_iter() if process.uids().real == uid]
        assert len(processes) >= 3, "server, kernel and mount agent"
        for process in processes:
            environment = process.environ()
            assert {name for name in environment if "TOKEN" in name} <= {"JUPYTERHUB_API_TOKEN"}
            assert "eyJ" not in str(environment), "no token of IAM"
    stored = site.data / "store" / "buckets" / "cygno-data" / "note"
    wait_for(stored.exists, "the file in the group's bucket")


@pytest.mark.parametrize("way", ["leaves the group", "signs out"])
def test_who_leaves_is_sent_away(site: Product, shared: HubSession, way: str) -> None:
    with as_member(site, "bob") as bob:
        bob.http.get(f"/user/{SHARED}/lab", follow_redirects=True)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in bob.http.cookies.jar)
        address = f"{site.url.replace('http', 'ws')}/user/{SHARED}/api/events/subscribe"
        socket = websocket.create_connection(address, timeout=ACCESS_AGE + SLACK, cookie=cookies, origin=site.url)
        assert bob.server("GET", "api/contents").status_code == 200
        left = time.monotonic()
        if way == "signs out":
            bob.sign_out()
        else:
            set_groups(site.data / "iam", "bob", ["users/naas", "users/s3"])
        try:
            while (frame := socket.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
                pass
            assert int.from_bytes(frame.data[:2], "big") == 4403
            wait_for(lambda: bob.server("GET", "api/contents").status_code == 403, "the end of bob's access", SLACK)
            assert time.monotonic() - left < ACCESS_AGE + SLACK
            assert bob.hub("POST", f"/users/{SHARED}/server").status_code in (403, 404)
            assert shared.server("GET", "api/contents").status_code == 200, "the others stay"
        finally:
            set_groups(site.data / "iam", "bob", MEMBER)
            socket.close()


def test_it_stops_when_nobody_has_it_open(site: Product, shared: HubSession) -> None:
    wait_for(lambda: not shared._server_ready(), "the end of the idle server", IDLE + 120 + SLACK)
    wait_for(lambda: "Nobody had the shared server open for 1 min" in shared.http.get("/hub/home").text, "the reason")
    assert Path(site.data / "homes" / SHARED).is_dir()
