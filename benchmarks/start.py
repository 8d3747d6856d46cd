"""From POST spawn to an answer of /lab: ours beside a plain JupyterHub, in one run on one machine.

    python benchmarks/start.py [--runs 5] [--together 30] [--plain-together 10]

All hubs are real and spoken to through their proxy. Runs alternate, so that a busy moment of the machine hits all alike.

- plain: JupyterHub with SimpleLocalProcessSpawner. - ours: the same hub with our spawner and launcher, without storage.
- product: the whole product as `naas up` runs it, alice signed in through IAM; `product, folders`: until all her folders are
  listed and read as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
from naas_local.parts import PartSpec, RunningPart, running
from naas_local.ports import free_port
from naas_local.view import private_namespace

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "support"))
from hub_session import HubSession  # noqa: E402
from product import naas_up  # noqa: E402

PROXY = REPOSITORY / "local_cloud" / "node_modules" / ".bin" / "configurable-http-proxy"
LIMIT = 300.0
POLL = 0.05

CONFIG = """
import json, os
c = get_config()
settings = json.loads(os.environ["BENCHMARK_SETTINGS"])
c.JupyterHub.update(settings["hub"])
c.ConfigurableHTTPProxy.update(settings["proxy"])
c.Spawner.update(settings["spawner"])
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "bench", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [{"name": "bench", "services": ["bench"],
    "scopes": ["admin:users", "admin:servers", "access:servers"]}]
