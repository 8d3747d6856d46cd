"""`NaasLocalSpawner` in a real hub: choices, people's places, kernels, progress, the end, and a hub that is restarted."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from naas_spawner.launcher.processes import started_at
from spawner_stack import FIRST_UID, ROOT, HubUnderTest, LauncherProcess, wait_for

pytestmark = pytest.mark.server

GIB = 2**30


@pytest.fixture(scope="module")
def examples(data: Path) -> Path:
    folder = data / "installed-examples"
    folder.mkdir()
    (folder / "first.ipynb").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def spawner_settings(examples: Path) -> dict[str, Any]:
    return {"examples_dir": str(examples)}


@pytest.fixture
def alice(hub: HubUnderTest) -> Iterator[str]:
    yield "alice"
    for server in hub.user("alice")["servers"]:
        hub.stop("alice", server)


def pid_of(hub: HubUnderTest, name: str) -> int:
    return int(next(e["pid"] for e in launched(hub) if (e["kind"], e["key"]) == ("server", name)))


def launched(hub: HubUnderTest) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((hub.data / "run" / "launcher.json").read_text())
    return entries


def options(hub: HubUnderTest, name: str) -> dict[str, Any] | None:
    """What the hub remembers as a person's choice."""
    server = hub.user(name)["servers"].get("")
    return server["user_options"] if server else None


# Choosing


def test_a_start_without_options_takes_the_defaults_and_remembers_them(hub: HubUnderTest, alice: str) -> None:
    server = hub.started(alice)
    assert server["user_options"] == {
        "profile": "standard",
        "image": "Installed software",
        "cores": 1,
        "memory": 4 * GIB,
        "gpu": "none",
        "cvmfs": [],
    }


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("alice", {"profile": "gpu-full"}, "The profile GPU full is open to members of users/ml-infn"),
    ("bob", {"profile": "developer"}, "open to members of developers"),
    ("alice", {"memory": -1}, "does not have this size of memory"),
    ("alice", {"custom_image": "evil/image"}, "may not start images of their own"),
    ("alice", {"profile": "<script>alert(1)</script>"}, "This profile does not exist"),
    ("alice", {"profile": "x" * 10_000_000}, "longer than 300 characters"),
    ("alice", {"cmd": ["sh", "-c", "id"]}, "Option “cmd” is not known"),
]


