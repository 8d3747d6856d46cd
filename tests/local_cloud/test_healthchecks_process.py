"""The embedded Healthchecks as a process: what it answered is on the disk, and nothing that is sent to it stops it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from healthchecks_late import database, kept
from healthchecks_site import HealthchecksSite, ping
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks, prepare
from naas_local.ports import free_port
from waiting import wait_for

pytestmark = pytest.mark.server
LIMIT = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHealthchecks]:
    with embedded_healthchecks(tmp_path_factory.mktemp("process"), requests_per_minute=200) as running:
        yield running


def site_of(server: EmbeddedHealthchecks, owner: str) -> HealthchecksSite:
    keys = server.project(owner)
    return HealthchecksSite(server.url, keys["api_key"], keys["api_key_readonly"], keys["ping_key"])


def send(address: str, times: int, stop: threading.Event, answered: list[int]) -> None:
    """Ping on one connection until told to stop, or the server is gone; note each answer after it came."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT)
    try:
        for _ in range(times):
            if stop.is_set():
                return
            line.request("GET", parts.path)
            answer = line.getresponse()
            answer.read()
            answered.append(answer.status)
    except (OSError, http.client.HTTPException):
        return
    finally:
        line.close()


@pytest.mark.parametrize("round_", range(3))
def test_no_ping_that_was_answered_is_lost_when_the_server_is_killed(tmp_path: Path, round_: int) -> None:
    with embedded_healthchecks(tmp_path, pings_per_minute=0) as server:
        site, stop = site_of(server, "alice"), threading.Event()
        checks = [site.create(name=str(n)) for n in range(6)]
        answered: list[list[int]] = [[] for _ in checks]
        with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
            for check, answers in zip(checks, answered, strict=True):
                pool.submit(send, check["ping_url"], 100_000, stop, answers)
            wait_for(lambda: sum(map(len, answered)) > 300 + 100 * round_, "many pings")
            server.kill()
        server.start()
        for check, answers in zip(checks, answered, strict=True):
            assert set(answers) == {200}
            shown = site.show(check)
            assert shown["n_pings"] in (len(answers), len(answers) + 1), "one more may be kept whose answer was lost"
            assert shown["status"] == "up"
            with database(server) as db:
                sql = "SELECT count(*), max(n) FROM pings WHERE check_id = (SELECT id FROM checks WHERE code = ?)"
                count, last = db.execute(sql, (check["uuid"],)).fetchone()
            assert count == last == shown["n_pings"]
        with database(server) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_refuses_pings_and_they_count_again_when_there_is_room(tmp_path: Path) -> None:
    with embedded_healthchecks(tmp_path, pings_per_minute=0) as server:
        site = site_of(server, "alice")
        check = site.create()
        statuses: list[int] = []

        def send_one() -> int:
            statuses.append(ping(check["ping_url"]).status_code)
            return statuses[-1]

        send_one()
        assert server.part is not None
        process = psutil.Process(server.part.process.pid)
        size = max(file.stat().st_size for file in server.data.iterdir())
        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))  # as on a full disk, no file grows
        wait_for(lambda: send_one() == 503, "no more room", 30)
        assert site.show(check)["n_pings"] == statuses.count(200)
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        assert send_one() == 200
        assert site.show(check)["n_pings"] == len(site.pings(check)) == statuses.count(200)
        assert set(statuses) == {200, 503}


def test_who_waits_for_notifications_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with embedded_healthchecks(tmp_path) as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        headers = {"Authorization": f"Bearer {server.admin_key}"}
        waiting = pool.submit(httpx.get, f"{server.url}/api/notifications?wait=60", headers=headers, timeout=70)
        wait_for(lambda: psutil.Process(server.part.process.pid).net_connections("tcp")[1:], "the connection")  # type: ignore[union-attr]
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 4
        with contextlib.suppress(httpx.HTTPError):  # the server may have ended before it had read the request
            assert waiting.result().json()["notifications"] == []


