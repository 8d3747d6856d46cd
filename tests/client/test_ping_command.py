"""`naas ping`: the command's output, signals and exit status are its own; the check is told what happened."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checks_server import OneCheck, is_late, took
from laptop import NAAS
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.ports import free_port
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


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "NAAS_GATEWAY_URL"):
        monkeypatch.delenv(name, raising=False)


def ping(check: OneCheck | str, *argv: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    name = check if isinstance(check, str) else check.url
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([NAAS, "ping", name, *argv], timeout=LIMIT, check=False, **streams)


def start(check: OneCheck, *argv: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([NAAS, "ping", check.url, "--", *argv], stdout=subprocess.PIPE, **options)


def test_a_command_is_itself_and_is_told(check: OneCheck) -> None:
    done = ping(check, "--", "sh", "-c", "printf 'out\\377\\000'; printf err >&2; cat; sleep 0.1", input=b"in\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\xff\x00in\r\n", b"err")
    begun, ended = check.wait("start", "success")
    assert begun["rid"] == ended["rid"]
    assert took(ended) >= 0.1
    assert "out\ufffd" in ended["body"]
    assert "err" in ended["body"]


@pytest.mark.parametrize("status", [1, 3, 127, 255])
def test_its_exit_status_passes_and_is_told(check: OneCheck, status: int) -> None:
    assert ping(check, "--", "sh", "-c", f"exit {status}").returncode == status
    assert check.wait("start", "fail")[1]["exitstatus"] == status


def test_options_of_the_command_are_its_own(check: OneCheck) -> None:
    assert ping(check, "--", "echo", "--help", "--", "--project", "3").stdout == b"--help -- --project 3\n"
    check.wait("start", "success")


def test_a_command_that_cannot_be_started(check: OneCheck, tmp_path: Path) -> None:
    missing = ping(check, "--", "/no/such/program")
    assert missing.returncode == 127
    assert b"/no/such/program: No such file" in missing.stderr
    (tmp_path / "text").write_text("x")
    assert ping(check, "--", str(tmp_path / "text")).returncode == 126
    assert [one.get("exitstatus") for one in check.wait("start", "fail", "start", "fail")[1::2]] == [127, 126]


def test_one_file_for_both_streams_keeps_their_order(check: OneCheck, tmp_path: Path) -> None:
    code = "import os\nfor n in range(300): os.write(1 + n % 2, b'%d\\n' % n)"
    with (tmp_path / "log").open("wb") as log:
        ping(check, "--", sys.executable, "-c", code, stdout=log, stderr=log)
    assert [int(line) for line in (tmp_path / "log").read_text().split()] == list(range(300))
    assert "\n299\n" in check.wait("start", "success")[1]["body"]


def test_long_output_passes_whole_and_its_end_is_told(check: OneCheck) -> None:
    done = ping(check, "--", sys.executable, "-c", "print('x' * 5_000_000); print('the end')")
    assert len(done.stdout) == 5_000_009
    body = check.wait("start", "success")[1]["body"]
    assert "the end" in body
    assert len(body) <= 9000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_reach_the_command(check: OneCheck, number: signal.Signals) -> None:
    code = f"""
import os, signal, sys
got = []
signal.signal({int(number)}, lambda *_: got.append(1))
signal.alarm(30)
print('ready', flush=True)
while not got: signal.pause()
print('got', flush=True)
sys.exit(7)
"""
    process = start(check, sys.executable, "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=LIMIT)[0] == b"got\n"
    assert process.returncode == 7
    check.wait("start", "fail")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ends_the_command_ends_us(check: OneCheck, number: signal.Signals) -> None:
    code = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), int(os.sys.argv[1]))"
    assert ping(check, "--", sys.executable, "-c", code, str(int(number))).returncode == -number
    assert check.wait("start", "fail")[1]["exitstatus"] == 128 + number


def test_a_terminals_ctrl_c_reaches_the_command_once(check: OneCheck) -> None:
    code = """
import signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print('tty', sys.stdout.isatty(), flush=True)
end = time.monotonic() + 30
while not got and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.5)
print('got', len(got), flush=True)
"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(NAAS, [NAAS, "ping", check.url, "--", sys.executable, "-c", code])
    shown = b""
    while b"tty True" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while not re.search(rb"got \d+\r\n", shown):
        shown += os.read(terminal, 1000)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert b"got 1" in shown
    check.wait("start", "success")


def test_a_reader_that_goes_away_is_noticed_by_the_command(check: OneCheck) -> None:
    line = f"{NAAS} ping {check.url} -- sh -c 'trap \"\" TERM; yes' | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=LIMIT, check=False)
    assert done.stdout == b"y\n"
    assert check.wait("start", "fail")[1]["exitstatus"] == 128 + signal.SIGPIPE


def test_a_slow_reader_gets_everything(check: OneCheck) -> None:
    process = start(check, sys.executable, "-c", "print('x' * 150_000)")
    assert process.stdout is not None
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 4, "the reader to begin")
    assert len(process.stdout.read()) == 150_001
    assert process.wait(LIMIT) == 0


def test_a_daemon_that_is_left_behind_is_not_waited_for(check: OneCheck) -> None:
    begun = time.monotonic()
    assert ping(check, "--", "sh", "-c", "sleep 20 & echo started").stdout == b"started\n"
    assert time.monotonic() - begun < 15
    check.wait("start", "success")


def test_output_that_is_nobodys_business(check: OneCheck) -> None:
    assert ping(check, "--no-output", "--", "echo", "secret").stdout == b"secret\n"
    assert "secret" not in check.wait("start", "success")[1]["body"]


def test_one_ping_without_a_command(check: OneCheck) -> None:
    assert ping(check).returncode == 0
    check.wait("success")
    wrong = ping(check.url[:-12] + "0" * 12)
    assert wrong.returncode == 1
    assert b"not found" in wrong.stderr
    nobody = ping("a name")
    assert nobody.returncode == 1
    assert b"naas login" in nobody.stderr


def test_while_the_server_is_away_the_command_is_itself_and_pings_arrive_late(tmp_path: Path) -> None:
    folder, port = tmp_path / "server", free_port()
    with embedded_healthchecks(folder, port=port) as server:
        check = OneCheck.on(server, "alice")
    begun = time.monotonic()
    done = ping(check, "--", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"out\n", b"err\n")
    assert time.monotonic() - begun < 20
    assert b"tried again in the background" in ping(check).stderr
    wait_for(lambda: time.monotonic() - begun > 16, "the pings to be late")
    with embedded_healthchecks(folder, port=port) as server:
        pings = OneCheck(server, check.key, check.url).wait("start", "fail", "success", limit=100)
    assert is_late(pings[0])
    assert is_late(pings[1])
    assert pings[1]["exitstatus"] == 4
    assert "out" in pings[1]["body"]
