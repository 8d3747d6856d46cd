"""`naas_client.checks` in programs of their own, with a real Healthchecks server: nothing changes what a program does."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from checks_server import OneCheck, is_late, took
from naas_client.checks import deliver, spool
from naas_client.checks.addresses import checked
from naas_client.checks.pings import GaveUp, Ping
from naas_client.checks.runs import healthcheck, ping
from naas_client.checks.sender import MOST, Sender
from naas_client.errors import InvalidInput, Unavailable
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.ports import free_port
from pydantic import ValidationError
from waiting import wait_for

pytestmark = pytest.mark.server
LIMIT = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHealthchecks]:
    with embedded_healthchecks(tmp_path_factory.mktemp("healthchecks")) as running:
        yield running


@pytest.fixture
def check(server: EmbeddedHealthchecks, tmp_path: Path) -> OneCheck:
    return OneCheck.on(server, tmp_path.name)


def program(home: Path, code: str, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of somebody's."""
    names = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), "URL": url}
    argv = [sys.executable, "-c", f"import os\nfrom naas_client.checks import *\nurl = os.environ['URL']\n{code}"]
    return subprocess.run(
        argv, env={**names, **environment}, capture_output=True, text=True, timeout=LIMIT, check=False, cwd=home
    )


def waiting(home: Path) -> Path:
    return home / ".local" / "state" / "naas" / "checks" / "waiting.jsonl"


def test_a_block_tells_its_start_and_its_end(check: OneCheck, tmp_path: Path) -> None:
    done = program(tmp_path, "import time\nwith healthcheck(url):\n    time.sleep(0.2)\nprint('after')", check.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "after\n", "")
    start, end = check.wait("start", "success")
    assert start["rid"] == end["rid"]
    assert took(end) >= 0.2


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("ValueError('no beam')", 1, "ValueError: no beam"),
        ("KeyboardInterrupt()", 1, "KeyboardInterrupt"),
        ("SystemExit(3)", 3, "SystemExit: 3"),
        ("Silent()", 1, "Silent"),
    ],
)
def test_an_error_passes_unchanged_and_is_told(
    check: OneCheck, tmp_path: Path, error: str, status: int, said: str
) -> None:
    code = f"""
class Silent(Exception):
    def __str__(self): raise RuntimeError
error = {error}
def work():
    raise error
try:
    with healthcheck(url):
        work()
except BaseException as found:
    assert found is error
    if not isinstance(found, Silent): raise
    raise SystemExit(1)
"""
    done = program(tmp_path, code, check.url)
    assert done.returncode == status, done.stderr
    _, end = check.wait("start", "fail")
    assert said in end["body"]
    assert "in work" in end["body"]


def test_an_orderly_exit_is_no_failure(check: OneCheck, tmp_path: Path) -> None:
    assert program(tmp_path, "with healthcheck(url): raise SystemExit(0)", check.url).returncode == 0
    check.wait("start", "success")


def test_functions_of_all_kinds(check: OneCheck, tmp_path: Path) -> None:
    code = """
import asyncio
@healthcheck(url)
def plain(a, *, b=2):
    "what it does"
    return a + b
@healthcheck(url)
def stops():
    raise StopIteration(1)
try: stops()
except StopIteration as stop: assert stop.value == 1
@healthcheck(url)
async def coroutine():
    await asyncio.sleep(0)
    return 5
@healthcheck(url)
def generator():
    got = yield 1
    yield got
    return "end"
assert (plain(1), plain.__name__, plain.__doc__) == (3, "plain", "what it does")
assert asyncio.run(coroutine()) == 5
g = generator()
assert next(g) == 1 and g.send("x") == "x"
try: next(g)
except StopIteration as stop: assert stop.value == "end"
"""
    done = program(tmp_path, code, check.url)
    assert done.returncode == 0, done.stderr
    pings = check.wait("start", "fail", *["start", "success"] * 3)
    assert len({ping["rid"] for ping in pings}) == 4

    async def endless() -> object:
        yield 1

    with pytest.raises(InvalidInput, match="with healthcheck"):
        healthcheck("x")(endless)


def test_one_object_in_many_threads(check: OneCheck, tmp_path: Path) -> None:
    code = """
import threading, time
told = healthcheck(url)
def work(n):
    with told:
        time.sleep(0.05 * n)
        with told: pass
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    assert program(tmp_path, code, check.url).returncode == 0
    wait_for(lambda: len(check.kinds) >= 16, "the pings")
    runs: dict[str, list[str]] = {}
    for one in check.pings:
        runs.setdefault(one["rid"], []).append(one["type"])
    assert list(runs.values()) == [["start", "success"]] * 8


def test_work_goes_on_while_the_server_is_away_and_pings_arrive_late(tmp_path: Path) -> None:
    folder, port = tmp_path / "server", free_port()
    with embedded_healthchecks(folder, port=port) as server:
        check = OneCheck.on(server, "alice")
    code = """
