"""The pages of a real JupyterHub, as a browser without JavaScript gets them."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest
from waiting import wait_for

pytestmark = pytest.mark.server

ALL_DONE = ({"place": ""}, {"folders": ""}, {"image": ""})


class Reader:
    """A signed-in person who reads pages and presses buttons of forms."""

    def __init__(self, url: str, name: str = "", language: str = "en") -> None:
        headers = {"Accept-Language": language, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
        self.name = name
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, follow_redirects=True)
        self.page: httpx.Response = self.open("/hub/login")
        if name:
            self.send("/hub/login", username=name, password="")

    def open(self, path: str) -> httpx.Response:
        self.page = self.http.get(path)
        return self.page

    def send(self, path: str, **fields: Any) -> httpx.Response:
        token = re.search(r'xsrf_token: "([^"]+)"', self.page.text)
        assert token, f"{self.page.url} has no XSRF token"
        self.page = self.http.post(path, data={"_xsrf": token[1], **fields})
        return self.page

    @property
    def text(self) -> str:
        """The page's text without markup, styles and scripts."""
        body = re.sub(r"<(style|script|template)\b.*?</\1>", " ", self.page.text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    def leave(self) -> None:
        """Stop the server, so that the next test finds none."""
        self.open("/hub/home")
        token = re.search(r'xsrf_token: "([^"]+)"', self.page.text)
        assert token
        self.http.delete(f"/hub/api/users/{self.name}/server", headers={"X-XSRFToken": token[1]})
        wait_for(
            lambda: self.open("/hub/home") and "Running" not in self.text and "Stopping" not in self.text,
            "the server stops",
        )
        self.http.close()


@pytest.fixture
def alice(hub: Any) -> Any:
    person = Reader(hub.url, "alice")
    yield person
    person.leave()


def test_the_login_page_names_iam_and_the_terms(hub: Any) -> None:
    text = Reader(hub.url).text
    assert "Sign in with INDIGO IAM" in text
    assert "Terms of use" in text


def test_pages_are_italian_for_an_italian_browser(hub: Any) -> None:
    reader = Reader(hub.url, language="it-IT,it;q=0.9,en;q=0.5")
    assert "Accedi con INDIGO IAM" in reader.text
    reader.http.cookies.set("naas_lang", "en")
    reader.open("/hub/login")
    assert "Sign in with INDIGO IAM" in reader.text


def test_a_refused_person_reads_which_groups_would_help(hub: Any) -> None:
    reader = Reader(hub.url)
    assert reader.open("/hub/refused").status_code == 403
    assert "Your account carol is in none of them." in reader.text
    assert "users/naas Notebooks with your own storage Ask to join" in reader.text
    assert re.search(r"R-\w{4}-\d\d", reader.text)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [("/hub/nothing-here", 404, "There is no such page"), ("/hub/admin", 403, "You may not open this page")],
)
def test_errors_are_calm_and_have_a_way_back(hub: Any, path: str, status: int, sentence: str) -> None:
    reader = Reader(hub.url, "bob")
    assert reader.open(path).status_code == status
    assert sentence in reader.text
    assert 'href="/hub/home"' in reader.page.text
    assert "None" not in reader.text


def test_only_an_administrator_sees_the_admin_link(hub: Any) -> None:
    for name, seen in (("dana", True), ("bob", False)):
        reader = Reader(hub.url, name)
        reader.open("/hub/home")
        assert ('href="/hub/admin"' in reader.page.text) is seen


def test_home_says_why_the_server_stopped_as_text(hub: Any) -> None:
    reader = Reader(hub.url, "bob")
    reader.open("/hub/home")
    assert "Your server was stopped because nothing ran on it for 2 hours. <b>" in reader.text


def test_a_start_without_javascript(hub: Any, alice: Reader) -> None:
    alice.open("/hub/spawn")
    assert alice.page.text.count('class="n-pf"') == 4
    alice.send("/hub/spawn", profile="standard", **{"cores:standard": "4", "memory:standard": str(16 * 2**30)})
    assert alice.page.url.path == "/hub/spawn-pending/alice"
    assert '<noscript><meta http-equiv="refresh"' in alice.page.text
    assert "Standard · 4 cores · 16 GiB · lab 2026.11" in alice.text
    hub.tell(*ALL_DONE)
    wait_for(
        lambda: "the lab of the test" in alice.open("/hub/spawn-pending/alice").text, "the reloading page reaches Lab"
    )
    alice.open("/hub/home")
    assert "Your server Running Standard · 4 cores · 16 GiB" in alice.text


def test_as_last_time_is_one_press(hub: Any, alice: Reader) -> None:
    hub.tell(*ALL_DONE)
    alice.open("/hub/spawn")
    alice.send("/hub/spawn", profile="cygno")
    wait_for(lambda: "the lab of the test" in alice.open("/hub/spawn-pending/alice").text, "Lab answers")
    alice.leave()
    alice.__init__(hub.url, "alice")  # type: ignore[misc]
    alice.open("/hub/spawn")
    assert "As last time CYGNO · 4 cores · 16 GiB" in alice.text
    alice.send("/hub/spawn", profile="standard", again="1")
    alice.open("/hub/home")
    assert "CYGNO · 4 cores · 16 GiB" in alice.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"profile": "gpu-full"}, "The profile GPU full is open to members of users/ml-infn."),
        (
            {"profile": "standard", "memory:standard": str(16 * 2**30), "cores:standard": "2"},
            "16 GiB needs 4 cores or more.",
        ),
        ({"profile": "standard", "image:standard": "lab next"}, "Image “lab next” is not one of your images here."),
        ({"profile": "<script>alert(1)</script>"}, "This profile does not exist."),
    ],
)
def test_a_forged_form_comes_back_with_the_reason(alice: Reader, fields: dict[str, str], sentence: str) -> None:
    alice.open("/hub/spawn")
    alice.send("/hub/spawn", **fields)
    assert f"Not started. {sentence}" in alice.text
    assert "alert(1)" not in alice.page.text
    assert "SpawnException" not in alice.text
    assert "Start with these choices" in alice.text


def test_a_failed_start_says_the_cause_and_the_remedy(hub: Any, alice: Reader) -> None:
    alice.open("/hub/spawn")
    alice.send("/hub/spawn", profile="standard")
    hub.tell({"place": ""}, {"fail": "The registry <b>does not answer</b>. Choose another image."})
    wait_for(lambda: alice.open("/hub/spawn-pending/alice").status_code == 503, "the failure shows")
    assert "Your server could not start The registry <b>does not answer</b>. Choose another image." in alice.text
    assert 'id="start" class="n-btn n-pri" href="/hub/spawn/alice' in alice.page.text


def test_a_person_without_storage_is_told_before_the_start(hub: Any) -> None:
    erin = Reader(hub.url, "erin")
    erin.open("/hub/spawn")
    assert "No cloud-storage. It opens to members of users/s3." in erin.text
