"""A real Jupyter server with our extension; what it talks to is real sockets and real http, with answers a test decides."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from naas_client.models import Event, FolderState, FolderStatus, Health, Part, StorageStatus, Upload
from naas_client.sockets import listen
from naas_local.parts import PartSpec, running
from naas_local.ports import LOOPBACK, free_port
from naas_local.store import embedded_store
from run_folder import prepare_run_folder
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "server_extension" / "naas_server" / "labextension" / "package.json"
HUB_TOKEN = secrets.token_hex(16)


def folder(root: Path, name: str, **changes: Any) -> FolderStatus:
    """A folder that is well."""
    now = dt.datetime.now(dt.UTC)
    values = {"state": FolderState.OK, "checked_at": now, **changes}
    return FolderStatus(name=name, path=str(root / "cloud-storage" / name), **values)


def status(root: Path, **changes: Any) -> StorageStatus:
    """alice's storage on a good day, with what a test changes."""
    now = dt.datetime.now(dt.UTC)
    values: dict[str, Any] = {
        "state": "mounted",
        "mode": "fusermount",
        "engine": "rclone v1.75.2",
        "folders": [folder(root, "alice"), folder(root, "scratch", read_only=True), folder(root, "scratch-alice")],
        "credentials_expire_at": now + dt.timedelta(minutes=38, seconds=30),
        "updated_at": now,
    }
    return StorageStatus(**{**values, **changes})


def uploads(*items: tuple[str, int, str]) -> dict[str, Any]:
    """The upload part of a status."""
    listed = [Upload(folder="alice", name=name, size=size, state=state) for name, size, state in items]
    return {
        "uploads": listed,
        "uploads_total": len(listed),
        "bytes_pending": sum(u.size for u in listed),
    }


class AgentSocket:
    """A socket that speaks the mount agent's protocol: ``status`` is answered once, ``watch`` with each change."""

    def __init__(self, path: Path, first: StorageStatus) -> None:
        self._now = first
        self._changed = threading.Condition()
        self._closed = False
        self.watchers = 0
        self.words: list[str] = []
        self._socket = listen(path)
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, new: StorageStatus) -> None:
        """Change the status; watchers are told."""
        with self._changed:
            self._now = new
            self._changed.notify_all()

    def wait_watchers(self, number: int, seconds: float = 10) -> bool:
        """Wait until that many watch."""
        with self._changed:
            return self._changed.wait_for(lambda: self.watchers == number, seconds)

    def close(self) -> None:
        """End like an agent whose process is gone."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rw") as channel:
            word = channel.readline().strip()
            self.words.append(word)
            self._say(channel, self._now)
            if word == "watch":
                self._watch(connection, channel)

    def _watch(self, connection: Any, channel: Any) -> None:
        with self._changed:
            self.watchers += 1
            self._changed.notify_all()
            last = self._now
        try:
            while not self._closed and not self._left(connection):
                with self._changed:
                    self._changed.wait(0.05)
                    new = self._now
                if new is not last:
                    self._say(channel, new)
                    last = new
        finally:
            with self._changed:
                self.watchers -= 1
                self._changed.notify_all()

    @staticmethod
    def _left(connection: Any) -> bool:
        connection.setblocking(False)
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        finally:
            connection.setblocking(True)

    @staticmethod
    def _say(channel: Any, document: StorageStatus) -> None:
        channel.write(document.model_dump_json() + "\n")
        channel.flush()


Reply = Callable[["Asked"], tuple[int, dict[str, str], bytes]]


@dataclass
class Asked:
    """A request as the gateway saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class GatewayStandIn:
    """A small http server in the gateway's place, for what is passed through to it."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)
    news: threading.Condition = field(default_factory=threading.Condition)

    def says(self, path: str, document: Any, status_code: int = 200) -> None:
        """Answer a path with JSON."""
        body = json.dumps(document).encode()
        self.replies[path] = lambda _asked: (status_code, {"Content-Type": "application/json"}, body)

    def emit(self, event: Event) -> None:
        """Add an event; open streams get it."""
        with self.news:
            self.events.append(event)
            self.news.notify_all()


def _handler(gateway: GatewayStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0].removeprefix("/api/v1/")
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
            gateway.asked.append(asked)
            if path == "events":
                self._stream(int(self.headers.get("Last-Event-ID") or 0))
                return
            reply = gateway.replies.get(path)
            code, headers, body = reply(asked) if reply else (404, {}, b"")
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of http.server

        def _stream(self, last: int) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not gateway.closing.is_set():
                    with gateway.news:
                        gateway.news.wait(0.05)
                        fresh = [e for e in gateway.events if e.id > last]
                    for event in fresh:
                        last = event.id
                        self.wfile.write(f"id: {event.id}\ndata: {event.model_dump_json()}\n\n".encode())
                    self.wfile.write(b": heartbeat\n\n")
                    self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def stand_in_gateway() -> Iterator[GatewayStandIn]:
    """The stand-in, listening."""
    stand_in = GatewayStandIn()
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(stand_in))
    server.daemon_threads = True
    stand_in.url = f"http://{LOOPBACK}:{server.server_address[1]}/api/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield stand_in
    finally:
        stand_in.closing.set()
        server.shutdown()
        server.server_close()


@dataclass
class Jupyter:
    """A running Jupyter server."""

    url: str
    token: str
    home: Path
    log: Path

    def client(self, token: str | None = None, **kwargs: Any) -> httpx.Client:
        """A client with the server's token, or another one."""
        headers = {"Authorization": f"token {self.token if token is None else token}", **kwargs.pop("headers", {})}
        return httpx.Client(base_url=f"{self.url}naas/api/", headers=headers, timeout=20, **kwargs)


