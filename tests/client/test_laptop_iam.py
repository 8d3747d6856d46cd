"""The device flow against answers that the embedded IAM does not give: slow down, too late, hostile. A scripted server gives them."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from naas_client.addresses import safe_address, service_address
from naas_client.errors import Forbidden, InvalidInput, NotSignedIn, Unavailable
from naas_client.laptop.iam import GrantEnded, LaptopIam, configuration_of
from naas_client.models import ClientConfiguration


class Scripted:
    """Answers each path with the next of its answers, the last one again and again; keeps what was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.forms: list[tuple[str, dict[str, str]]] = []
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                script.forms.append((self.path, {key: value[0] for key, value in parse_qs(body).items()}))
                answers = script.answers.get(self.path, [(404, {})])
                status, document = answers.pop(0) if len(answers) > 1 else answers[0]
                data = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", f"{script.url}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        names = {"token": "token", "revocation": "revoke", "device_authorization": "devicecode"}
        self.discovery = {"issuer": f"{self.url}/", **{f"{k}_endpoint": f"{self.url}/{v}" for k, v in names.items()}}
        self.answers["/.well-known/openid-configuration"] = [(200, self.discovery)]
        self.code = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/device"}
        self.answers["/devicecode"] = [(200, self.code)]

    @property
    def configuration(self) -> ClientConfiguration:
        return ClientConfiguration(issuer=self.url, client_id="naas-cli", audience="naas", scopes=["openid"])

    def iam(self) -> LaptopIam:
        return LaptopIam(self.url, self.configuration)


@pytest.fixture
def script() -> Iterator[Scripted]:
    script = Scripted()
    thread = threading.Thread(target=script.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield script
    script.server.shutdown()
    script.server.server_close()
    thread.join(5)


PENDING, SLOW = (400, {"error": "authorization_pending"}), (400, {"error": "slow_down"})


def test_it_asks_as_often_as_iam_wants(script: Scripted) -> None:
    """RFC 8628 §3.5: each `slow_down` adds five seconds for good; a failure doubles the pause."""
    script.answers["/devicecode"] = [(200, {**script.code, "interval": 2, "expires_in": 300})]
    script.answers["/token"] = [PENDING, SLOW, PENDING, (503, b"<html>"), (200, {"access_token": "a"})]
    pauses: list[float] = []
    with script.iam() as iam:
        tokens = iam.wait(iam.begin(), pauses.append)
    assert pauses == [2, 2, 7, 7, 14]
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_in) == ("a", None, 3600)
    begun, asked = script.forms[1], script.forms[2]
    assert begun == ("/devicecode", {"client_id": "naas-cli", "audience": "naas", "scope": "openid"})
    assert asked[1]["device_code"] == "d"
    assert asked[1]["audience"] == "naas"


@pytest.mark.parametrize(
    ("life", "answer", "error", "words"),
    [
        (600, (400, {"error": "expired_token"}), NotSignedIn, "not confirmed in time"),
        (4, PENDING, NotSignedIn, "not confirmed in time"),
        (600, (400, {"error": "access_denied"}), Forbidden, "You refused"),
        (600, (401, {"error": "invalid_client"}), Forbidden, "invalid_client"),
        (600, (400, {"error": "\x1b[2J" * 20}), NotSignedIn, "not confirmed in time"),
    ],
)
def test_how_waiting_ends(
    script: Scripted, life: int, answer: tuple[int, Any], error: type[Exception], words: str, monkeypatch: Any
) -> None:
    """Its clock is the pauses."""
    script.answers["/devicecode"] = [(200, {**script.code, "expires_in": life})]
    script.answers["/token"] = [answer]
    clock = [0.0]
    monkeypatch.setattr("naas_client.laptop.iam.time.monotonic", lambda: clock[0])

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with script.iam() as iam, pytest.raises(error, match=words):
        iam.wait(iam.begin(), sleep)
    assert clock[0] <= life


