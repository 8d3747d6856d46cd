"""Real launcher, proxy and hub. As root the launcher lives in a private view, as in the product; otherwise it is a plain process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websocket
from naas_local.parts import PartSpec, RunningPart, running
from naas_local.ports import free_port
from naas_local.view import private_namespace
from waiting import wait_for

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
PROXY = REPOSITORY / "local_cloud" / "node_modules" / ".bin" / "configurable-http-proxy"
LIMIT = 30.0
TOKEN = "test-service-token-0123456789abcdef"
FIRST_UID = 30000 + os.getpid() % 25000
"""Apart from other test runs on this machine."""
UID = FIRST_UID if ROOT else None


@dataclass
class LauncherProcess:
    """A real launcher. ``start`` and ``kill`` let a test end it in its own way and begin its successor."""

    folder: Path
    prefix: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    part: RunningPart | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "launcher.sock"

    def start(self) -> None:
        state = self.socket.with_name("launcher.json")
        argv = (sys.executable, "-m", "naas_spawner.launcher", "--socket", str(self.socket), "--state", str(state))
        spec = PartSpec("launcher", argv, self.socket, stop_limit=60)
        self.part = RunningPart(spec, self.folder / "launcher.log", self.prefix, self.descriptors)
        self.part.wait_ready()

    def kill(self) -> None:
        assert self.part
        self.part.process.kill()
        self.part.process.wait()

    def stop(self) -> None:
        assert self.part
        self.part.terminate()
        self.part.wait_stopped()

    def log(self) -> str:
        return (self.folder / "launcher.log").read_text()


@contextlib.contextmanager
def launcher_in(folder: Path, also: Sequence[Path] = (), read_only: Sequence[Path] = ()) -> Iterator[LauncherProcess]:
    """A launcher for the length of a `with` block. Parameters: ``also`` and ``read_only``, folders of the host in its view."""
    (folder / "run").mkdir(mode=0o711)
    process = LauncherProcess(folder)
    if ROOT:
        view = private_namespace([Path(sys.prefix), Path(sys.base_prefix), REPOSITORY, folder, *also], read_only)
        process.prefix, process.descriptors = ("nsenter", f"--mount=/proc/self/fd/{view}", "--"), (view,)
    try:
        process.start()
        yield process
    finally:
        process.stop()
        for descriptor in process.descriptors:
            os.close(descriptor)


HUB_CONFIG = """
import json, os
c = get_config()
settings = json.loads(os.environ["TEST_SETTINGS"])
c.JupyterHub.update(settings["hub"])
c.ConfigurableHTTPProxy.update(settings["proxy"])
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "naas-local"
c.NaasLocalSpawner.update(settings["spawner"])
c.JupyterHub.services = [{"name": "tester", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [{"name": "tester", "services": ["tester"], "scopes": [
    "admin:users", "admin:servers", "read:servers", "access:servers", "groups", "admin:groups"]}]
c.JupyterHub.load_groups = settings["groups"]
"""


@dataclass
class HubUnderTest:
    """A small real hub with our spawner, spoken to with a service's token."""

    data: Path
    url: str
    spec: PartSpec
    part: RunningPart
    http: httpx.Client
    browsers: list[httpx.Client] = field(default_factory=list)

    def user(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/hub/api/users/{name}").json()
        return answer

    def server(self, name: str, server: str = "") -> dict[str, Any] | None:
        return self.user(name)["servers"].get(server)

    def start(self, name: str, options: Any = None, server: str = "") -> httpx.Response:
        path = f"servers/{server}" if server else "server"
        return self.http.post(f"/hub/api/users/{name}/{path}", json={"user_options": options})

    def started(self, name: str, options: Any = None, server: str = "") -> dict[str, Any]:
        answer = self.start(name, options, server)
        assert answer.status_code in {201, 202}, answer.text
        return wait_for(lambda: (s := self.server(name, server)) and s["ready"] and s, f"{name}'s server is ready")

    def stop(self, name: str, server: str = "") -> None:
        path = f"servers/{server}" if server else "server"
        assert self.http.delete(f"/hub/api/users/{name}/{path}").status_code in {202, 204}
        wait_for(lambda: not self.server(name, server), f"{name}'s server is gone")

    def browser(self, name: str) -> httpx.Client:
        """Somebody signed in with cookies, as a browser is."""
        client = httpx.Client(
            base_url=self.url, timeout=LIMIT, follow_redirects=True, headers={"Sec-Fetch-Site": "same-origin"}
        )
        self.browsers.append(client)
        client.get("/hub/login")
        answer = client.post("/hub/login", data={"username": name, "password": "x", "_xsrf": client.cookies["_xsrf"]})
        assert answer.status_code == 200, answer.text
        return client

    def run(self, name: str, code: str, kernel: str | None = None) -> tuple[str, str]:
        """Run code in a kernel of a person's server; gives the kernel's id and what was printed."""
        if kernel is None:
            answer = self.http.post(f"/user/{name}/api/kernels", json={"name": "python3"})
            assert answer.status_code == 201, answer.text
            kernel = answer.json()["id"]
        address = f"{self.url.replace('http', 'ws')}/user/{name}/api/kernels/{kernel}/channels"
        socket = websocket.create_connection(address, header=[f"Authorization: token {TOKEN}"], timeout=LIMIT)
        try:
            return str(kernel), _execute(socket, code)
        finally:
            socket.close()

    def restart(self) -> None:
        """Kill the hub and start it again."""
        self.part.process.kill()
        self.part.process.wait()
        self.part = RunningPart(self.spec, self.part.log)
        self.part.wait_ready()


def _execute(socket: websocket.WebSocket, code: str) -> str:
    identifier = uuid.uuid4().hex
    header = {
        "msg_id": identifier,
        "username": "",
        "session": identifier,
        "msg_type": "execute_request",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    socket.send(
        json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"})
    )
    printed = ""
    while True:
        message = json.loads(socket.recv())
        if message["parent_header"].get("msg_id") != identifier:
            continue
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        elif message["msg_type"] == "error":
            raise AssertionError("\n".join(message["content"]["traceback"]))
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return printed


@contextlib.contextmanager
def hub_in(data: Path, launcher: LauncherProcess, spawner: dict[str, Any]) -> Iterator[HubUnderTest]:
    """A proxy and a hub for the length of a `with` block. Parameters: ``spawner``, more traits of `NaasLocalSpawner`."""
    public, proxy_api, hub_port = free_port(), free_port(), free_port()
    address = f"http://127.0.0.1:{hub_port}"
    proxy_token = uuid.uuid4().hex
    config = data / "jupyterhub_config.py"
    config.write_text(HUB_CONFIG)
    people = [f"user-{number}" for number in range(8)]
    settings = {
        "token": TOKEN,
        "groups": {"users/naas": {"users": ["alice", "bob", *people]}, "developers": {"users": ["alice"]}},
        "spawner": {
            "data_dir": str(data),
            "launcher_socket": str(launcher.socket),
            "mounts_socket": "",
            "storage_wait": 5,
            "first_uid": FIRST_UID + 10,
            "poll_interval": 1,
            **spawner,
        },
        "proxy": {"should_start": False, "api_url": f"http://127.0.0.1:{proxy_api}", "auth_token": proxy_token},
        "hub": {
            "bind_url": f"http://127.0.0.1:{public}",
            "hub_bind_url": address,
            "cleanup_servers": False,
            "cleanup_proxy": False,
            "db_url": f"sqlite:///{data}/hub.sqlite",
            "cookie_secret_file": str(data / "cookie_secret"),
            "concurrent_spawn_limit": 0,
            "allow_named_servers": True,
        },
    }
    proxy = PartSpec(
        "proxy",
        (
            *("node", str(PROXY), "--ip", "127.0.0.1", "--port", str(public)),
            *("--api-ip", "127.0.0.1", "--api-port", str(proxy_api)),
            *("--default-target", address, "--error-target", f"{address}/hub/error"),
        ),
        f"http://127.0.0.1:{proxy_api}/api/routes",
        environment={"CONFIGPROXY_AUTH_TOKEN": proxy_token},
    )
    spec = PartSpec(
        "hub",
        (sys.executable, "-m", "jupyterhub", "-f", str(config)),
        f"{address}/hub/health",
        environment={"TEST_SETTINGS": json.dumps(settings)},
    )
    with running(proxy, data):
        part = RunningPart(spec, data / "hub.log")
        url = f"http://127.0.0.1:{public}"
        client = httpx.Client(base_url=url, headers={"Authorization": f"token {TOKEN}"}, timeout=LIMIT)
        tested = HubUnderTest(data, url, spec, part, client)
        try:
            part.wait_ready()
            wait_for(lambda: client.get("/hub/api/").status_code == 200, "the proxy leads to the hub")
            yield tested
        finally:
            for browser in [client, *tested.browsers]:
                browser.close()
            tested.part.process.send_signal(signal.SIGTERM)
            tested.part.wait_stopped()
