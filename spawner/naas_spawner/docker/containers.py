"""The containers' side of a product with servers in containers: their network, and what ends them when the product ends.

``python -m naas_spawner.docker.containers --installation NAME --socket FILE`` runs for as long as the product does. When it is told to
end, it ends the servers of this installation, then their side containers (which send what is not in the store yet), then the network.
With ``--mounts``, the mount helper's socket, it also has the helper take away all mounts. Without ``--socket`` it makes the network, and
that is all.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.types import IPAMConfig, IPAMPool
from naas_client import labels
from naas_client.errors import NaasError, Unavailable
from naas_client.logs import configure
from naas_client.sockets import listen
from naas_storage.mounts.client import MountsClient
from requests.exceptions import RequestException

LINK_LOCAL = "169.254.0.0/16"
"""Where a cloud tells a machine its secrets (RFC 3927; 169.254.169.254): nothing for people's containers."""
RULE = re.compile(rf"from all to {re.escape(LINK_LOCAL)} iif (\S+) (\[detached\] )?prohibit\b")
"""A prohibition as `ip rule show` tells it; `detached` where the interface is no more."""

log = logging.getLogger(__name__)

SERVER_GRACE, AGENT_GRACE = 10, 60
"""Seconds to end by oneself; an agent sends files meanwhile."""


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

    def network(self, name: str, subnet: str = "") -> str:
        """The address of this machine in the servers' network, which is made when it is missing.

        Parameters: ``subnet``, its addresses, as ``10.201.0.0/20``; empty: the engine chooses. Raises Unavailable when it has others.
        """
        try:
            found = self.client.networks.get(name)
        except NotFound:
            found = self.client.networks.create(
                name,
                driver="bridge",
                labels={labels.INSTALLATION: name},
                # Containers reach this machine and the world, never each other.
                options={"com.docker.network.bridge.enable_icc": "false"},
                ipam=_addresses(subnet) if subnet else None,
            )
            found.reload()
        known = found.attrs["IPAM"]["Config"][0]
        if subnet and known["Subnet"] != subnet:
            raise Unavailable(
                f"The network {name} has the addresses {known['Subnet']}, and {subnet} is wanted. End what uses it, then "
                f"`docker network rm {name}`.",
                code="network",
            )
        _forbid_link_local(_interface(found.attrs))
        return str(known["Gateway"])

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
            wanted = [f"{labels.INSTALLATION}={installation}", f"{labels.KIND}={kind}"]
            found = self.client.containers.list(all=True, ignore_removed=True, filters={"label": wanted})
            with ThreadPoolExecutor(
                max(1, len(found))
            ) as threads:  # each waits for one container, and all end together
                for container in found:
                    threads.submit(_end, container, grace)
        interface = ""
        try:
            network = self.client.networks.get(installation)
            interface = _interface(network.attrs)
            network.remove()
        except NotFound:
            pass  # somebody else has removed it, and its rule is there still
        except APIError as error:
            log.warning("the network %s is still in use: %s", installation, error)
            return
        _forget_rules(interface)


def _end(container: Any, grace: int) -> None:
    try:
        container.stop(timeout=grace)
        container.remove(v=True, force=True)
    except NotFound:
        return
    except (DockerException, RequestException) as error:
        log.warning("%s is not taken away: %s", container.name, error)


def _addresses(subnet: str) -> IPAMConfig:
    """The first address is this machine's."""
    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=str(ip_network(subnet)[1]))])


def _end_mounts(socket: Path) -> None:
    try:
        asyncio.run(MountsClient(socket).shutdown())
    except NaasError as error:
        log.warning("mounts are left: %s", error.message)


def _interface(network: dict[str, Any]) -> str:
    return str(network["Options"].get("com.docker.network.bridge.name") or f"br-{network['Id'][:12]}")


def _forbid_link_local(interface: str) -> None:
    """Raises Unavailable when the kernel does not take the rule: without it, containers could read the machine's cloud secrets."""
    if not _is_forbidden(interface):
        _ip("rule", "add", "iif", interface, "to", LINK_LOCAL, "prohibit")
    if not _is_forbidden(interface):
        raise Unavailable(
            f"Containers cannot be kept from {LINK_LOCAL}, where clouds tell machines their secrets: `ip rule add` is refused. "
            "Start with --spawner local, or on a machine where root may change its routes.",
            code="no-ip-rule",
        )


def _is_forbidden(interface: str) -> bool:
    return any(match[1] == interface for match in RULE.finditer(_ip("rule", "show")))


def _forget_rules(interface: str) -> None:
    """Take away the rule of an interface, and those of interfaces that are no more."""
    for known, detached in RULE.findall(_ip("rule", "show")):
        if detached or known == interface:
            _ip("rule", "del", "iif", known, "to", LINK_LOCAL, "prohibit")


def _ip(*words: str) -> str:
    try:
        return subprocess.run(["ip", *words], check=False, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("`ip` is missing or hangs. Install it: `apt-get install iproute2`.", code="no-ip") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Make the network; with a socket, run until SIGTERM, then end everything of the installation."""
    parser = argparse.ArgumentParser(prog="naas_spawner.docker.containers")
    parser.add_argument("--installation", required=True, help="its containers carry this label, its network this name")
    parser.add_argument("--subnet", default="", help="addresses of the network; without: the engine chooses")
    parser.add_argument("--socket", type=Path, help="accepts while this runs; without: make the network and end")
    parser.add_argument(
        "--mounts", type=Path, help="control socket of the mount helper, which takes everything away at the end"
    )
    options = parser.parse_args(argv)
    configure("containers")
    try:
        engine = Engine()
        engine.network(options.installation, options.subnet)
    except NaasError as error:
        log.critical(error.message)
        return 1
    if options.socket is None:
        return 0
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with listen(options.socket):
        ended.wait()
    engine.end(options.installation)
    if options.mounts is not None:
        _end_mounts(options.mounts)
    options.socket.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