@pytest.mark.parametrize(("name", "body", "sentence"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_a_forged_api_body_is_refused_and_leaves_nothing(
    hub: HubUnderTest, name: str, body: dict[str, Any], sentence: str
) -> None:
    answer = hub.start(name, body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    assert len(answer.text) < 500
    assert not hub.server(name)
    assert not [entry for entry in launched(hub) if entry["key"] == name]
    # what was refused is not what the next start takes
    hub.started(name)
    assert (options(hub, name) or {})["profile"] == "standard"
    hub.stop(name)


@pytest.mark.parametrize("query", ["opt-profile=gpu-full", "opt-memory=-1", "opt-cmd=sh", "profile=gpu-full"])
def test_a_forged_query_is_refused_with_the_form_again(hub: HubUnderTest, query: str) -> None:
    page = hub.browser("bob").get(f"/hub/spawn?{query}")
    assert page.status_code == 400
    assert "profile:" in page.text or 'name="profile"' in page.text
    assert not hub.server("bob")


def test_the_form_shows_what_is_open_and_what_is_locked(hub: HubUnderTest) -> None:
    page = hub.browser("bob").get("/hub/spawn").text
    assert "Standard" in page
    assert "GPU full" in page
    assert re.search(r'name="profile"[^>]*value="standard"', page)
    assert "users/ml-infn" in page


def test_the_form_starts_what_was_chosen_and_again_starts_the_same(hub: HubUnderTest, alice: str) -> None:
    browser = hub.browser(alice)
    browser.get("/hub/spawn")
    token = {"_xsrf": browser.cookies.get("_xsrf", path="/hub/") or browser.cookies.get("_xsrf") or ""}
    form = {"profile": "developer", "cores:developer": "4", "memory:developer": str(16 * GIB), "cores:standard": "1"}
    assert browser.post("/hub/spawn", data={**form, **token}).status_code == 200
    wait_for(lambda: (s := hub.server(alice)) and s["ready"], "the server is ready")
    chosen = options(hub, alice)
    assert chosen
    assert (chosen["profile"], chosen["cores"], chosen["memory"]) == ("developer", 4, 16 * GIB)
    hub.stop(alice)
    assert "As last time" in browser.get("/hub/spawn").text
    assert browser.post("/hub/spawn", data={"again": "1", **token}).status_code == 200
    wait_for(lambda: (s := hub.server(alice)) and s["ready"], "the server is ready")
    assert options(hub, alice) == chosen


# The place


def test_a_server_runs_in_its_own_place_with_no_secret_but_its_token(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice, {"profile": "developer"})
    kernel, printed = hub.run(
        alice,
        "import os, json\n"
        "print(json.dumps([os.getuid(), os.getgroups(), os.getcwd(), dict(os.environ), os.umask(0o77), os.listdir()]))",
    )
    uid, groups, folder, environment, mask, names = json.loads(printed)
    assert folder == environment["HOME"] == str(hub.data / "homes" / "alice")
    assert mask == 0o077
    assert {"local", "examples", ".bashrc"} <= set(names)
    secrets = {k: v for k, v in environment.items() if re.search("token|secret|passw|key", k, re.IGNORECASE)}
    assert set(secrets) == {"JUPYTERHUB_API_TOKEN"}
    proxy_token = json.loads(hub.spec.environment["TEST_SETTINGS"])["proxy"]["auth_token"]
    assert proxy_token not in json.dumps(environment)
    assert environment["MAKEFLAGS"] == "-j2"
    assert environment["MEM_LIMIT"] == str(8 * GIB)
    runtime = Path(environment["JUPYTER_RUNTIME_DIR"])
    connection = json.loads((runtime / f"kernel-{kernel}.json").read_text())
    assert connection["transport"] == "ipc"
    if ROOT:
        assert uid == json.loads((hub.data / "uids.json").read_text())["users"]["alice"] > FIRST_UID
        assert groups == []
        for path in (hub.data / "homes" / "alice", hub.data / "servers" / "alice", runtime):
            assert path.stat().st_uid == uid
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.root
@pytest.mark.skipif(not ROOT, reason="needs root")
def test_bob_reaches_nothing_of_alice_on_the_machine(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice)
    hub.started("bob")
    pid = pid_of(hub, "alice")
    port = hub.run(alice, "import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])")[1].strip()
    try:
        attempts = f"""
import os, urllib.request, urllib.error
def attempt(what, do):
    try:
        print(what, "WORKS", do())
    except Exception as error:
        print(what, type(error).__name__, getattr(error, "code", ""))
attempt("home", lambda: os.listdir({str(hub.data / "homes" / "alice")!r}))
attempt("run", lambda: os.listdir({str(hub.data / "servers" / "alice")!r}))
attempt("environ", lambda: open("/proc/{pid}/environ").read())
attempt("kill", lambda: os.kill({pid}, 0))
attempt("launcher", lambda: __import__("socket").socket(1).connect({str(hub.data / "run" / "launcher.sock")!r}))
attempt("api", lambda: urllib.request.urlopen({port!r} + "api/contents").read())
"""
        printed = hub.run("bob", attempts)[1].split("\n")
    finally:
        hub.stop("bob")
    assert [line for line in printed if line] == [
        "home PermissionError ",
        "run PermissionError ",
        "environ FileNotFoundError ",
        "kill PermissionError ",
        "launcher PermissionError ",
        "api HTTPError 403",
    ]


def test_the_server_listens_on_loopback_only(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice)
    address = hub.run(alice, "import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])")[1]
    assert address.startswith("http://127.0.0.1:")
    port = int(address.split(":")[2].split("/")[0])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening


# Progress


def test_progress_is_told_by_phase(hub: HubUnderTest, alice: str) -> None:
    hub.part.process.send_signal(signal.SIGCONT)
    events: list[dict[str, Any]] = []
    assert hub.start(alice).status_code in {201, 202}
    with hub.http.stream("GET", f"/hub/api/users/{alice}/server/progress") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                events.append(json.loads(line[5:]))
                if events[-1].get("ready") or events[-1].get("failed"):
                    break
    assert events[-1]["ready"]
    phases = [event for event in events if "phase" in event]
    if not phases:  # the server was ready before the page asked
        return
    states: dict[str, list[str]] = {}
    for event in phases:
        states.setdefault(event["phase"], []).append(event["state"])
    assert list(states) == ["groups", "bucket", "folders", "place", "server", "lab"]
    assert states["server"] == ["expected", "now", "done"]
    assert states["bucket"][-1] == "degraded"
    assert {event["lane"] for event in phases} == {"access", "files", "server"}


# The end


def test_a_stop_ends_everything_that_the_server_started(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice)
    _kernel, printed = hub.run(
        alice,
        "import subprocess, os\n"
        "stray = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "hidden = subprocess.run(['sh', '-c', 'setsid sleep 1001 >/dev/null 2>&1 & echo $!'], capture_output=True, text=True)\n"
        "print(os.getpid(), stray.pid, hidden.stdout)",
    )
    pids = [*map(int, printed.split()), pid_of(hub, alice)]
    assert all(started_at(pid) for pid in pids)
    hub.stop(alice)
    assert [started_at(pid) for pid in pids] == [None] * len(pids)
    assert not launched(hub)


def test_a_server_that_is_killed_is_noticed_and_can_start_again(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice)
    _, printed = hub.run(alice, "import os; print(os.getpid())")
    os.kill(pid_of(hub, alice), signal.SIGKILL)
    wait_for(lambda: started_at(int(printed)) is None, "the kernel of the killed server is gone")
    wait_for(lambda: not hub.server(alice), "the hub has noticed")
    hub.started(alice)
    assert hub.run(alice, "print(6 * 7)")[1] == "42\n"


def test_named_servers_have_own_places(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice)
    hub.started(alice, {"profile": "developer"}, "second")
    assert {entry["key"] for entry in launched(hub)} == {"alice", "alice.second"}
    assert (hub.data / "servers" / "alice.second").is_dir()
    hub.stop(alice, "second")
    assert hub.run(alice, "print('still here')")[1] == "still here\n"


def test_a_kernel_lives_on_while_the_hub_is_killed_and_started_again(hub: HubUnderTest, alice: str) -> None:
    hub.started(alice, {"profile": "standard"})
    kernel, _ = hub.run(alice, "kept = 41")
    pid = pid_of(hub, alice)
    hub.part.process.kill()
    hub.part.process.wait()
    assert started_at(pid)
    hub.restart()
    server = wait_for(lambda: (s := hub.server(alice)) and s["ready"] and s, "the hub has found the server again")
    assert server["user_options"]["profile"] == "standard"
    assert pid_of(hub, alice) == pid
    assert hub.run(alice, "print(kept + 1)", kernel)[1] == "42\n"
    hub.stop(alice)
    assert started_at(pid) is None


def test_many_at_once_all_start(hub: HubUnderTest) -> None:
    names = [f"user-{number}" for number in range(8)]
    for name in names:
        assert hub.start(name).status_code in {201, 202}
    for name in names:
        wait_for(lambda name=name: (s := hub.server(name)) and s["ready"], f"{name}'s server is ready", 90)
    if ROOT:
        assert len({entry["uid"] for entry in launched(hub)}) == len(names)
    for name in names:
        hub.stop(name)


@pytest.mark.parametrize("name", ["admin", "scratch", "Mixed", "a", "dots.and", "under_score", "x" * 70])
def test_a_name_that_could_be_a_trap_gets_no_place(hub: HubUnderTest, name: str) -> None:
    hub.http.post(f"/hub/api/users/{name}")
    hub.http.post("/hub/api/groups/users%2Fnaas/users", json={"users": [name]})
    answer = hub.start(name)
    assert answer.status_code == 400
    assert "user name" in answer.json()["message"] or "No profile" in answer.json()["message"]
    assert not (hub.data / "homes" / name).exists()


def test_a_launcher_that_is_away_is_said_and_back_again_serves(hub: HubUnderTest, launcher: LauncherProcess) -> None:
    launcher.kill()
    try:
        answer = hub.start("bob")
        assert answer.status_code == 503
        assert "The launcher of servers does not answer. Try again" in answer.json()["message"]
    finally:
        launcher.start()
    hub.started("bob")
    hub.stop("bob")


def test_a_server_that_ends_at_its_start_is_explained_by_its_log(hub: HubUnderTest) -> None:
    hub.started("bob")
    hub.stop("bob")
    config = hub.data / "homes" / "bob" / ".jupyter"
    config.mkdir(exist_ok=True)
    (config / "jupyter_server_config.py").write_text(
        "import os, sys\nprint('the disk is full', file=sys.stderr)\nos._exit(3)\n"
    )
    if ROOT:
        for path in (config, config / "jupyter_server_config.py"):
            os.chown(path, config.parent.stat().st_uid, config.parent.stat().st_uid)
    try:
        answer = hub.start("bob")
        assert answer.status_code == 503
        assert "the server ended before it answered" in answer.json()["message"]
        assert "the disk is full" in answer.json()["message"]
        assert not [entry for entry in launched(hub) if entry["key"] == "bob"]
    finally:
        (config / "jupyter_server_config.py").unlink()
    hub.started("bob")
    hub.stop("bob")
