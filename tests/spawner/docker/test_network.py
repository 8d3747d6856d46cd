"""The servers' network and the kernel's rule that keeps its containers from a cloud's metadata address."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import docker
import pytest
from engine import engine
from naas_spawner.docker.containers import Engine

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it changes rules of routes")]

RULES = """
import subprocess, sys
from naas_spawner.docker.containers import _forbid_link_local, _forget_rules
def ip(words):
    subprocess.run(["ip", *words.split()], check=True)
"""


def rules(work: str) -> list[str]:
    """Rules of a network namespace of its own, with the bridge `br-ours`, after some work."""
    begin = f"{RULES}\nip('link add br-ours type bridge')\n"
    argv = ["unshare", "--net", sys.executable, "-c", f"{begin}{work}\nip('rule show')"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(line.partition("from all ")[2] for line in done.stdout.splitlines() if " lookup " not in line)


OURS = "to 169.254.0.0/16 iif br-ours prohibit"


def test_link_local_addresses_are_forbidden_once() -> None:
    assert rules("_forbid_link_local('br-ours')\n_forbid_link_local('br-ours')") == [OURS]


@pytest.mark.parametrize(
    "other",
    [
        "to 10.9.0.0/16 iif br-ours prohibit",
        "from 10.9.0.0/16 to 169.254.0.0/16 iif br-ours prohibit",
        "iif br-ours blackhole",
        "to 169.254.0.0/16 iif br-ours blackhole",
        "to 169.254.0.0/16 iif br-ours2 prohibit",
    ],
)
def test_another_rule_that_names_the_interface_is_not_the_prohibition(other: str) -> None:
    assert OURS in rules(f"ip('rule add {other}')\n_forbid_link_local('br-ours')")


def test_rules_of_interfaces_that_are_no_more_are_forgotten_and_no_others() -> None:
    gone = "_forbid_link_local('br-ours')\nip('link del br-ours')\n"
    assert rules(gone) == ["to 169.254.0.0/16 iif br-ours [detached] prohibit"]
    assert rules(f"{gone}_forget_rules('')") == []
    others = (
        "ip('link add br-other type bridge')\n_forbid_link_local('br-other')\nip('rule add iif br-gone blackhole')\n"
    )
    assert rules(f"{others}{gone}_forget_rules('')") == [
        "iif br-gone [detached] blackhole",
        "to 169.254.0.0/16 iif br-other prohibit",
    ]


@pytest.fixture
def name() -> Iterator[str]:
    """Of a network, which is taken away when a test has left it."""
    engine()
    name = f"naas-tests-{uuid.uuid4().hex[:8]}"
    yield name
    for left in docker.from_env().networks.list(names=[name]):
        left.remove()


@pytest.mark.docker
@pytest.mark.parametrize("removed", [False, True], ids=["there", "removed"])
def test_the_end_leaves_no_rule_also_when_somebody_has_removed_the_network(name: str, removed: bool) -> None:
    machine = Engine()
    machine.network(name, "10.203.96.0/28")
    network = machine.client.networks.get(name)
    bridge = f"br-{network.id[:12]}"
    assert bridge in shown()
    if removed:
        network.remove()
        assert f"{bridge} [detached]" in shown()
    machine.end(name)
    assert bridge not in shown()


def shown() -> str:
    return subprocess.run(["ip", "rule", "show"], capture_output=True, text=True, timeout=10, check=True).stdout
