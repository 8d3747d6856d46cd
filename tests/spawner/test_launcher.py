"""The launcher: it starts people's processes as these people, ends them with all they started, and survives nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from naas_client.errors import InvalidInput, Unavailable
from naas_spawner.launcher.client import LauncherClient, Started
from naas_spawner.launcher.processes import started_at
from naas_spawner.launcher.protocol import LONGEST_LINE, Task
from naas_storage.client import AgentClient
from naas_storage.plan import AgentPlan
from spawner_stack import ROOT, UID, LauncherProcess, wait_for

pytestmark = pytest.mark.server


class Person:
    """Somebody with folders, whose agent a test starts through a launcher."""

    def __init__(self, launcher: LauncherProcess, name: str, uid: int | None = UID) -> None:
        self.client = LauncherClient(launcher.socket)
        self.name, self.uid = name, uid
        self.home, self.run = (launcher.folder / part / name for part in ("homes", "servers"))
        for folder in (self.home, self.run):
            folder.parent.mkdir(mode=0o711, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if uid:
                os.chown(folder, uid, uid)

    def task(self, token: str = "", **more: Any) -> Task:
        plan = AgentPlan(
            key=self.name,
            username=self.name,
            gateway_url="",
            view=self.run / "s3",
            run=self.run,
            cache=self.run / "cache",
        )
        task = Task(
            gid=self.uid,
            home=str(self.home),
            cwd=str(self.run),
            log=str(self.run / "agent.log"),
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", "JUPYTERHUB_API_TOKEN": token},
            argv=["plan.json"],
            files={"plan.json": plan.model_dump_json()},
            first_folders=["local"],
        )
        return task.model_copy(update=more)

    def start(self, **more: Any) -> Started:
        return asyncio.run(self.client.start("agent", self.name, self.uid, self.task(**more)))

    def poll(self) -> tuple[bool, int | None]:
        found = asyncio.run(self.client.poll("agent", self.name))
        return found.running, found.exit

    def stop(self, grace: float = 10) -> None:
        asyncio.run(self.client.stop("agent", self.name, grace))

    def status(self) -> str:
        """The running agent's own word."""
        agent = AgentClient(self.run / "agent.sock")

        def ask() -> str | None:
            try:
                return asyncio.run(agent.status()).state
            except Unavailable:
                return None

        return str(wait_for(ask, "the agent answers"))


@pytest.fixture
def alice(launcher: LauncherProcess) -> Iterator[Person]:
    person = Person(launcher, "alice")
    yield person
    person.stop()