@pytest.mark.parametrize(
    "changes",
    [
        {"user_code": "\x1b]0;x\x07"},
        {"user_code": "A" * 200},
        {"user_code": None},
        {"device_code": 7},
        {"verification_uri": "http://elsewhere.example.org/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri_complete": "https://x.example.org/\x1b[31m"},
    ],
)
def test_codes_that_could_fool_a_person_or_a_terminal_are_refused(script: Scripted, changes: dict[str, Any]) -> None:
    script.answers["/devicecode"] = [(200, {**script.code, **changes})]
    with script.iam() as iam, pytest.raises((Unavailable, InvalidInput)) as refused:
        iam.begin()
    assert refused.value.message.isprintable()


def test_only_the_issuer_that_was_named_is_believed(script: Scripted) -> None:
    script.answers["/.well-known/openid-configuration"] = [(200, {**script.discovery, "issuer": "https://other"})]
    with script.iam() as iam, pytest.raises(Unavailable, match="no usable discovery"):
        iam.begin()


def test_no_token_goes_where_others_can_read_it(script: Scripted) -> None:
    """A service elsewhere cannot name an IAM without TLS; an IAM cannot name such an endpoint, nor send a form on."""
    with pytest.raises(InvalidInput, match="https://"):
        LaptopIam("https://hub.example.org", script.configuration)
    insecure = {**script.discovery, "token_endpoint": "http://elsewhere.example.org/token"}
    script.answers["/.well-known/openid-configuration"] = [(200, insecure), (200, script.discovery)]
    with script.iam() as iam, pytest.raises(InvalidInput, match="token_endpoint"):
        iam.refresh("the-refresh-token")
    script.answers["/token"] = [(307, b"")]
    script.answers["/elsewhere"] = [(200, {"access_token": "a"})]
    with script.iam() as iam, pytest.raises(Unavailable, match="status 307"):
        iam.refresh("the-refresh-token")
    assert [path for path, form in script.forms if "refresh_token" in form] == ["/token"]


def test_a_refresh_says_whether_the_grant_is_over(script: Scripted) -> None:
    script.answers["/token"] = [(400, {"error": "invalid_grant"}), (502, b"bad gateway"), (200, {"token_type": "x"})]
    with script.iam() as iam:
        with pytest.raises(GrantEnded):
            iam.refresh("r")
        for _ in range(2):
            with pytest.raises(Unavailable):
                iam.refresh("r")


def test_a_revocation_that_iam_does_not_confirm_is_no_success(script: Scripted) -> None:
    script.answers["/revoke"] = [(200, b""), (500, b"")]
    with script.iam() as iam:
        iam.revoke("r")
        with pytest.raises(Unavailable):
            iam.revoke("r")
    assert script.forms[-1][1] == {"client_id": "naas-cli", "token": "r", "token_type_hint": "refresh_token"}


@pytest.mark.parametrize("answer", [(302, b""), (200, b"<html>"), (403, b""), (404, b"")])
def test_an_address_that_is_no_service(script: Scripted, answer: tuple[int, bytes]) -> None:
    script.answers["/services/naas/api/v1/client"] = [answer]
    with pytest.raises(Unavailable):
        configuration_of(script.url)
    assert "/elsewhere" not in [path for path, _ in script.forms]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://Hub.Example.org/", "https://hub.example.org"),
        ("https://hub.example.org/jhub/hub/home?next=x#y", "https://hub.example.org/jhub"),
        ("https://hub.example.org:8443/hub", "https://hub.example.org:8443"),
        ("http://127.0.0.1:8000/hub/", "http://127.0.0.1:8000"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_any_page_of_a_service_names_it(address: str, kept: str) -> None:
    assert service_address(address) == kept


@pytest.mark.parametrize(
    "address",
    [
        *("", "hub", "//hub", "ftp://hub", "http://hub", "http://127.0.0.1.example.org", "http://10.0.0.1"),
        *("https://", "https://a b", "https://hub\n", "https://hub\\x", "https://u@hub", "https://hub:x", "https://é"),
        "https://" + "a" * 3000,
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        safe_address(address, "URL")
