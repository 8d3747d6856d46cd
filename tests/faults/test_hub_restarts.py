"""The hub, the proxy and the gateway may die: kernels, mounts and routes live on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from hub_session import HubSession, wait_for
from product import Product

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.mark.parametrize("part", ["hub", "gateway", "proxy"])
def test_a_killed_part_comes_back_and_the_session_lives_on(
    product: Product, person: Callable[[str], HubSession], part: str
) -> None:
    alice = person("alice")
    alice.start_server()
    alice.wait_connected()
    with alice.kernel() as kernel:
        kernel.run(
            "import os, pathlib; answer = 41; file = pathlib.Path.home() / 'cloud-storage' / 'alice' / 'before'; file.write_text('x')"
        )
        pid = kernel.run("print(os.getpid())")
        killed = product.pid(part)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: product.status()["ready"] and product.pid(part) != killed, f"the {part}")
        wait_for(lambda: alice.server("GET", "api/status").status_code == 200, "the route to alice's server")
    with alice.kernel() as kernel:
        assert (
            kernel.run(
                "import pathlib; print((pathlib.Path.home() / 'cloud-storage' / 'alice' / 'before').read_text())"
            )
            == "x\n"
        )
    assert pid
    assert alice.hub("GET", "/users/alice").json()["servers"][""]["ready"]


def test_the_same_kernel_answers_after_the_hub_was_killed(
    product: Product, person: Callable[[str], HubSession]
) -> None:
    alice = person("alice")
    alice.start_server()
    with alice.kernel() as kernel:
        kernel.run("answer = 41")
        killed = product.pid("hub")
        os.kill(killed, signal.SIGKILL)
        assert kernel.run("print(answer + 1)") == "42\n"
        wait_for(lambda: product.status()["ready"] and product.pid("hub") != killed, "the hub")
        assert kernel.run("print(answer + 1)") == "42\n"