def proc(pid: int, name: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_a_process_is_started_answers_and_is_ended(alice: Person) -> None:
    started = alice.start()
    assert started_at(started.pid) == started.started
    assert alice.status() == "degraded"
    assert alice.poll() == (True, None)
    alice.stop()
    assert alice.poll() == (False, 0)
    assert started_at(started.pid) is None
    alice.stop()  # once more is no error


@pytest.mark.root
@pytest.mark.skipif(not ROOT, reason="needs root")
def test_it_runs_as_the_person_without_any_privilege(alice: Person) -> None:
    pid = alice.start().pid
    status = proc(pid, "status")
    assert status["Uid"].split() == [str(UID)] * 4
    assert status["Gid"].split() == [str(UID)] * 4
    assert status["Groups"] == ""
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert os.getsid(pid) == pid
    for made in (alice.run / "agent.log", alice.run / "plan.json", alice.home / "local", alice.home / ".bashrc"):
        assert made.stat().st_uid == UID
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0


def test_only_what_was_given_is_open_in_it(alice: Person) -> None:
    pid = alice.start().pid
    alice.status()
    targets = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [target for target in targets if "launcher" in target]


def holds(pid: int, secret: bytes) -> bool:
    """Whether a secret is anywhere in the writable memory of a process."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, *_ = line.split()
            if not mode.startswith("rw") or "[v" in line:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            file.seek(start)
            if secret in file.read(end - start):
                return True
    return False


def test_no_token_is_ever_in_the_launcher_or_in_somebody_elses_process(
    launcher: LauncherProcess, alice: Person
) -> None:
    token = f"hub-token-{os.getpid()}-of-alice"
    own = alice.start(token=token).pid
    alice.status()
    bob = Person(launcher, "bob", UID and UID + 1)
    other = bob.start(token="hub-token-of-bob").pid
    try:
        bob.status()
        assert launcher.part
        assert holds(own, token.encode())
        assert not holds(launcher.part.process.pid, token.encode())
        assert not holds(other, token.encode())
    finally:
        bob.stop()


def test_the_same_process_is_not_started_twice(alice: Person) -> None:
    alice.start()
    with pytest.raises(InvalidInput, match="runs already"):
        alice.start()


def test_a_start_that_cannot_be_done_is_explained(alice: Person) -> None:
    with pytest.raises(InvalidInput, match=r"agent alice was not started: .*No such file"):
        alice.start(cwd="/nonexistent")
    assert alice.poll() == (False, 1)
    alice.start()


def test_a_process_that_does_not_end_is_killed_and_delays_nobody(launcher: LauncherProcess, alice: Person) -> None:
    pid = alice.start().pid
    alice.status()
    os.kill(pid, signal.SIGSTOP)
    bob = Person(launcher, "bob", UID and UID + 1)

    async def both() -> tuple[float, float]:
        begin = time.monotonic()
        stopping = asyncio.create_task(alice.client.stop("agent", "alice", 1.0))
        await asyncio.sleep(0)
        await bob.client.start("agent", "bob", bob.uid, bob.task())
        bob_took = time.monotonic() - begin
        await stopping
        return bob_took, time.monotonic() - begin

    try:
        bob_took, stop_took = asyncio.run(both())
    finally:
        bob.stop()
    assert bob_took < 0.9 < 1.0 <= stop_took
    assert alice.poll() == (False, 128 + signal.SIGKILL)
    assert started_at(pid) is None


def ask(path: Path, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(str(path))
        try:
            channel.sendall(line)
            with channel.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline() or b'{"error": "closed"}')
                return answer
        except (BrokenPipeError, ConnectionResetError):
            return {"error": "closed"}


def start_line(**more: Any) -> bytes:
    return json.dumps({"op": "start", "kind": "agent", "key": "carla", "uid": UID, **more}).encode() + b"\n"


NONSENSE = [
    (b"\n", "Invalid JSON"),
    (b"GET / HTTP/1.1\n", "Invalid JSON"),
    (b"[]\n", "object"),
    (b'{"op": "format-disk"}\n', "op"),
    (b'{"op": "poll", "key": "alice"}\n', "kind"),
    (b'{"op": "poll", "kind": "agent", "key": "../alice"}\n', "key"),
    (b'{"op": "poll", "kind": "agent", "key": "Alice"}\n', "key"),
    (b'{"op": "poll", "kind": "agent", "key": "alice\\u0000"}\n', "key"),
    (b'{"op": "stop", "kind": "agent", "key": "alice", "grace": -1}\n', "grace"),
    (b'{"op": "stop", "kind": "agent", "key": "alice", "grace": 1e99}\n', "grace"),
    (start_line(kind="shell"), "kind"),
    (start_line(env={}), "env"),
    (start_line(uid="root"), "uid"),
    (b"x" * (LONGEST_LINE + 10_000) + b"\n", "closed"),
]


@pytest.mark.parametrize(("line", "said"), NONSENSE, ids=[str(number) for number in range(len(NONSENSE))])
def test_nonsense_is_answered_and_survived(launcher: LauncherProcess, line: bytes, said: str) -> None:
    answer = ask(launcher.socket, line)
    assert said in answer["error"]
    assert len(answer["error"]) < 500
    assert ask(launcher.socket, b'{"op": "poll", "kind": "agent", "key": "nobody"}\n')["running"] is False


@pytest.mark.parametrize("uid", [0, None, -1] if ROOT else [0, os.geteuid() + 1])
def test_nothing_is_started_as_somebody_it_must_not_be(launcher: LauncherProcess, uid: int | None) -> None:
    assert "uid" in ask(launcher.socket, start_line(uid=uid))["error"]


BAD_TASKS = [
    ({"home": "relative"}, "home"),
    ({"env": {"A=B": "x"}}, "env"),
    ({"env": {"A": "x\0y"}}, "env"),
    ({"files": {"../evil": "x"}}, "files"),
    ({"files": {"a/b": "x"}}, "files"),
    ({"first_folders": [".ssh"]}, "first_folders"),
    ({"shell": True}, "shell"),
]


@pytest.mark.parametrize(("change", "said"), BAD_TASKS)
def test_a_bad_task_is_refused_by_the_child(launcher: LauncherProcess, change: dict[str, Any], said: str) -> None:
    person = Person(launcher, "carla")
    document = {**person.task().model_dump(), **change}

    task: Any = SimpleNamespace(model_dump_json=lambda: json.dumps(document))
    with pytest.raises(InvalidInput, match=f"agent carla was not started: {said}"):
        asyncio.run(person.client.start("agent", "carla", UID, task))


def test_a_silent_client_holds_nobody_up(launcher: LauncherProcess, alice: Person) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(launcher.socket))
        begin = time.monotonic()
        alice.start()
        assert time.monotonic() - begin < 5


def test_socket_and_state_are_private_and_hold_no_secret(launcher: LauncherProcess, alice: Person) -> None:
    alice.start(token="hub-token-of-alice")
    state = launcher.socket.with_name("launcher.json")
    # the child may answer a moment before its parent has written it down
    wait_for(lambda: [e["key"] for e in json.loads(state.read_text())] == ["alice"], "alice is written down")
    for path in (launcher.socket, state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hub-token" not in state.read_text() + launcher.log()


def test_a_killed_launcher_is_followed_by_one_that_knows_everybody(own_launcher: LauncherProcess) -> None:
    alice = Person(own_launcher, "alice")
    pid = alice.start().pid
    alice.status()
    own_launcher.kill()
    assert started_at(pid)
    with pytest.raises(Unavailable, match="launcher of servers does not answer"):
        alice.poll()
    own_launcher.start()
    assert alice.poll() == (True, None)
    with pytest.raises(InvalidInput, match="runs already"):
        alice.start()
    alice.stop()
    assert started_at(pid) is None
    assert alice.poll() == (False, None)


def test_a_predecessors_pid_that_is_another_process_now_is_left_alone(own_launcher: LauncherProcess) -> None:
    own_launcher.kill()
    entry = {"kind": "server", "key": "alice", "pid": os.getpid(), "started": 1, "uid": UID}
    own_launcher.socket.with_name("launcher.json").write_text(json.dumps([entry]))
    own_launcher.start()
    client = LauncherClient(own_launcher.socket)
    assert not asyncio.run(client.poll("server", "alice")).running
    asyncio.run(client.stop("server", "alice", 0))


def test_a_launcher_that_is_told_to_end_ends_everybody_first(own_launcher: LauncherProcess) -> None:
    people = [Person(own_launcher, name, UID and UID + n) for n, name in enumerate(("alice", "bob"))]
    pids = [person.start().pid for person in people]
    for person in people:
        person.status()
    own_launcher.stop()
    assert [started_at(pid) for pid in pids] == [None, None]
    assert json.loads(own_launcher.socket.with_name("launcher.json").read_text()) == []
    assert not own_launcher.socket.exists()
    own_launcher.start()