@dataclass
class Desk:
    """Where a person's server finds its things; the built panel too, without an installation."""

    home: Path
    run: Path
    share: Path

    @property
    def config(self) -> Path:
        """Jupyter's configuration, settings and workspaces."""
        return self.run.parent / "config"

    @classmethod
    def at(cls, folder: Path) -> Desk:
        """Make the folders."""
        made = cls(folder / "home", folder / "run", folder / "share")
        extensions = made.share / "labextensions"
        for path in (made.home, made.run, extensions):
            path.mkdir(parents=True)
        for name in ("alice", "scratch", "scratch-alice"):
            (made.home / "cloud-storage" / name).mkdir(parents=True)
        (extensions / "jupyterlab-naas").symlink_to(ROOT / "server_extension" / "naas_server" / "labextension")
        return made


@contextlib.contextmanager
def jupyter(desk: Desk, app: str = "server", **environment: str) -> Iterator[Jupyter]:
    """``jupyter server`` or ``jupyter lab`` with our extension, as a process."""
    port, token = free_port(), secrets.token_hex(16)
    config = desk.config
    config.mkdir(exist_ok=True)
    spec = PartSpec(
        name=f"jupyter-{app}",
        argv=(
            *(sys.executable, "-m", {"server": "jupyter_server", "lab": "jupyterlab"}[app]),
            *("--allow-root", "--no-browser", f"--ServerApp.ip={LOOPBACK}", f"--ServerApp.port={port}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={desk.home}", "--NaasServer.heartbeat=0.3"),
            *("--ServerApp.jpserver_extensions=naas_server=True", "--LabApp.news_url="),
        ),
        ready=f"http://{LOOPBACK}:{port}/api",
        environment={
            "JUPYTER_TOKEN": token,
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_PATH": str(desk.share),
            "JUPYTER_RUNTIME_DIR": str(desk.run / "runtime"),
            "JUPYTERLAB_WORKSPACES_DIR": str(config / "workspaces"),
            "JUPYTERLAB_SETTINGS_DIR": str(config / "settings"),
            "HOME": str(desk.home),
            **environment,
        },
    )
    with _without("NAAS_GATEWAY_URL", "NAAS_STORAGE_RUN", "JUPYTERHUB_API_TOKEN"), running(spec, desk.run) as part:
        yield Jupyter(f"http://{LOOPBACK}:{port}/", token, desk.home, part.log)


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    held = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(held)


