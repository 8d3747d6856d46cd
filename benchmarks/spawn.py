"""From POST spawn to an answer of /lab: ours beside a plain JupyterHub, as processes and in containers, in one run on one machine.

    python benchmarks/spawn.py [--runs 5] [--together 30] [--plain-together 10] [--containers] [--docs]

All hubs are real and spoken to through their proxy. Runs alternate, so that a busy moment of the machine hits all alike.

- plain: JupyterHub with SimpleLocalProcessSpawner. - ours: the same hub with our spawner and launcher, without storage.
- plain, containers: the same with DockerSpawner and `jupyterhub-singleuser`. - ours, containers: with NaasDockerSpawner, without storage
  but with the side container; both start our image `lab`.
- product (in containers, too): the whole of `naas up`, alice signed in through IAM; `…, folders`: until all her folders are listed and
  read as well.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import importlib.metadata
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
import docker
import httpx
from naas_local.parts import PartSpec, RunningPart, running
from naas_local.ports import LOOPBACK, free_port
from naas_local.view import private_namespace
from naas_spawner.docker.containers import Engine

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "support"))
from engine import images  # noqa: E402
from hub_session import HubSession  # noqa: E402
from product import naas_up  # noqa: E402
from spawner_worlds import descendants  # noqa: E402
from storage_report import machine  # noqa: E402

PROXY = REPOSITORY / "local_cloud" / "node_modules" / ".bin" / "configurable-http-proxy"
LIMIT = 300.0
DOCS = REPOSITORY / "docs"
BEGIN, END = "<!-- begin of the table: benchmarks/spawn.py --containers --docs -->", "<!-- end of the table -->"
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
    "scopes": ["admin:users", "admin:servers", "access:servers", "admin:server_state"]}]
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
        while not (server := self.server(person)) or not server["ready"]:
            assert server, f"{person}'s server could not start; see the log of the hub"
            assert time.perf_counter() < begin + LIMIT, f"{person}'s server was not ready within {LIMIT:.0f} s"
            time.sleep(POLL)
        page = self.http.get(f"/user/{person}/lab")
        assert page.status_code == 200, page.text
        return time.perf_counter() - begin

    def stop(self, person: str) -> None:
        self.http.delete(f"/hub/api/users/{person}/server")
        while self.server(person):
            time.sleep(POLL)

    def server(self, person: str) -> dict[str, Any] | None:
        """What the hub says of a server; None without one."""
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
    name: str, folder: Path, people: list[str], hub: dict[str, Any], spawner: dict[str, Any], host: str = LOOPBACK
) -> Iterator[Hub]:
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    public, api, port = free_port(), free_port(), free_port()
    token, proxy_token = uuid.uuid4().hex, uuid.uuid4().hex
    address = f"http://{host}:{port}"
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
def container_hubs(base: Path, people: list[str]) -> Iterator[list[Hub]]:
    """A plain DockerSpawner and ours, in one network, with one image."""
    images("lab", "agent")
    version = importlib.metadata.version("jupyterhub-naas")
    network = f"naas-bench-{os.getpid()}"
    engine = Engine()
    host = engine.network(network)
    lab = f"naas/lab:{version}"
    shared = {"image": lab, "network_name": network, "default_url": "/lab", "mem_limit": "2G", "cpu_limit": 1}
    ours = {**shared, "prefix": network, "agent_image": f"naas/agent:{version}", "data_dir": str(base / "containers")}
    (base / "containers").mkdir(mode=0o711)
    plain = {**shared, "prefix": f"{network}-plain", "remove": True, "cmd": ["jupyterhub-singleuser"]}
    plain["extra_create_kwargs"] = {"user": "20000:20000", "environment": {"HOME": "/tmp"}}
    try:
        with (
            running_hub(
                "ours, containers",
                base / "ours-c",
                people,
                {"spawner_class": "naas-docker"},
                {**ours, "mounts_socket": ""},
                host,
            ) as first,
            running_hub(
                "plain, containers", base / "plain-c", people, {"spawner_class": "docker"}, plain, host
            ) as second,
        ):
            yield [first, second]
    finally:
        engine.end(network)


def idle_memory(hub: Hub, person: str) -> float:
    """MiB of an idle server without its mount agent; a page that n processes share counts as one nth for each (proc(5), Pss)."""
    hub.start(person)
    state = (hub.server(person) or {})["state"]
    pid = state.get("pid") or docker.from_env().containers.get(state["object_id"]).attrs["State"]["Pid"]
    rollups = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in descendants(pid)]
    hub.stop(person)
    return sum(int(text.split("Pss:")[1].split()[0]) for text in rollups) / 1024


@contextlib.contextmanager
def running_product(folder: Path, *options: str) -> Iterator[HubSession]:
    """alice, signed in to the whole product; her bucket and home exist, as on every day but the first."""
    folder.mkdir(mode=0o711)
    with naas_up(folder, options=options) as product, HubSession(product.url, "alice") as alice:
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
@click.option("--containers", is_flag=True, help="also servers in containers (root, Docker)")
@click.option("--docs", is_flag=True, help="write table and plot into docs/explanation/start-speed.md")
@click.option("--keep", is_flag=True, help="keep data and logs, and say where")
def main(runs: int, together: int, plain_together: int, containers: bool, docs: bool, keep: bool) -> None:
    """Print one JSON document with seconds, rates, memory and ratios."""
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
        hubs = [ours, plain]
        products = {"product": stack.enter_context(running_product(base / "product"))}
        if containers:
            hubs += stack.enter_context(container_hubs(base, people))
            options = ("--spawner", "docker")
            products["product, containers"] = stack.enter_context(running_product(base / "product-c", *options))
        for hub in hubs:  # the first start of all pays for reading programs and images from the disk
            hub.start(people[0])
            hub.stop(people[0])
        seconds: dict[str, list[float]] = collections.defaultdict(list)
        for _ in range(runs):
            for kind, alice in products.items():
                answered, connected = product_start(alice)
                seconds[kind].append(answered)
                seconds[f"{kind}, folders"].append(connected)
            for hub in hubs:
                seconds[hub.name].append(hub.start(people[0]))
                hub.stop(people[0])
        memory = {hub.name: round(idle_memory(hub, people[0])) for hub in hubs}
        rates = {}
        for hub in hubs:
            if number := together if hub is ours else plain_together:
                rates[hub.name] = [number, round(hub.together(number), 2)]
        medians = {kind: statistics.median(values) for kind, values in seconds.items()}
        result: dict[str, Any] = {
            "start_seconds": {kind: [round(value, 2) for value in values] for kind, values in seconds.items()},
            "median_seconds": {kind: round(value, 2) for kind, value in medians.items()},
            "ratio_to_plain": {kind: round(value / medians[_plain(kind)], 3) for kind, value in medians.items()},
            "together_per_second": rates,
            "idle_memory_mib": memory,
            "load": [round(value, 1) for value in os.getloadavg()],
        }
    print(json.dumps(result, indent=2))
    if docs:
        write_docs(result)


def _plain(kind: str) -> str:
    """What somebody would take instead."""
    return "plain, containers" if "containers" in kind else "plain"


def write_docs(result: dict[str, Any], docs: Path = DOCS) -> None:
    """Put table and plot into the documentation."""
    lines = [f"{dt.datetime.now(dt.UTC).date().isoformat()}, {machine('all on one machine')}.", ""]
    lines += ["| | seconds, median | of plain | starts/s, so many at once | MiB idle |", "|---|---:|---:|---:|---:|"]
    for kind, value in result["median_seconds"].items():
        number, rate = result["together_per_second"].get(kind, ("", ""))
        together = f"{rate} ({number})" if number else ""
        memory = result["idle_memory_mib"].get(kind, "")
        lines.append(f"| {kind} | {value} | {result['ratio_to_plain'][kind]:.0%} | {together} | {memory} |")
    page = docs / "explanation" / "start-speed.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{rest.partition(END)[2]}")
    _plot(result["start_seconds"], docs / "images" / "start-speed.svg")


def _plot(seconds: dict[str, list[float]], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "naas"  # the same numbers give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(seconds) + 1.2), layout="constrained")
    kinds = list(seconds)
    colours = ["#b0b7c3" if kind.startswith("plain") else "#1565c0" for kind in kinds]
    axes.barh(kinds, [statistics.median(seconds[kind]) for kind in kinds], color=colours)
    for row, kind in enumerate(kinds):
        axes.plot(seconds[kind], [row] * len(seconds[kind]), "|", color="#333333")
    axes.invert_yaxis()
    axes.set_xlabel("seconds from POST to an answer of /lab (bar: median; marks: each start)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