c.JupyterHub.load_groups = {"users/naas": {"users": settings["people"]}}
"""


@dataclass
class Hub:
    """A running hub with some people, and what one start on it costs."""

    name: str
    http: httpx.Client
    people: list[str]

    def start(self, person: str) -> float:
        """Seconds from POST to an answer of /lab."""
        begin = time.perf_counter()
        answer = self.http.post(f"/hub/api/users/{person}/server", json={})
        assert answer.status_code in {201, 202}, answer.text
        while not (server := self._server(person)) or not server["ready"]:
            assert server, f"{person}'s server could not start; see the log of the hub"
            assert time.perf_counter() < begin + LIMIT, f"{person}'s server was not ready within {LIMIT:.0f} s"
            time.sleep(POLL)
        page = self.http.get(f"/user/{person}/lab")
        assert page.status_code == 200, page.text
        return time.perf_counter() - begin

    def stop(self, person: str) -> None:
        self.http.delete(f"/hub/api/users/{person}/server")
        while self._server(person):
            time.sleep(POLL)

    def _server(self, person: str) -> dict[str, Any] | None:
        server: dict[str, Any] | None = self.http.get(f"/hub/api/users/{person}").json()["servers"].get("")
        return server

    def together(self, number: int) -> float:
        """Starts per second when so many people start at once."""
        people = self.people[:number]
        begin = time.perf_counter()
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(self.start, people))
        rate = number / (time.perf_counter() - begin)
        for person in people:
            self.stop(person)
        return rate


@contextlib.contextmanager
def running_hub(
    name: str, folder: Path, people: list[str], hub: dict[str, Any], spawner: dict[str, Any]
) -> Iterator[Hub]:
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    public, api, port = free_port(), free_port(), free_port()
    token, proxy_token = uuid.uuid4().hex, uuid.uuid4().hex
    address = f"http://127.0.0.1:{port}"
    (folder / "config.py").write_text(CONFIG)
    settings = {
        "token": token,
        "people": people,
        "spawner": {"start_timeout": LIMIT, "http_timeout": LIMIT, **spawner},
        "proxy": {"should_start": False, "api_url": f"http://127.0.0.1:{api}", "auth_token": proxy_token},
        "hub": {
            "bind_url": f"http://127.0.0.1:{public}",
            "hub_bind_url": address,
            "db_url": f"sqlite:///{folder}/hub.sqlite",
            "cookie_secret_file": str(folder / "cookie_secret"),
            "concurrent_spawn_limit": 0,
            **hub,
        },
    }
    proxy = PartSpec(
        f"{name}-proxy",
        (
            *("node", str(PROXY), "--ip", "127.0.0.1", "--port", str(public)),
            *("--api-ip", "127.0.0.1", "--api-port", str(api), "--default-target", address),
        ),
        f"http://127.0.0.1:{api}/api/routes",
        environment={"CONFIGPROXY_AUTH_TOKEN": proxy_token},
    )
    spec = PartSpec(
        f"{name}-hub",
        (sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")),
        f"{address}/hub/health",
        environment={"BENCHMARK_SETTINGS": json.dumps(settings)},
        stop_limit=60,
    )
    headers = {"Authorization": f"token {token}"}
    with running(proxy, folder), running(spec, folder):
        limits = httpx.Limits(max_connections=100)
        with httpx.Client(base_url=f"http://127.0.0.1:{public}", headers=headers, timeout=LIMIT, limits=limits) as http:
            while http.get("/hub/api/").status_code != 200:
                time.sleep(POLL)
            yield Hub(name, http, people)


@contextlib.contextmanager
def launcher(folder: Path) -> Iterator[None]:
    (folder / "run").mkdir(mode=0o711, parents=True)
    folder.chmod(0o711)
    path, state = folder / "run" / "launcher.sock", folder / "run" / "launcher.json"
    argv = (sys.executable, "-m", "naas_spawner.launcher", "--socket", str(path), "--state", str(state))
    prefix: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    if os.geteuid() == 0:
        view = private_namespace([Path(sys.prefix), Path(sys.base_prefix), REPOSITORY, folder])
        prefix, descriptors = ("nsenter", f"--mount=/proc/self/fd/{view}", "--"), (view,)
    part = RunningPart(PartSpec("launcher", argv, path, stop_limit=60), folder / "launcher.log", prefix, descriptors)
    try:
        part.wait_ready()
        yield
    finally:
        part.terminate()
        part.wait_stopped()
        for descriptor in descriptors:
            os.close(descriptor)


@contextlib.contextmanager
def running_product(folder: Path) -> Iterator[HubSession]:
    """alice, signed in to the whole product; her bucket and home exist, as on every day but the first."""
    folder.mkdir(mode=0o711)
    with naas_up(folder) as product, HubSession(product.url, "alice") as alice:
        alice.sign_in()
        alice.start_server()
        alice.wait_connected()
        alice.stop_server()
        yield alice


def product_start(alice: HubSession) -> tuple[float, float]:
    """Seconds from POST to /lab, and to the last folder."""
    begin = time.perf_counter()
    alice.start_server()
    answered = time.perf_counter() - begin
    alice.wait_connected()
    connected = time.perf_counter() - begin
    alice.stop_server()
    return answered, connected


@contextlib.contextmanager
def scratch(keep: bool) -> Iterator[str]:
    """A folder for data and logs, kept when asked for."""
    if not keep:
        with tempfile.TemporaryDirectory(prefix="naas-start-") as name:
            yield name
        return
    name = tempfile.mkdtemp(prefix="naas-start-")
    print(f"data and logs: {name}", file=sys.stderr)
    yield name


@click.command()
@click.option("--runs", default=5, show_default=True, help="starts of one person, one after the other")
@click.option("--together", default=30, show_default=True, help="starts at once on ours")
@click.option("--plain-together", default=10, show_default=True, help="starts at once on the plain hub; 0: none")
@click.option("--keep", is_flag=True, help="keep data and logs, and say where")
def main(runs: int, together: int, plain_together: int, keep: bool) -> None:
    """Print one JSON document with seconds, rates and the ratio."""
    people = [f"person-{number}" for number in range(max(together, plain_together, 1))]
    with scratch(keep) as name, contextlib.ExitStack() as stack:
        base = Path(name)
        base.chmod(0o711)
        data = base / "data"
        stack.enter_context(launcher(data))
        local = {"data_dir": str(data), "launcher_socket": str(data / "run" / "launcher.sock"), "mounts_socket": ""}
        ours = stack.enter_context(running_hub("ours", base / "ours", people, {"spawner_class": "naas-local"}, local))
        command = [str(Path(sys.executable).with_name("jupyterhub-singleuser"))]
        arguments = {"cmd": command, "args": ["--allow-root"] if os.geteuid() == 0 else []}
        plain = stack.enter_context(
            running_hub(
                "plain", base / "plain", people, {"spawner_class": "simple"}, {**arguments, "default_url": "/lab"}
            )
        )
        alice = stack.enter_context(running_product(base / "product"))
        seconds: dict[str, list[float]] = {"ours": [], "plain": [], "product": [], "product, folders": []}
        for _ in range(runs):
            answered, connected = product_start(alice)
            seconds["product"].append(answered)
            seconds["product, folders"].append(connected)
            for hub in (ours, plain):
                seconds[hub.name].append(hub.start(people[0]))
                hub.stop(people[0])
        medians = {hub: statistics.median(values) for hub, values in seconds.items()}
        result = {
            "start_seconds": {hub: [round(value, 2) for value in values] for hub, values in seconds.items()},
            "median_seconds": {hub: round(value, 2) for hub, value in medians.items()},
            "ratio_to_plain": {hub: round(value / medians["plain"], 3) for hub, value in medians.items()},
            "together_per_second": {
                f"ours, {together}": round(ours.together(together), 2),
                **({f"plain, {plain_together}": round(plain.together(plain_together), 2)} if plain_together else {}),
            },
            "load": [round(value, 1) for value in os.getloadavg()],
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
