"""What the machine must have before something is written for it: an engine, `docker compose`, free addresses, shared mounts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from naas_client.errors import InvalidInput, Unavailable
from naas_spawner.docker.containers import Engine
from naas_storage.mounts.kernel import propagates

LOOK_LIMIT = 20


def compose_program() -> str:
    """How `docker compose` is called here. Raises Unavailable when it is not installed."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=LOOK_LIMIT)
        if asked.returncode == 0:
            return "docker compose"
    if shutil.which("docker-compose"):
        return "docker-compose"
    raise Unavailable(
        "`docker compose` is not installed. On Debian: `apt-get install docker.io docker-compose`.", code="no-compose"
    )


def check_machine(name: str, subnet: str, data: Path, shown: Iterable[Path], images: Iterable[str]) -> list[str]:
    """What an operator should still do, a sentence each. Raises NaasError when the service cannot run here.

    Parameters: ``name``, of the installation; ``data``, its folder; ``shown``, other folders of the machine in which the hub must see
    what is mounted later; ``images``, those that the service needs.
    """
    engine = Engine()
    if taken := _overlapping(subnet, name, engine):
        raise InvalidInput(
            f"deploy.subnet: {subnet} overlaps with {taken}, which this machine uses already. Choose other private addresses.",
            code="subnet",
        )
    check_mounts(data, shown)
    missing = engine.missing_images(dict.fromkeys(images))
    return [
        f"{image} is not on this machine. Build it (`images/build.sh`), or pull it, before the start."
        for image in missing
    ]


def check_mounts(data: Path, shown: Iterable[Path]) -> None:
    """Raises Unavailable when what is mounted below a folder could not be shown in containers.

    Parameters: as of `check_machine`. Mounts are made in ``data`` from a container, so it must be shared; the others may be slaves, too.
    """
    for path in (data, *(folder.resolve() for folder in shown)):
        if (mount := _mount_of(path)) and not mount[1] and (path == data or not propagates(path)):
            raise Unavailable(
                f"{path} is on {mount[0]}, whose mounts are private, so folders could not be shown in containers. Run "
                f"`mount --make-rshared {mount[0]}` (after each boot, where the init system does not do it).",
                code="private-mount",
            )


def _overlapping(subnet: str, name: str, engine: Engine) -> str:
    """The network that has some of these addresses already; the one of this installation does not count."""
    wanted, own = IPv4Network(subnet), set[IPv4Network]()
    for network in engine.client.networks.list():
        for pool in network.attrs["IPAM"]["Config"] or []:
            if ":" in pool.get("Subnet", ":"):
                continue
            other = IPv4Network(pool["Subnet"])
            if network.name == name:
                own.add(other)
            elif other.overlaps(wanted):
                return f"the engine's network {network.name} ({other})"
    return next((f"the route to {route}" for route in _routes() if route not in own and route.overlaps(wanted)), "")


def _routes() -> list[IPv4Network]:
    """Where the machine sends packets, but for the default route (proc_net_route: little-endian hexadecimal)."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        _, to, _, _, _, _, _, mask = line.split()[:8]
        if int(mask, 16):
            address = int.from_bytes(bytes.fromhex(to), "little")
            found.append(IPv4Network((address, int.from_bytes(bytes.fromhex(mask), "little").bit_count())))
    return found


def _mount_of(path: Path) -> tuple[Path, bool] | None:
    """The mount that a path is on, and whether mounts made in it are seen elsewhere (proc_pid_mountinfo(5): ``shared:N``)."""
    best: tuple[Path, bool] | None = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        if path.is_relative_to(point) and (best is None or len(point.parts) >= len(best[0].parts)):
            best = point, any(field.startswith("shared:") for field in fields[6 : fields.index("-")])
    return best
