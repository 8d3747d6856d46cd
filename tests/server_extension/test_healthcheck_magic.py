"""`%%healthcheck` in a real kernel, with a real Healthchecks server: the cell is itself, whatever becomes of the pings."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from checks_server import OneCheck, is_late, took
from checks_site import checks_site
from gateway_app import HubStandIn
from jupyter_client.manager import start_new_kernel
from naas_client.gateway import API_PATH
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.healthchecks.settings import ADMIN_KEY
from naas_local.iam import embedded_iam
from naas_local.ports import free_port
from waiting import wait_for

pytestmark = pytest.mark.server
LIMIT = 60


@dataclass
class Cell:
    """What a cell showed and answered."""

    result: str = ""
    printed: str = ""
    warned: str = ""
    error: str = ""
    traceback: str = ""
    reply: dict[str, Any] = field(default_factory=dict)


class Kernel:
    """A kernel with the magics loaded."""

    def __init__(self, home: Path, **environment: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("NAAS_STORAGE_RUN", "JUPYTERHUB_API_TOKEN", "NAAS_GATEWAY_URL"):
                patch.delenv(name, raising=False)
            for name, value in {"HOME": str(home), "IPYTHONDIR": str(home / ".ipython"), **environment}.items():
                patch.setenv(name, value)
            self.manager, self.client = start_new_kernel(startup_timeout=LIMIT, cwd=str(home))
        assert not self.run("%load_ext naas_server.magics").error

    def run(self, code: str, on_print: Any = None) -> Cell:
        """Run a cell to its end. ``on_print`` is called when it prints."""
        cell = Cell()

        def listen(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "execute_result":
                cell.result += content["data"]["text/plain"]
            elif message["msg_type"] == "stream" and content["name"] == "stdout":
                cell.printed += content["text"]
                if on_print:
                    on_print()
            elif message["msg_type"] == "stream":
                cell.warned += content["text"]
            elif message["msg_type"] == "error":
                cell.error = content["ename"]
                cell.traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"]))

        cell.reply = self.client.execute_interactive(code, timeout=LIMIT, output_hook=listen)["content"]
        return cell

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHealthchecks]:
    with embedded_healthchecks(tmp_path_factory.mktemp("healthchecks")) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    running = Kernel(tmp_path_factory.mktemp("home"))
    yield running
    running.close()


@pytest.fixture
def check(server: EmbeddedHealthchecks, tmp_path: Path) -> OneCheck:
    return OneCheck.on(server, tmp_path.name)


def test_a_cell_is_itself(kernel: Kernel, check: OneCheck) -> None:
    cell = kernel.run(f"%%healthcheck {check.url}\nimport time; time.sleep(0.2)\nprint('out')\n20 + 1")
    assert (cell.result, cell.printed, cell.warned, cell.error) == ("21", "out\n", "", "")
    assert kernel.run("_ + 1").result == "22"
    start, end = check.wait("start", "success")
    assert start["rid"] == end["rid"]
    assert took(end) >= 0.2
    written = kernel.run("get_ipython().history_manager.input_hist_raw[-3]").result
    assert written[1:].startswith("%%healthcheck http"), "the history has what was written"


def test_an_error_is_the_cells_own_and_is_told(kernel: Kernel, check: OneCheck) -> None:
    cell = kernel.run(f"%%healthcheck '{check.url}'\ndef work():\n    raise ValueError('no beam')\nwork()")
    assert (cell.error, cell.reply["status"], cell.reply["ename"]) == ("ValueError", "error", "ValueError")
    assert "naas_" not in cell.traceback
    end = check.wait("start", "fail")[1]
    assert "ValueError: no beam" in end["body"]
    assert "in work" in end["body"]
    assert "interactiveshell.py" not in end["body"]
    assert "It took" in end["body"]


@pytest.mark.parametrize(
    ("code", "error", "kinds"),
    [
        ("def f(:", "SyntaxError", "fail"),
        ("raise SystemExit(3)", "SystemExit", "fail"),
        ("raise SystemExit(0)", "SystemExit", "success"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "fail"),
        ("import asyncio\nawait asyncio.sleep(0.01)\n1 / 0", "ZeroDivisionError", "fail"),
        ("import asyncio\nawait asyncio.sleep(0.01)\n7", "", "success"),
        ("%%time\n7", "", "success"),
        ("", "", "success"),
    ],
)
def test_cells_of_all_kinds(kernel: Kernel, check: OneCheck, code: str, error: str, kinds: str) -> None:
    plain, told = kernel.run(code), kernel.run(f"\n%%healthcheck {check.url}\n{code}")
    assert told.error == error == plain.error
    assert told.result == plain.result
    assert told.reply["status"] == plain.reply["status"]
    check.wait("start", kinds)


@pytest.mark.parametrize(
    "wait", ["import time\nfor _ in range(600): time.sleep(0.05)", "import asyncio\nawait asyncio.sleep(30)"]
)
def test_an_interrupted_cell_is_a_failure(kernel: Kernel, check: OneCheck, wait: str) -> None:
    cell = kernel.run(f"%%healthcheck {check.url}\nprint('ready')\n{wait}", kernel.manager.interrupt_kernel)
    assert cell.error in {"KeyboardInterrupt", "CancelledError"}
    check.wait("start", "fail")


def test_a_cell_that_runs_another(kernel: Kernel, server: EmbeddedHealthchecks, check: OneCheck) -> None:
    inner = OneCheck.on(server, "inner")
    code = f"%%healthcheck {check.url}\nget_ipython().run_cell('%%healthcheck {inner.url}\\n1 / 0')\n'done'"
    assert kernel.run(code).result == "'done'"
    inner.wait("start", "fail")
    check.wait("start", "success")


@pytest.mark.parametrize("line", ["", "  ", "--what", "'open", "x --project", "x --project y", "x" * 101])
def test_a_line_that_cannot_be_understood_is_a_sentence_and_nothing_runs(kernel: Kernel, line: str) -> None:
    cell = kernel.run(f"%%healthcheck {line}\nran = 1")
    said = (cell.warned + cell.traceback).strip()
    assert "UsageError" in said or cell.error == "UsageError"
    assert "Traceback" not in said
    assert kernel.run("'ran' in globals()").result == "False"


def test_text_that_only_looks_like_it_is_left_alone(kernel: Kernel) -> None:
    assert kernel.run("x = '''\n%%healthcheck y\n'''\nx").result == "'\\n%%healthcheck y\\n'"
    assert "UsageError" in kernel.run("%%healthchecker x\n1").warned


def test_a_name_that_nobody_can_make_does_not_disturb_the_cell(kernel: Kernel) -> None:
    cell = kernel.run("%%healthcheck nightly calibration\n5")
    assert (cell.result, cell.printed, cell.warned, cell.error) == ("5", "", "", ""), "nobody is signed in here"
    assert "naas login" in kernel.run("%healthchecks").warned


def test_while_the_server_is_away_cells_are_themselves_and_pings_arrive_late(tmp_path: Path) -> None:
    folder, port, home = tmp_path / "server", free_port(), tmp_path / "home"
    home.mkdir()
    with embedded_healthchecks(folder, port=port) as server:
        check = OneCheck.on(server, "alice")
    kernel = Kernel(home)
    try:
        begun = time.monotonic()
        cell = kernel.run(f"%%healthcheck {check.url}\n21")
        assert (cell.result, cell.printed, cell.warned, cell.error) == ("21", "", "", "")
        assert kernel.run(f"%%healthcheck {check.url}\n1 / 0").error == "ZeroDivisionError"
        assert time.monotonic() - begun < 10
        wait_for(lambda: time.monotonic() - begun > 16, "the pings to be late")
        with embedded_healthchecks(folder, port=port) as server:
            pings = OneCheck(server, check.key, check.url).wait("start", "success", "start", "fail", limit=100)
            assert all(is_late(ping) for ping in pings)
        kernel.run(f"%%healthcheck {check.url}\n22")
    finally:
        kernel.close()
    with embedded_healthchecks(folder, port=port) as server:
        again = OneCheck(server, check.key, check.url)
        assert [
            ping["type"] for ping in again.wait(*["start", "success", "start", "fail"], "start", "success", limit=100)
        ][4:]


def test_a_check_is_made_by_its_name_and_shown_in_a_table(tmp_path: Path) -> None:
    key = {"admin_key_file": str(tmp_path / "healthchecks" / ADMIN_KEY)}
    with (
        embedded_iam(tmp_path) as iam,
        HubStandIn().serving() as hub,
        checks_site(tmp_path, iam, hub, healthchecks=key) as site,
    ):
        site.gateway.sign_in("alice")
        token, home = hub.user_token("alice"), tmp_path / "home"
        home.mkdir()
        kernel = Kernel(home, NAAS_GATEWAY_URL=site.gateway.url + API_PATH, JUPYTERHUB_API_TOKEN=token)
        try:
            assert "No checks here" in kernel.run("%healthchecks").result
            assert kernel.run("%%healthcheck nightly <b>calibration\n1 / 0").error == "ZeroDivisionError"
            assert kernel.run("from naas_client.checks import flush; flush(20)").result == "True"
            wait_for(lambda: "down" in kernel.run("%healthchecks nightly").result, "the check in the table")
            assert "nightly <b>calibration  every 1 d, grace 1 h" in kernel.run("%healthchecks").result
            assert "&lt;b&gt;calibration" in kernel.run("table = %healthchecks\ntable._repr_html_()").result
            site.gateway.stop()
            assert kernel.run("%%healthcheck nightly <b>calibration\n5").result == "5"
            assert kernel.run("flush(20)").result == "True", "a check that is known needs no gateway"
            assert "The gateway does not answer" in kernel.run("%healthchecks").warned
        finally:
            kernel.close()


def test_loading_is_cheap() -> None:
    code = "import sys, naas_server.magics; print({'httpx', 'pydantic', 'naas_storage'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