@dataclass
class Stack:
    """A server as the platform starts it, and what it talks to."""

    desk: Desk
    agent: AgentSocket
    gateway: GatewayStandIn
    jupyter: Jupyter

    def reset(self) -> None:
        """A good day: healthy platform, alice signed in, all folders well."""
        assert self.agent.wait_watchers(0), "a stream of an earlier test is still open"
        parts = [Part(name=n, state="ok", latency_ms=4) for n in ("database", "iam", "store", "hub")]
        self.gateway.replies.clear()
        self.gateway.asked.clear()
        self.gateway.says("health", Health(status="ok", version="0.1.0", parts=parts).model_dump(mode="json"))
        self.gateway.says("me", {"name": "alice", "groups": ["users/naas", "users/s3", "developers"]})
        self.agent.set(status(self.desk.home))


@contextlib.contextmanager
def platform(folder: Path, app: str) -> Iterator[Stack]:
    """Everything for one server."""
    desk = Desk.at(folder)
    agent = AgentSocket(desk.run / "agent.sock", status(desk.home))
    with contextlib.closing(agent), stand_in_gateway() as gateway:
        environment = {
            "NAAS_STORAGE_RUN": str(desk.run),
            "NAAS_GATEWAY_URL": gateway.url,
            "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
        }
        with jupyter(desk, app, **environment) as server:
            yield Stack(desk, agent, gateway, server)


@pytest.fixture(scope="session")
def _server_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with platform(tmp_path_factory.mktemp("server"), "server") as stack:
        yield stack


@pytest.fixture
def stack(_server_stack: Stack) -> Stack:
    """alice's server on a good day."""
    _server_stack.reset()
    return _server_stack


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A client of ``naas/api`` of that server."""
    with stack.jupyter.client() as client:
        yield client


@contextlib.contextmanager
def drive_store(desk: Desk) -> Iterator[Any]:
    """The embedded store with files of alice and bob, and a run folder of alice that leads to it; yields her boto3 client."""
    with TokenIssuer().running() as issuer, embedded_store(desk.run.parent / "store", issuer.url) as store:
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=3600)
        s3 = s3_client(store.url, session)
        s3.create_bucket(Bucket="alice")
        s3.put_object(Bucket="scratch", Key="alice/mine", Body=b"mine")
        other = s3_client(store.url, assume_role(store.url, issuer.token("bob"), store.role_arn))
        other.put_object(Bucket="scratch", Key="bob/theirs", Body=b"theirs")
        prepare_run_folder(desk.run, store.url, session)
        yield s3


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's Chromium, when the panel is built."""
    if not BUILT.exists():
        pytest.skip("The panel is not built. Run `make install`.")
    pytest.importorskip("playwright.sync_api")
    from chromium import launched
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def _lab_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with platform(tmp_path_factory.mktemp("lab"), "lab") as stack:
        yield stack


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of this run are, for people."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def lab(_lab_stack: Stack) -> Stack:
    """A Lab on a good day, with English and the light theme."""
    _lab_stack.reset()
    shutil.rmtree(_lab_stack.desk.config, ignore_errors=True)
    return _lab_stack


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a Lab; ``before`` may prepare the page, ``options`` are the browser context's."""
    contexts = []

    def open_lab(server: Jupyter, before: Callable[[Any], None] = lambda _: None, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        before(page)
        page.goto(f"{server.url}lab?token={server.token}")
        page.wait_for_selector("#jp-naas-panel", state="attached")
        page.wait_for_selector(".jp-Launcher, .jp-Notebook", state="visible")
        return page

    yield open_lab
    for context in contexts:
        context.close()