def test_five_thousand_pings_at_once(server: EmbeddedHealthchecks) -> None:
    """Of one check, more than it may send: the first of a minute are kept, the others are refused, and others are served."""
    site = site_of(server, "storm")
    check, calm = site.create(), site.create()
    answered: list[list[int]] = [[] for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(len(answered)) as pool:
        for answers in answered:
            pool.submit(send, check["ping_url"], 250, threading.Event(), answers)
        slowest = 0.0
        while sum(map(len, answered)) < 4000:
            began = time.monotonic()
            assert ping(calm["ping_url"]).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
    counts = Counter(status for answers in answered for status in answers)
    assert set(counts) == {200, 429}
    assert sum(counts.values()) == 5000
    assert counts[200] >= 300
    assert site.show(check)["n_pings"] == counts[200]
    assert ping(check["ping_url"]).text in ("OK", "rate limited")
    assert slowest < LIMIT / 3


def test_the_log_of_pings_is_as_long_as_it_may_be(tmp_path: Path) -> None:
    with embedded_healthchecks(tmp_path, pings_per_minute=0, ping_log=50) as server:
        site = site_of(server, "alice")
        check = site.create()
        send(check["ping_url"], 230, threading.Event(), [])
        found = [one["n"] for one in site.pings(check)]
        assert found == list(range(230, 180, -1))
        with database(server) as db:
            assert db.execute("SELECT min(n) FROM pings").fetchone()[0] > 100


@pytest.mark.parametrize("sized", [True, False], ids=["told", "chunked"])
def test_a_body_of_two_megabytes_is_refused_and_one_of_100_kb_is_cut(server: EmbeddedHealthchecks, sized: bool) -> None:
    site = site_of(server, f"bodies-{sized}")
    check = site.create()

    def body(size: int) -> Any:
        return b"x" * size if sized else iter([b"x" * 1000] * (size // 1000))

    try:
        answer = ping(check["ping_url"], "POST", content=body(2_000_000))
        assert (answer.status_code, answer.text) == (413, "request entity too large")
    except httpx.HTTPError:
        pass  # the server hung up on what was still being sent
    assert ping(check["ping_url"], "POST", content=body(100_000)).status_code == 200
    shown = site.pings(check)
    assert len(shown) == 1
    assert site.call("GET", shown[0]["body_url"]).content == b"x" * 10_000


def test_another_projects_check_is_not_shown_nor_changed(server: EmbeddedHealthchecks) -> None:
    mine, theirs = site_of(server, "owner"), site_of(server, "stranger")
    check = mine.create(name="mine", slug="mine", tags="mine")
    here = check["update_url"]
    for method, path in (
        ("GET", here),
        ("POST", here),
        ("DELETE", here),
        ("POST", f"{here}/pause"),
        ("POST", f"{here}/resume"),
        ("GET", f"{here}/pings/"),
        ("GET", f"{here}/pings/1/body"),
        ("GET", f"{here}/flips/"),
    ):
        answer = theirs.call(method, path, json={"name": "theirs"} if method == "POST" else None)
        assert answer.status_code == 403, (method, path)
        assert "mine" not in answer.text
    unique = mine.call("GET", "/checks/", key=mine.read_key).json()["checks"][0]["unique_key"]
    assert theirs.call("GET", f"/checks/{unique}").status_code == 404
    assert theirs.call("GET", "/checks/?slug=mine").json() == {"checks": []}
    assert theirs.call("GET", "/badges/").json()["badges"].keys() == {"*"}
    channel = mine.call("GET", "/channels/").json()["channels"][0]["id"]
    assert theirs.call("POST", "/checks/", json={"channels": channel}).status_code == 400
    assert ping(f"{server.ping_url}/{theirs.ping_key}/mine").status_code == 404
    assert mine.show(check) == check


def test_a_key_that_ends_ends_at_once(server: EmbeddedHealthchecks) -> None:
    site = site_of(server, "revoked")
    check = site.create(slug="still-there")
    server.admin("POST", "/revoked/keys")
    assert site.call("GET", "/checks/").json() == {"error": "wrong api key"}
    assert ping(f"{server.ping_url}/{site.ping_key}/still-there").status_code == 404
    assert ping(check["ping_url"]).status_code == 200, "a check's own address is no key"


def test_too_many_requests_with_one_key(server: EmbeddedHealthchecks) -> None:
    site, other = site_of(server, "eager"), site_of(server, "patient")
    with httpx.Client(headers={"X-Api-Key": site.key}) as http:
        answers = [http.get(f"{server.url}/api/v3/checks/") for _ in range(260)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json() == {"error": "rate limited"}
    assert int(refused[0].headers["Retry-After"]) > 0
    assert other.call("GET", "/checks/").status_code == 200


def test_the_most_checks_of_a_project(tmp_path: Path) -> None:
    with embedded_healthchecks(tmp_path, most_checks=2) as server:
        site = site_of(server, "alice")
        site.create(name="one")
        site.create(name="two")
        assert site.call("POST", "/checks/", json={}).status_code == 403
        assert site.call("POST", "/checks/", json={"name": "one", "unique": ["name"]}).status_code == 200
        assert ping(f"{server.ping_url}/{site.ping_key}/three?create=1").status_code == 403
        site.clean()
        assert site.call("POST", "/checks/", json={}).status_code == 201


HOSTILE: list[tuple[str, str, bytes]] = [
    ("POST", "/api/v3/checks/", b"[" * 100_000),
    ("POST", "/api/v3/checks/", json.dumps({"name": "\ud800"}).encode()),
    ("POST", "/api/v3/checks/", json.dumps({"name": "\0", "tags": "\0 x"}).encode()),
    ("POST", "/api/v3/checks/", b'{"timeout": 1e400}'),
    ("POST", "/api/v3/checks/", b'{"timeout": ' + b"9" * 5000 + b"}"),
    ("POST", "/api/v3/checks/", b'{"desc": "' + b"x" * 1_500_000 + b'"}'),
    ("POST", "/api/v3/checks/", b"\xff\xfe"),
    ("GET", "/api/v3/checks/?tag=" + "%00" * 10, b""),
    ("GET", "/api/v3/checks/?slug=%ff", b""),
    ("GET", "/api/v3/checks/x/pings/9999999999999999999/body", b""),
    ("GET", "/badge/a/b/%3Csvg%3E.svg", b""),
    ("GET", "/ping/" + "/".join("a" * 2000), b""),
    ("GET", "/ping/%00/%00", b""),
    ("GET", "/api/projects/../../v3/checks/", b""),
]


@pytest.mark.parametrize("asked", HOSTILE, ids=[f"{method} {path:.30} {body[:20]!r}" for method, path, body in HOSTILE])
def test_nothing_that_is_sent_is_an_error_of_the_server(
    server: EmbeddedHealthchecks, asked: tuple[str, str, bytes]
) -> None:
    site = site_of(server, f"hostile-{HOSTILE.index(asked)}")
    method, path, body = asked
    answer = httpx.request(method, server.url + path, content=body, headers={"X-Api-Key": site.key}, timeout=LIMIT)
    assert answer.status_code < 500, answer.text
    listed = site.call("GET", "/checks/")
    assert listed.status_code == 200


def test_headers_and_keys_that_are_no_text(server: EmbeddedHealthchecks) -> None:
    site = site_of(server, "no-text")
    check = site.create()
    assert ping(check["ping_url"], headers={"User-Agent": b"curl \xff\xfe"}).status_code == 200
    assert site.pings(check)[0]["ua"] == "curl \ufffd\ufffd"
    for header in (b"\xff" * 32, "ü".encode() * 16):
        assert httpx.get(f"{server.url}/api/v3/checks/", headers={"X-Api-Key": header}).status_code == 401
    for text in ("\ud800" * 32, "\udcff" * 32, "ü" * 32):
        body = json.dumps({"api_key": text})
        assert httpx.post(f"{server.url}/api/v3/checks/", content=body).json() == {"error": "wrong api key"}


def test_what_keeps_no_other_than_its_owner_out_is_not_read(tmp_path: Path) -> None:
    spec = prepare(tmp_path / "healthchecks", free_port())
    config = Path(spec.argv[-1])
    config.chmod(0o644)
    ended = subprocess.run(spec.argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 1
    assert f"chmod 600 {config}" in ended.stderr
    assert subprocess.run(spec.argv[:-1], capture_output=True, timeout=LIMIT, check=False).returncode == 2


def test_a_port_that_is_taken_is_said(server: EmbeddedHealthchecks, tmp_path: Path) -> None:
    port = urlsplit(server.url).port
    assert port
    spec = prepare(tmp_path / "healthchecks", port)
    ended = subprocess.run(spec.argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 1
    assert "Healthchecks cannot run" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_files_are_the_servers_alone(server: EmbeddedHealthchecks) -> None:
    assert {file.stat().st_mode & 0o077 for file in server.data.iterdir()} == {0}


def test_all_else_goes_on_while_somebody_reads_the_file(server: EmbeddedHealthchecks) -> None:
    """A backup with `sqlite3 healthchecks.sqlite .backup` stops nothing."""
    site = site_of(server, "backed-up")
    check = site.create()
    with database(server) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM pings").fetchone()
        assert ping(check["ping_url"]).status_code == 200
    assert kept(server, check, "n_pings") == 1
