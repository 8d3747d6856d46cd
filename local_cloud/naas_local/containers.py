"""The containers' side of `naas up --spawner docker`: their network, and what ends them when `naas up` ends.

``python -m naas_local.containers --installation NAME --socket FILE`` runs for as long as the product does. When it is told to end, it ends
the servers of this installation, then their side containers (which send what is not in the store yet), then the network.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from naas_client.errors import Unavailable
from naas_client.logs import configure
from naas_client.sockets import listen
from requests.exceptions import RequestException

LABEL = "io.infn.naas.installation"
KIND = "io.infn.naas.kind"
LINK_LOCAL = "169.254.0.0/16"
"""Where a cloud tells a machine its secrets (RFC 3927; 169.254.169.254): nothing for people's containers."""

SERVER_GRACE, AGENT_GRACE = 10, 60
"""Seconds to end by oneself; an agent sends files meanwhile."""
ENDING_AT_ONCE = 16


class Engine:
    """The Docker engine of this machine (``DOCKER_HOST``, default its socket). Raises Unavailable when it does not answer."""

    def __init__(self) -> None:
        try:
            self.client = docker.from_env()
            self.client.ping()
        except (DockerException, RequestException, OSError) as error:
            raise Unavailable(
                "No Docker engine answers. Install and start it: `apt-get install docker.io`, then `systemctl start docker` "
                "(without systemd: `dockerd &`).",
                code="no-engine",
            ) from error

    def network(self, name: str) -> str:
        """The address of this machine in the servers' network, which is made when it is missing."""
        try:
            found = self.client.networks.get(name)
        except NotFound:
            found = self.client.networks.create(
                name,
                driver="bridge",
                labels={LABEL: name},
                # Containers reach this machine and the world, never each other.
                options={"com.docker.network.bridge.enable_icc": "false"},
            )
            found.reload()
        _forbid_link_local(_interface(found.attrs))
        return str(found.attrs["IPAM"]["Config"][0]["Gateway"])

    def missing_images(self, images: Iterable[str]) -> list[str]:
        """Those that are not here."""
        missing = []
        for image in images:
            try:
                self.client.images.get(image)
            except NotFound:
                missing.append(image)
        return missing

    def end(self, installation: str) -> None:
        """Servers first, so that nobody writes any more, then agents, then their network."""
        for kind, grace in (("server", SERVER_GRACE), ("agent", AGENT_GRACE)):
            found = self.client.containers.list(
                all=True, filters={"label": [f"{LABEL}={installation}", f"{KIND}={kind}"]}
            )
            with ThreadPoolExecutor(ENDING_AT_ONCE) as threads:
                list(threads.map(lambda container, grace=grace: _end(container, grace), found))
        with contextlib.suppress(NotFound, APIError):
            network = self.client.networks.get(installation)
            interface = _interface(network.attrs)
            network.remove()
            _ip("rule", "del", "iif", interface, "to", LINK_LOCAL, "prohibit")


def _end(container: Any, grace: int) -> None:
    with contextlib.suppress(NotFound, APIError):
        container.stop(timeout=grace)
        container.remove(v=True, force=True)


def _interface(network: dict[str, Any]) -> str:
    return str(network["Options"].get("com.docker.network.bridge.name") or f"br-{network['Id'][:12]}")


def _forbid_link_local(interface: str) -> None:
    rules = _ip("rule", "show")
    if f"iif {interface} " not in rules:
        _ip("rule", "add", "iif", interface, "to", LINK_LOCAL, "prohibit")


def _ip(*words: str) -> str:
    try:
        return subprocess.run(["ip", *words], check=False, capture_output=True, text=True, timeout=10).stdout
    except OSError as error:
        raise Unavailable("`ip` is not installed. Install it: `apt-get install iproute2`.", code="no-ip") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, then end everything of the installation."""
    parser = argparse.ArgumentParser(prog="naas_local.containers")
    parser.add_argument("--installation", required=True, help="its containers carry this label, its network this name")
    parser.add_argument("--socket", type=Path, required=True, help="accepts while this runs")
    options = parser.parse_args(argv)
    configure("containers")
    engine = Engine()
    engine.network(options.installation)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with listen(options.socket):
        ended.wait()
    engine.end(options.installation)
    options.socket.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
