"""What somebody tries from inside their container: other people's, the helper, the node, the engine, the machine's strength."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_session import Kernel
from served import Served
from spawner_worlds import DockerWorld

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse, pytest.mark.docker]


def address(served: Served, key: str, kind: str = "") -> str:
    world = served.world
    assert isinstance(world, DockerWorld)
    networks: dict[str, Any] = world.container(key, kind).attrs["NetworkSettings"]["Networks"]
    return str(networks[world.installation]["IPAddress"])


CONNECT = """
import socket
for host, port in {places!r}:
    try:
        socket.create_connection((host, port), 2).close()
        print('open')
    except OSError as error:
        print('closed')
"""


def test_a_container_reaches_the_platform_and_nobody_else(containers: Served) -> None:
    alice, _ = containers.started("alice"), containers.started("bob")
    site = containers.product.site()
    gateway = site["gateway"]["url"].removeprefix("http://").split(":")
    ports = json.loads((containers.product.data / "ports.json").read_text())
    open_places = [(gateway[0], int(gateway[1]))]
    closed_places = [
        (address(containers, "bob"), 8888),
        (address(containers, "bob", "agent"), 5572),
        ("169.254.169.254", 80),
        (gateway[0], ports["public"]),
        (gateway[0], ports["proxy"]),
        (gateway[0], ports["iam"]),
        (gateway[0], 2375),
    ]
    with alice.kernel() as kernel:
        assert kernel.run(CONNECT.format(places=open_places)).split() == ["open"]
        assert kernel.run(CONNECT.format(places=closed_places)).split() == ["closed"] * len(closed_places)


def test_neither_helper_nor_engine_nor_device_is_in_a_container(containers: Served) -> None:
    alice = containers.started("alice")
    with alice.kernel() as kernel:
        found = kernel.run(
            "import os, stat\n"
            "for top in ('/run', '/mounts', '/dev', '/tmp', '/srv', '/mnt'):\n"
            "    for folder, _, names in os.walk(top):\n"
            "        for name in names:\n"
            "            path = os.path.join(folder, name)\n"
            "            mode = os.lstat(path).st_mode\n"
            "            if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode): print(path)"
        ).split()
    # Not rclone's remote controls: whoever reaches one acts in the side container.
    assert [path for path in found if Path(path).parent != Path("/tmp/jupyter")] == ["/run/naas/agent.sock"]
    assert not [path for path in found if "docker" in path or "containerd" in path]


def inspect(served: Served, key: str, kind: str = "") -> dict[str, Any]:
    world = served.world
    assert isinstance(world, DockerWorld)
    attributes: dict[str, Any] = world.container(key, kind).attrs
    return attributes


@pytest.mark.parametrize("kind", ["", "agent"])
def test_what_the_engine_was_asked_for(containers: Served, kind: str) -> None:
    containers.started("alice")
    made = inspect(containers, "alice", kind)
    host = made["HostConfig"]
    if not kind:
        assert "NVIDIA_VISIBLE_DEVICES=void" in made["Config"]["Env"]
    uid, gid = map(int, made["Config"]["User"].split(":"))
    assert uid >= 1000
    assert gid >= 1000
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"]
    assert host["NetworkMode"] not in ("host", "bridge", "default")
    assert not host["Devices"]
    assert 0 < host["PidsLimit"] <= 4096
    assert host["Memory"] > 0
    assert host["MemorySwap"] == host["Memory"]
    assert not [bind for bind in host["Binds"] if "docker.sock" in bind or bind.startswith("/:")]
    assert "rslave" in " ".join(host["Binds"])
    secrets = [path.read_text().strip() for path in (containers.product.data / "secrets").iterdir()]
    assert not [secret for secret in secrets if secret and secret in json.dumps(made)]


BOMB = """
import os, signal
children = []
try:
    while len(children) < 100_000:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except OSError as error:
    print(type(error).__name__)
for pid in children:
    os.kill(pid, signal.SIGKILL)
for pid in children:
    os.waitpid(pid, 0)
print(len(children) < 256)
"""

FILL = """
try:
    with open('/tmp/full', 'wb') as file:
        for _ in range(4096):
            file.write(bytes(2**20))
except OSError as error:
    print(error.strerror)
import os; os.unlink('/tmp/full')
"""


def test_a_fork_bomb_and_a_full_disk_stay_where_they_are(containers: Served) -> None:
    alice, bob = containers.started("alice", profile="wide"), containers.started("bob")
    with alice.kernel() as kernel, bob.kernel() as other:
        assert kernel.run(BOMB).split() == ["BlockingIOError", "True"]
        assert _answers(other)
        assert kernel.run(FILL).strip() == "No space left on device"
        assert _answers(kernel)
        assert _answers(other)
    assert alice.hub("GET", "/user").status_code == 200


def _answers(kernel: Kernel) -> bool:
    return kernel.run("print(6 * 7)") == "42\n"
