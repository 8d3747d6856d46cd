"""What people could do to each other because they share one machine: ports, the debugger, links, processes that do not want to end."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_session import HubSession, Kernel
from product import Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]
STOP_LIMIT = 150
"""Seconds for the stop of a server whose processes all refuse to answer; uploads, agent and kill have limits of their own."""


@pytest.fixture
def bob(person: Callable[[str], HubSession]) -> HubSession:
    session = person("bob")
    session.start_server()
    session.wait_connected()
    return session


BIND = """
import socket
for host, port in {places!r}:
    try:
        socket.socket().bind((host, port))
    except OSError as error:
        print(type(error).__name__)
"""


def test_nobody_can_listen_in_place_of_a_part_that_is_being_started_again(product: Product, bob: HubSession) -> None:
    """The other parts would send it the hub's token. PermissionError: refused at any time; "in use" would mean only for now."""
    ports = json.loads((product.data / "ports.json").read_text())
    inside = {name: port for name, port in ports.items() if name != "public"}
    assert {"iam", "store", "gateway", "hub", "proxy"} <= inside.keys()
    places = [("127.0.0.2" if name == "iam" else "127.0.0.1", port) for name, port in inside.items()]
    with bob.kernel() as kernel:
        assert kernel.run(BIND.format(places=places)).split() == ["PermissionError"] * len(places)