import time
begun = time.monotonic()
with healthcheck(url): result = 1
assert time.monotonic() - begun < 0.5, "the work was held up"
with healthcheck(url): raise ValueError("no beam")
"""
    begun = time.monotonic()
    done = program(tmp_path, code, check.url)
    assert time.monotonic() - begun < 15
    assert done.returncode == 1
    assert done.stderr.strip().endswith("ValueError: no beam")
    kept = waiting(tmp_path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert [json.loads(line)["signal"] for line in kept.read_text().splitlines()] == ["start", "", "start", "fail"]
    meant_earlier(kept)
    with embedded_healthchecks(folder, port=port) as server:
        check = OneCheck(server, check.key, check.url)
        pings = check.wait("start", "success", "start", "fail", limit=90)
        assert all(is_late(ping) for ping in pings)
        assert "no beam" in pings[-1]["body"]
        wait_for(lambda: not kept.exists(), "nothing waits any more")


def hours_ago(hours: int) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).isoformat()


def meant_earlier(kept: Path) -> None:
    """As if the server had been away for an hour: what waits was meant then."""
    lines = [{**json.loads(line), "at": hours_ago(1)} for line in kept.read_text().splitlines()]
    kept.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_what_an_earlier_program_left_comes_first(check: OneCheck, tmp_path: Path) -> None:
    kept = waiting(tmp_path)
    kept.parent.mkdir(parents=True, mode=0o700)
    left = {"check": check.url, "signal": "fail", "text": "left", "at": hours_ago(2)}
    kept.write_text(json.dumps(left) + "\nnot a ping\n")
    done = program(tmp_path, "ping(url, text='new')", check.url)
    assert done.returncode == 0, done.stderr
    first, second = check.wait("fail", "success")
    assert "2 h late" in first["body"]
    assert second["body"] == "new"
    assert not kept.exists()


def test_what_nobody_takes_is_given_up(check: OneCheck, tmp_path: Path) -> None:
    wrong = check.url[:-12] + "0" * 12
    done = program(
        tmp_path,
        f"ping({wrong!r})\nping(url)\nprint(flush(10))\nfrom naas_client.checks.sender import sender\nprint(list(sender().problems))",
        check.url,
    )
    assert done.stdout.startswith("True\n")
    assert "not found" in done.stdout
    check.wait("success")
    assert not waiting(tmp_path).exists()


def test_a_forked_child_has_pings_of_its_own(check: OneCheck, tmp_path: Path) -> None:
    code = """
ping(url, "log", "parent"); flush()
if (pid := os.fork()) == 0:
    ping(url, "log", "child"); flush()
    os._exit(0)
os.waitpid(pid, 0)
ping(url, "log", "after")
"""
    assert program(tmp_path, code, check.url).returncode == 0
    assert [ping["body"] for ping in check.wait("log", "log", "log")] == ["parent", "child", "after"]


def test_a_home_that_cannot_be_written_disturbs_nobody(check: OneCheck, tmp_path: Path) -> None:
    done = program(tmp_path, "with healthcheck(url): print('work')", check.url, XDG_STATE_HOME="/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "work\n", "")
    check.wait("start", "success")
    done = program(tmp_path, "with healthcheck('a name'): print('work')", check.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "work\n", ""), "nobody is signed in"


def some(check: str, text: str = "") -> Ping:
    return Ping.model_validate({"check": check, "text": text, "at": "2026-01-01T00:00:00Z"})


def test_what_waits_is_bounded_and_nobody_is_held_up() -> None:
    go_on = threading.Event()
    sender = Sender(lambda _: go_on.wait(LIMIT) and None, keeps=False)
    begun = time.monotonic()
    for number in range(MOST + 50):
        sender.put(some("https://x", str(number)))
    assert time.monotonic() - begun < 5
    assert len(sender.waiting()) == MOST
    assert "too many" in sender.problems[-1]
    assert not sender.flush(0.1)
    go_on.set()
    assert sender.flush(30)


def test_one_check_that_cannot_be_reached_does_not_hold_up_others() -> None:
    sent: list[str] = []
    down = [True]

    def send(one: Ping) -> None:
        if one.check == "down" and down[0]:
            raise Unavailable("away")
        if one.text == "bad":
            raise GaveUp("refused")
        if one.text == "worse":
            raise RuntimeError("ours")
        sent.append(f"{one.check} {one.text}")

    sender = Sender(send, keeps=False)
    for text in ("1", "2"):
        sender.put(some("down", text))
    for text in ("1", "bad", "worse", "2"):
        sender.put(some("up", text))
    wait_for(lambda: len(sent) == 2, "the check that is up")
    assert [(one.text, why) for one, why in sender.waiting()] == [("1", "away"), ("2", "away")]
    down[0] = False
    assert sender.flush(10)
    assert sent == ["up 1", "up 2", "down 1", "down 2"], "in order"


def test_a_server_that_does_not_answer_keeps_nobody_from_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = Ping(check=f"http://127.0.0.1:{silent.getsockname()[1]}/x", at=dt.datetime.now(dt.UTC))
        spool.add([one])
        sending = threading.Thread(target=deliver._round)
        sending.start()
        connection, _ = silent.accept()
        with connection:
            begun = time.monotonic()
            spool.add([Ping(check=one.check, text="from a program that ends", at=one.at)])
            with pytest.raises(Unavailable):
                spool.take()
            assert time.monotonic() - begun < 1
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            sending.join(LIMIT)
    assert [left.text for left in spool.take()] == ["from a program that ends"]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "\x1b[31m"])
def test_names_that_can_be_nobodys(name: str) -> None:
    with pytest.raises(InvalidInput):
        checked(name)
    with pytest.raises(InvalidInput):
        healthcheck(name)


@pytest.mark.parametrize("signal", ["256", "success", "-1", "start/", "1e3"])
def test_signals_that_there_are_not(signal: str) -> None:
    with pytest.raises(InvalidInput, match="exit status from 0 to 255"):
        ping("x", signal)
    if not signal.isdigit():
        with pytest.raises(ValidationError):
            Ping(check="x", signal=signal, at=dt.datetime.now(dt.UTC))


def test_a_long_text_is_cut_to_its_end(check: OneCheck, tmp_path: Path) -> None:
    done = program(tmp_path, "ping(url, 'log', 'è' * 100_000 + 'the end \\udc80')", check.url)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = check.wait("log")
    assert said["body"].endswith("the end ?")
    assert len(said["body"].encode()) <= 9000
