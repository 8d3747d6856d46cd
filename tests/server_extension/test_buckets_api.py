"""The storage browser's addresses, through a real Jupyter server, on the real embedded store."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from lab_server import Desk, Jupyter, drive_store, jupyter
from waiting import wait_for

pytestmark = pytest.mark.server
ODD = " <b>&'\"grüße\t🙂%2f+?#"
"""A key that HTML, addresses and Tornado's own reading of parameters would each change."""
LARGE = 300 * 2**20


@dataclass
class Browser:
    """alice's server, and what she has in the store."""

    http: httpx.Client
    server: Jupyter
    s3: Any

    def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self.http.request(method, f"buckets{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, status: int, code: str, **options: Any) -> str:
        error = self.ask(method, path, status, **options)["error"]
        assert error["code"] == code, error
        assert error["request_id"]
        return str(error["message"])

    def put(self, key: str, data: Any, **headers: str) -> httpx.Response:
        return self.http.put("buckets/alice/object", params={"key": key}, content=data, headers=headers)

    def uploads(self) -> list[Any]:
        return list(self.s3.list_multipart_uploads(Bucket="alice").get("Uploads", []))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    desk = Desk.at(tmp_path_factory.mktemp("browser"))
    with drive_store(desk) as s3, jupyter(desk, NAAS_STORAGE_RUN=str(desk.run)) as server, server.client() as http:
        http.timeout = httpx.Timeout(120)
        yield Browser(http, server, s3)


def test_a_bucket_from_its_making_to_its_end(browser: Browser) -> None:
    made = browser.ask("POST", "", 201, json={"name": "alice--photos"})
    assert (made["name"], made["own"], made["versioning"]) == ("alice--photos", True, False)
    page = browser.ask("GET", "")
    assert [row["name"] for row in page["items"]] == ["alice", "alice--photos", "scratch"]
    assert (page["total"], page["next"]) == (3, None)
    assert browser.ask("GET", "/alice--photos")["usage"]["objects"] == 0
    browser.ask("PUT", "/alice--photos/object", params={"key": "a"}, content=b"12")
    assert browser.ask("GET", "/alice--photos")["usage"]["used_bytes"] == 2
    browser.refused("DELETE", "/alice--photos", 409, "bucket-not-empty")
    assert browser.ask("POST", "/alice--photos/delete", json={"keys": ["a"]}) == {"deleted": 1, "errors": []}
    browser.ask("DELETE", "/alice--photos", 204)
    browser.refused("GET", "/alice--photos", 404, "no-such-bucket")


def test_a_file_from_its_upload_to_its_end(browser: Browser) -> None:
    stored = browser.put("day/first.txt", b"first").json()
    assert (stored["key"], stored["size"]) == ("day/first.txt", 5)
    browser.refused(
        "PUT",
        "/alice/object",
        412,
        "exists",
        params={"key": "day/first.txt"},
        content=b"x",
        headers={"If-None-Match": "*"},
    )
    assert browser.ask("POST", "/alice/folders", json={"prefix": "day/empty/"})["folder"]
    items = browser.ask("GET", "/alice/objects", params={"prefix": "day/"})["items"]
    assert [(row["key"], row["folder"]) for row in items] == [("day/empty/", True), ("day/first.txt", False)]
    assert browser.ask("POST", "/alice/rename", json={"source": "day/", "target": "night/"}) == {"moved": 1}
    found = browser.ask("GET", "/alice/objects", params={"search": "FIRST"})
    assert [row["key"] for row in found["items"]] == ["night/first.txt"]
    link = browser.ask("POST", "/alice/share", json={"key": "night/first.txt"})
    assert httpx.get(link["url"]).content == b"first"
    assert 0 < link["longest_seconds"] <= 3600
    browser.refused("POST", "/alice/share", 400, "too-long", json={"key": "night/first.txt", "seconds": 7200})
    assert browser.ask("POST", "/alice/delete", json={"prefixes": ["night/"]})["errors"] == []
    browser.refused("GET", "/alice/object", 404, "no-such-object", params={"key": "night/first.txt"})
    browser.refused("GET", "/alice/versions", 400, "not-supported", params={"key": "a"})


def test_a_download_is_an_attachment(browser: Browser) -> None:
    browser.put("page.html", b"<script>alert(1)</script>")
    answer = browser.http.get("buckets/alice/object", params={"key": "page.html"})
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == "25"


def test_names_arrive_as_they_were_sent(browser: Browser) -> None:
    key = f"odd/{ODD.replace(chr(9), '')}"
    assert browser.put(key, b"odd").json()["key"] == key
    listed = browser.http.get("buckets/alice/objects", params={"prefix": "odd/"})
    assert [row["key"] for row in listed.json()["items"]] == [key]
    assert listed.headers["content-type"] == "application/json"
    assert browser.http.get("buckets/alice/object", params={"key": key}).content == b"odd"
    browser.refused("PUT", "/alice/object", 400, "refused-name", params={"key": f"odd/{ODD}"}, content=b"x")
    assert browser.ask("POST", "/alice/delete", json={"keys": [key]})["deleted"] == 1


@pytest.mark.parametrize("size", [0, 300])
def test_uploads_of_all_sizes(browser: Browser, size: int) -> None:
    """Zero bytes, and 300 MB: in the store as they were sent, and never in the server's memory as a whole."""
    block = secrets.token_bytes(2**20)
    server = server_process(browser)
    before = server.memory_info().rss
    highest = before

    def blocks() -> Iterator[bytes]:
        nonlocal highest
        for _ in range(size):
            highest = max(highest, server.memory_info().rss)
            yield block

    answer = browser.put("sized", blocks(), **{"Content-Length": str(size * 2**20)})
    assert answer.json()["size"] == size * 2**20
    assert highest - before < 150 * 2**20
    with browser.http.stream("GET", "buckets/alice/object", params={"key": "sized"}) as download:
        received = 0
        for piece in download.iter_raw(2**20):
            start = received % 2**20
            assert piece == (block + block)[start : start + len(piece)]
            received += len(piece)
    assert received == size * 2**20
    assert browser.uploads() == []


def server_process(browser: Browser) -> psutil.Process:
    port = urlsplit(browser.server.url).port
    return next(
        psutil.Process(row.pid)
        for row in psutil.net_connections("tcp")
        if row.laddr[1:] == (port,) and row.status == "LISTEN"
    )


def test_who_leaves_in_the_middle_leaves_nothing(browser: Browser) -> None:
    where = urlsplit(str(browser.http.base_url))
    with socket.create_connection((where.hostname, where.port)) as connection:
        head = f"PUT {where.path}buckets/alice/object?key=half HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {LARGE}\r\n"
        connection.sendall(f"{head}Authorization: token {browser.server.token}\r\n\r\n".encode() + bytes(20 * 2**20))
        wait_for(browser.uploads, "an upload in parts has begun")
    wait_for(lambda: not browser.uploads(), "the store has forgotten it")
    browser.refused("GET", "/alice/object", 404, "no-such-object", params={"key": "half"})


def test_a_store_that_refuses_ends_the_upload_with_its_reason(browser: Browser) -> None:
    """The refusal comes with the first part, long before the last byte."""
    answer = browser.http.put("buckets/scratch/object", params={"key": "bob/theirs"}, content=bytes(30 * 2**20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert browser.s3.get_object(Bucket="scratch", Key="bob/theirs")["Body"].read() == b"theirs"


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "options"),
    [
        ("GET", "/bob", 403, "forbidden", {}),
        ("GET", "/bob/objects", 403, "forbidden", {}),
        ("GET", "/bob/object", 403, "forbidden", {"params": {"key": "x"}}),
        ("PUT", "/bob/object", 403, "forbidden", {"params": {"key": "x"}, "content": b"x"}),
        ("POST", "/bob/share", 403, "forbidden", {"json": {"key": "x"}}),
        ("POST", "/bob/delete", 403, "forbidden", {"json": {"prefixes": ["x/"]}}),
        ("DELETE", "/bob", 403, "forbidden", {}),
        ("DELETE", "/alice", 409, "bucket-in-use", {}),
        ("PUT", "/scratch/object", 403, "forbidden", {"params": {"key": "bob/x"}, "content": b"x"}),
        ("POST", "/scratch/rename", 409, "incomplete", {"json": {"source": "bob/theirs", "target": "alice/mine2"}}),
        ("POST", "", 400, "bad-bucket-name", {"json": {"name": "bob--x"}}),
        ("POST", "", 400, "bad-bucket-name", {"json": {"name": "alice--<img src=x>"}}),
        ("POST", "", 400, "invalid-input", {"json": {"name": 7}}),
        ("POST", "", 400, "invalid-input", {"content": b"[]"}),
        ("POST", "/alice/rename", 400, "invalid-input", {"json": {"source": "x"}}),
        ("POST", "/alice/rename", 400, "invalid-input", {"json": {"source": "x", "target": "y", "more": 1}}),
        ("POST", "/alice/rename", 400, "bad-key", {"json": {"source": "x", "target": "../bob/x"}}),
        ("POST", "/alice/share", 413, "too-large", {"json": {"key": "k" * 10_000_000}}),
        ("POST", "/alice/share", 400, "bad-key", {"json": {"key": "k" * 1025}}),
        ("POST", "/alice/nothing", 404, "not-found", {}),
        ("GET", "/alice/share", 405, "method-not-allowed", {}),
        ("GET", "/%2e%2e/objects", 400, "bad-bucket-name", {}),
        ("GET", "/arn:aws:s3:::bob/objects", 400, "bad-bucket-name", {}),
        ("GET", "/alice/object", 400, "bad-key", {"params": {"key": "../bob/x"}}),
        ("GET", "/alice/object", 400, "bad-key", {}),
        ("PUT", "/alice/object", 400, "bad-key", {"params": {"key": "a/"}, "content": b""}),
        ("GET", "/alice/objects", 400, "invalid-input", {"params": {"limit": "many"}}),
        ("GET", "/alice/objects", 400, "invalid-input", {"params": {"limit": "0"}}),
        ("GET", "/alice/objects?prefix=%ff", 400, "invalid-input", {}),
    ],
)
def test_what_is_refused(
    browser: Browser, method: str, path: str, status: int, code: str, options: dict[str, Any]
) -> None:
    message = browser.refused(method, path, status, code, **options)
    assert len(message) < 1000
    assert message.endswith(".")
    assert browser.s3.get_object(Bucket="scratch", Key="bob/theirs")["Body"].read() == b"theirs"


def test_only_for_the_signed_in(browser: Browser) -> None:
    calls = [
        ("GET", ""),
        ("POST", ""),
        ("DELETE", "/alice"),
        ("GET", "/alice/object?key=a"),
        ("PUT", "/alice/object?key=stranger"),
    ]
    for token in ("", "token of-somebody-else"):
        headers = {"Authorization": token} if token else {}
        for method, path in calls:
            answer = httpx.request(method, f"{browser.http.base_url}buckets{path}", headers=headers)
            assert answer.status_code == 403, (method, path)
    browser.refused("GET", "/alice/object", 404, "no-such-object", params={"key": "stranger"})


def test_a_change_from_another_page_is_refused(browser: Browser) -> None:
    """With the cookie of a signed-in browser, but without the token that only our own pages know."""
    with httpx.Client(base_url=browser.server.url) as page:
        page.get("login", params={"token": browser.server.token}, follow_redirects=True)
        page.get("lab", params={"token": browser.server.token})
        assert page.get("naas/api/buckets").status_code == 200
        for method, path in (("POST", "/alice/folders"), ("DELETE", "/alice--x"), ("PUT", "/alice/object?key=forged")):
            with contextlib.suppress(httpx.ReadError):  # a refused upload may be cut off before its answer is read
                answer = page.request(method, f"naas/api/buckets{path}", content=b"{}")
                assert answer.status_code == 403, answer.text
    browser.refused("GET", "/alice/object", 404, "no-such-object", params={"key": "forged"})


def test_a_key_too_long_for_an_address(browser: Browser) -> None:
    where = urlsplit(str(browser.http.base_url))
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        headers = {"Authorization": f"token {browser.server.token}"}
        connection.request("GET", f"{where.path}buckets/alice/object?key={'k' * 10_000_000}", headers=headers)
        assert connection.getresponse().status in (400, 413, 414, 431)
    except (ConnectionError, http.client.HTTPException):
        pass  # closed without an answer: Tornado reads 64 KiB of headers at most
    finally:
        connection.close()
    assert browser.ask("GET", "")["items"]


def test_without_storage_it_says_so(tmp_path: Path) -> None:
    with jupyter(Desk.at(tmp_path)) as server, server.client() as client:
        answer = client.get("buckets")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no-storage")
        for action, body in (("retry", {}), ("reconnect", {"name": "alice"})):
            answer = client.post(f"storage/{action}", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no-storage")