def ask(kernel: Kernel, kind: str, content: dict[str, object]) -> str:
    """Send a message on the kernel's control channel; gives its id."""
    identifier = uuid.uuid4().hex
    header = {"msg_id": identifier, "msg_type": kind, "username": "", "session": "tests", "version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "control"}
    kernel.socket.send(json.dumps(message))
    return identifier


OPEN_PORTS = """
import psutil
me = psutil.Process()
open_ports = [c for p in [me, *me.children(True)] for c in p.net_connections("tcp") if c.status == "LISTEN"]
print(len(open_ports))
"""


def test_no_debugger_opens_a_port_through_which_others_run_code(bob: HubSession) -> None:
    """debugpy's adapter takes orders from whoever connects to its port on loopback, and evaluates them in the kernel."""
    with bob.kernel() as kernel:
        before = kernel.run(OPEN_PORTS)
        for number, command in enumerate(("initialize", "attach", "disconnect")):
            ask(kernel, "debug_request", {"type": "request", "seq": number, "command": command, "arguments": {}})
        last = ask(kernel, "kernel_info_request", {})
        answers = []
        while (
            not answers or answers[-1]["parent_header"].get("msg_id") != last or "reply" not in answers[-1]["msg_type"]
        ):
            answers.append(json.loads(kernel.socket.recv()))
        assert "debug_reply" not in {answer["msg_type"] for answer in answers}
        assert kernel.run(OPEN_PORTS) == before
    page = bob.http.get("/user/bob/lab").text
    config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert "@jupyterlab/debugger-extension" in config["disabledExtensions"], "Lab would show a button that does nothing"


LINKS = r"""
import os, pathlib, shutil
def link(path, target):
    if os.path.islink(path) or os.path.isfile(path) or os.path.exists(path) and not os.path.isdir(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
    os.symlink(target, path)
home, run = pathlib.Path.home(), pathlib.Path(os.environ["NAAS_STORAGE_RUN"])
for name in ("local", "examples", "cloud-storage"):
    link(home / name, {folder!r})
for path in [home / ".bashrc", *(run / name for name in ("server.log", "agent.log", "plan.json", "access.json", "rclone.conf"))]:
    link(path, {file!r})
for path in (home, run):
    try:
        path.rename(path.with_name("moved"))
        print("MOVED")
    except OSError:
        pass
"""
UNDO = r"""
import os, pathlib
home = pathlib.Path.home()
for name in ("local", "examples", "cloud-storage", ".bashrc"):
    if os.path.islink(home / name) and "guarded" in os.readlink(home / name):
        os.unlink(home / name)
"""


def test_links_in_a_home_lead_the_platform_nowhere_and_keep_no_server_from_starting(
    bob: HubSession, tmp_path: Path
) -> None:
    folder, file = tmp_path / "guarded", tmp_path / "guarded-file"
    folder.mkdir(mode=0o700)
    file.write_text("root's own")
    file.chmod(0o600)
    with bob.kernel() as kernel:
        assert "MOVED" not in kernel.run(LINKS.format(folder=str(folder), file=str(file)))
    bob.stop_server()
    bob.start_server()
    assert file.read_text() == "root's own"
    assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (0, 0o600)
    assert (list(folder.iterdir()), folder.stat().st_uid) == ([], 0)
    with bob.kernel() as kernel:
        kernel.run(UNDO)
    bob.stop_server()
    bob.start_server()
    bob.wait_connected()


STUBBORN = r"""
import os, pathlib, signal, subprocess
home = pathlib.Path.home()
(home / "cloud-storage" / "bob" / "pending").write_bytes(b"x" * 1_000_000)
subprocess.Popen("setsid sh -c 'env -i setsid sleep 1000 &' &", shell=True)
subprocess.Popen("unshare --user --map-root-user --pid --fork sleep 1000", shell=True, env={"PATH": os.defpath})
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = ((entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()).decode(errors="replace")
    except OSError:
        continue
    if "mount2" in words or "NAAS_LAUNCHED=agent:" in words:
        os.kill(int(entry.name), signal.SIGSTOP)
        print("stopped")
subprocess.Popen(["ls", home / "cloud-storage" / "scratch" / "nothing"])
"""


def test_processes_that_refuse_to_end_are_ended(product: Product, bob: HubSession) -> None:
    uid = json.loads((product.data / "uids.json").read_text())["users"]["bob"]
    with bob.kernel() as kernel:
        assert kernel.run(STUBBORN).count("stopped") >= 3, "three mounts"
    asked = time.monotonic()
    assert bob.hub("DELETE", "/users/bob/server").status_code in (202, 204)
    wait_for(lambda: not bob.hub("GET", "/users/bob").json().get("servers"), "the end of bob's server", STOP_LIMIT)
    assert time.monotonic() - asked < STOP_LIMIT
    launcher = product.pid("launcher")
    assert [pid for pid in below(launcher) if owner(pid) == uid] == []
    bob.start_server()
    bob.wait_connected()


def below(pid: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found |= {int(child)} | (below(int(child)) if Path(f"/proc/{child}").exists() else set())
    return found


def owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - not a file
    except FileNotFoundError:
        return None


MEMORY = r"""
import os, re
parent, found = os.getppid(), set()
with open(f"/proc/{{parent}}/mem", "rb", 0) as memory:
    for line in open(f"/proc/{{parent}}/maps"):
        place, rights = line.split()[:2]
        low, high = (int(part, 16) for part in place.split("-"))
        if "r" in rights and "[v" not in line:
            try:
                memory.seek(low)
                found |= set(re.findall(rb"[\w.+/=-]{{24,}}", memory.read(high - low)))
            except (OSError, ValueError, OverflowError):
                pass
open(os.path.expanduser("~/local/memory"), "wb").write(b"\n".join(found))
print(os.environ["JUPYTERHUB_API_TOKEN"].encode() in found)
"""


def test_a_servers_memory_holds_no_secret_of_the_platform_or_of_another_person(
    product: Product, person: Callable[[str], HubSession], bob: HubSession
) -> None:
    """A server is a fork of the launcher, and its memory a copy; with bob's, what alice's server got is looked for."""
    alice = person("alice")
    alice.start_server()
    with alice.kernel() as kernel:
        hers = kernel.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()
    bob.stop_server()
    bob.start_server()
    with bob.kernel() as kernel:
        assert kernel.run(MEMORY.format()) == "True\n", "the scan saw what must be there"
    found = set((product.data / "homes" / "bob" / "local" / "memory").read_text(errors="replace").split("\n"))
    secrets = {path.read_text().strip() for path in (product.data / "secrets").iterdir()}
    assert len(secrets) >= 5
    assert not (secrets | {hers}) & found
