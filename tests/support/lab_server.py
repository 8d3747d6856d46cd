"""A real Jupyter server with our extension, alone or with stand-ins around it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import naas_spawner
from naas_client.models import Health, Part
from naas_local.parts import PartSpec, running
from naas_local.ports import LOOPBACK, free_port
from naas_local.store import embedded_store
from naas_local.store.embedded import EmbeddedStore
from panel_stand_ins import HUB_TOKEN, AgentSocket, GatewayStandIn, stand_in_gateway, status
from run_folder import prepare_run_folder
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

ROOT = Path(__file__).parents[2]

BUILT = ROOT / "server_extension" / "naas_server" / "labextension" / "package.json"


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


PERSONAL = Path(naas_spawner.__file__).parent / "jupyter_config"
"""What servers of one person are configured with: without real-time collaboration, say."""


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
            *(f"--ServerApp.jpserver_extensions=jupyter_server_{name}=False" for name in ("ydoc", "fileid")),
        ),
        ready=f"http://{LOOPBACK}:{port}/api",
        environment={
            "JUPYTER_TOKEN": token,
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_CONFIG_PATH": str(PERSONAL),
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
        none = {"code": "no-healthchecks", "message": "This site has no Healthchecks server.", "request_id": ""}
        for path in ("projects", "checks"):
            self.gateway.says(f"healthchecks/{path}", {"error": none}, 404)
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


@contextlib.contextmanager
def drive_store(desk: Desk) -> Iterator[Any]:
    """The embedded store with files of alice and bob, and a run folder of alice that leads to it; yields her boto3 client."""
    with desk_store(desk) as (_, s3):
        yield s3


@contextlib.contextmanager
def desk_store(desk: Desk) -> Iterator[tuple[EmbeddedStore, Any]]:
    """As `drive_store`; yields the store too, which may be stopped and started."""
    with TokenIssuer().running() as issuer, embedded_store(desk.run.parent / "store", issuer.url) as store:
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=3600)
        s3 = s3_client(store.url, session)
        s3.create_bucket(Bucket="alice")
        s3.put_object(Bucket="scratch", Key="alice/mine", Body=b"mine")
        other = s3_client(store.url, assume_role(store.url, issuer.token("bob"), store.role_arn))
        other.put_object(Bucket="scratch", Key="bob/theirs", Body=b"theirs")
        prepare_run_folder(desk.run, store.url, session)
        yield store, s3
