"""The service as `naas deploy compose` makes it, on this machine's engine, with an IAM and a store beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from containers import docker, image
from engine import images
from hub_session import HubSession
from naas_client.files import secret_file
from naas_local.iam import EmbeddedIam, embedded_iam
from naas_local.ports import free_port
from naas_local.store import EmbeddedStore, embedded_store
from product import NAAS
from waiting import wait_for

LIMIT = 300
SUBNET = "10.203.16.0/22"


def deploy(config: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """`naas deploy compose`."""
    argv = [NAAS, "deploy", "compose", "--config", str(config), "--out", str(out)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@dataclass
class ComposeSite:
    """A deployment. ``folder``: what the command writes."""

    config: Path
    folder: Path
    url: str
    name: str
    settings: dict[str, Any]
    iam: EmbeddedIam
    store: EmbeddedStore

    @property
    def data(self) -> Path:
        """Homes, databases, sockets."""
        return self.folder / "data"

    def write(self) -> str:
        """`naas deploy compose`; what it says."""
        self.config.write_text(yaml.safe_dump(self.settings))
        done = deploy(self.config, self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def compose(self, *argv: str) -> str:
        """Debian's `docker-compose` in the folder."""
        assert shutil.which("docker-compose"), "no docker-compose: apt-get install docker-compose"
        done = subprocess.run(
            ["docker-compose", *argv], cwd=self.folder, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def up(self) -> None:
        """Start it, or what has changed, and wait until the hub answers."""
        self.compose("up", "-d")
        root = self.data / "web" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        wait_for(root.exists, "Caddy's authority")
        self.wait_healthy("hub")

    def down(self) -> None:
        """End it; what parts and servers said is kept in `compose.log`."""
        servers = docker("ps", "-q", f"--filter=label=io.infn.naas.installation={self.name}").split()
        with (self.config.parent / "compose.log").open("a") as log:
            log.write(self.compose("logs", "--no-color"))
            subprocess.run(
                ["sh", "-c", 'for one; do docker logs "$one"; done', "-", *servers], stdout=log, stderr=log, check=True
            )
        self.compose("down")

    def wait_healthy(self, part: str) -> None:
        """Wait for the health check of a part."""
        look = ("inspect", "--format={{.State.Health.Status}}")
        wait_for(lambda: docker(*look, self.container(part)).strip() == "healthy", f"{part} is healthy", 120)

    def container(self, part: str) -> str:
        """The id of a part's container."""
        labels = (f"project={self.name}", f"service={part}")
        return docker("ps", "-aq", *(f"--filter=label=com.docker.compose.{label}" for label in labels)).strip()

    def trust(self) -> ssl.SSLContext:
        """Whom a browser would have to trust."""
        return ssl.create_default_context(cafile=str(self.data / "web/caddy/pki/authorities/local/root.crt"))

    def session(self, name: str) -> HubSession:
        """A person who is not signed in yet."""
        return HubSession(self.url, name, self.trust())

    def leftovers(self) -> list[str]:
        """What the engine and the kernel have of it."""
        networks = docker("network", "ls", f"--filter=name={self.name}", "--format={{.Name}}").split()
        containers = docker("ps", "-a", f"--filter=name={self.name}", "--format={{.Names}}").split()
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f"{self.data}/" in line]
        return [*networks, *containers, *mounts]


@contextlib.contextmanager
def compose_site(folder: Path) -> Iterator[ComposeSite]:
    """The folder is written, nothing is started; whatever has been is ended with the block."""
    images("hub", "agent", "lab", "web", "postgres")
    # What systemd does at boot, where it is the init: mounts of the helper are seen outside its container.
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "--make-rshared", folder], check=True)
    out = folder / "naas-compose"
    host = docker("network", "inspect", "bridge", "--format={{(index .IPAM.Config 0).Gateway}}").strip()
    port, name = free_port(), f"naas-tests-{os.getpid()}"
    url = f"https://localhost:{port}"
    secret = folder / "iam-secret"
    try:
        with (
            embedded_iam(folder, hub_url=url, client_secret=secret_file(secret), host="127.0.0.2") as iam,
            embedded_store(folder, iam.issuer, host=host) as store,
        ):
            settings = {
                "iam": {"issuer": iam.url, "client_secret_file": str(secret)},
                "storage": {"url": store.url},
                "gateway": {"public_hub_url": url},
                "hub": {"docker": {"image": image("lab"), "agent_image": image("agent")}},
                "deploy": {
                    "name": name,
                    "tls": "self-signed",
                    "http_port": free_port(),
                    "subnet": SUBNET,
                    **{f"{part}_image": image(part) for part in ("hub", "web", "postgres")},
                },
            }
            site = ComposeSite(folder / "naas.yaml", out, url, name, settings, iam, store)
            site.write()
            try:
                yield site
            finally:
                site.down()
    finally:
        subprocess.run(["umount", "-R", folder], check=True)
