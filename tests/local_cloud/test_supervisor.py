"""The supervisor with small real parts: start, death, restart, stop, leftovers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from naas_local.data import DataFolder
from naas_local.parts import PartFailed, PartSpec, running
from naas_local.ports import free_port
from naas_local.supervisor import Supervisor, end_leftovers, same_process

pytestmark = pytest.mark.server
LIMIT = 20


def web(name: str, **options: object) -> PartSpec:
    port = free_port()
    argv = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return PartSpec(name, argv, f"http://127.0.0.1:{port}/", **options)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


def run_until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    """Run the supervisor in this thread; `done` is looked at after every change of state."""
    end = time.monotonic() + LIMIT

    def changed() -> None:
        if done() or time.monotonic() > end:
            os.kill(os.getpid(), signal.SIGINT)

    supervisor.changed = changed
    supervisor.run()
    assert time.monotonic() < end


def test_parts_start_in_the_order_of_their_needs_and_all_stop(data: DataFolder) -> None:
    supervisor = Supervisor(data, "http://x", [web("hub", needs=("proxy",)), web("proxy")], None)
    run_until(supervisor, lambda: supervisor.ready)
    proxy, hub = supervisor.parts["proxy"], supervisor.parts["hub"]
    assert proxy.process is not None
    assert hub.process is not None
    assert hub.process.started > proxy.process.started
    assert {part.state for part in supervisor.parts.values()} == {"stopped"}
    for part in (proxy, hub):
        assert part.process is not None
        assert not psutil.pid_exists(part.process.process.pid)


def test_a_part_that_dies_is_started_again_alone(data: DataFolder) -> None:
    supervisor = Supervisor(data, "http://x", [web("gateway"), web("hub")], None)
    pids: dict[str, list[int]] = {"gateway": [], "hub": []}

    def done() -> bool:
        for name, part in supervisor.parts.items():
            if part.state == "ok" and part.process and part.process.process.pid not in pids[name]:
                pids[name].append(part.process.process.pid)
        if supervisor.ready and len(pids["gateway"]) == 1:
            os.kill(pids["gateway"][0], signal.SIGKILL)
        return len(pids["gateway"]) == 2 and supervisor.ready

    run_until(supervisor, done)
    assert len(pids["hub"]) == 1
    assert supervisor.parts["gateway"].deaths == 1


def test_a_part_that_cannot_start_ends_everything_and_shows_its_log(data: DataFolder) -> None:
    broken = PartSpec("iam", (sys.executable, "-c", "print('no such key'); raise SystemExit(3)"), "http://127.0.0.1:9/")
    supervisor = Supervisor(data, "http://x", [web("proxy"), broken], None)
    with pytest.raises(PartFailed, match="iam ended with 3") as failed:
        supervisor.run()
    assert "no such key" in str(failed.value)
    proxy = supervisor.parts["proxy"].process
    assert proxy is None or proxy.process.poll() is not None


def test_the_state_file_is_what_status_prints(data: DataFolder) -> None:
    supervisor = Supervisor(data, "http://x", [web("proxy", url="http://x")], None)
    seen: dict[str, object] = {}

    def done() -> bool:
        if supervisor.ready:
            seen.update(json.loads(data.state.read_text()))
        return supervisor.ready

    run_until(supervisor, done)
    assert seen["ready"] is True
    (part,) = seen["parts"]  # type: ignore[misc]
    assert {"name", "state", "url", "seconds_to_ready", "log"} <= set(part)


def test_leftovers_are_ended_only_when_they_are_the_very_processes(data: DataFolder) -> None:
    ours, stranger = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    try:
        created = psutil.Process(ours.pid).create_time()
        rows = [
            {"name": "hub", "pid": ours.pid, "created": created},
            {"name": "proxy", "pid": stranger.pid, "created": created - 5},
        ]
        assert same_process(stranger.pid, created - 5) is None
        assert end_leftovers({"parts": rows}) == ["hub"]
        assert not psutil.pid_exists(ours.pid)
        assert stranger.poll() is None
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()


def test_parts_end_with_their_parent_even_when_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from naas_local.parts import PartSpec, RunningPart\n"
        f"part = RunningPart(PartSpec('x', ('sleep', '60'), 'http://127.0.0.1:9/'), pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "print(part.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(LIMIT)


def test_a_secret_reaches_its_own_part_only(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("5ecret\n")
    spec = web("proxy", secrets={"TOKEN": secret})
    with running(spec, tmp_path / "logs") as part:
        assert psutil.Process(part.process.pid).environ()["TOKEN"] == "5ecret"
    assert "TOKEN" not in os.environ
