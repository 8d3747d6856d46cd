"""Parts of the service die or hang: kernels, mounts and routes live on, and what a program saved meanwhile is in the bucket."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from fault_ledger import Ledger
from fault_stage import seconds
from hub_session import HubSession
from product import ACCESS_AGE, Product, naas_up
from storage_world import REPOSITORY
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

SESSION = int(seconds(20, 240))
"""Life of credentials: renewed each quarter of it, so a part that is away for longer than that is missed."""
AWAY = seconds(8, 90)
START = """
import json, pathlib, subprocess, sys
home = pathlib.Path.home()
options = dict(folder=str(home / 'cloud-storage' / 'alice'), ledger=str(home / 'ledger.jsonl'), stop=str(home / 'stop'))
more = dict(prefix='{prefix}', size=2000, pause=0.05, read=True)
subprocess.Popen([sys.executable, '{script}', json.dumps(dict(**options, **more))], start_new_session=True)
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of our own, whose credentials live for a short time."""
    settings = {"iam": {"auth_refresh_age": ACCESS_AGE}, "storage": {"session_seconds": SESSION}}
    with naas_up(tmp_path_factory.mktemp("short-lived"), settings) as running:
        yield running


@pytest.fixture
def alice(person: Callable[[str], HubSession]) -> HubSession:
    """Alice, with her folders."""
    alice = person("alice")
    alice.start_server()
    alice.wait_connected()
    return alice


@pytest.fixture
def ledger(request: pytest.FixtureRequest, product: Product, alice: HubSession) -> Iterator[Ledger]:
    """A program of alice's that writes and reads in her folder until its end is asked for."""
    home = product.data / "homes" / "alice"
    ledger = Ledger(home / "ledger.jsonl")
    for left in (ledger.path, home / "stop"):
        left.unlink(missing_ok=True)
    with alice.kernel() as kernel:
        prefix = "".join(letter for letter in request.node.name if letter.isalnum())
        kernel.run(START.format(prefix=prefix, script=REPOSITORY / "tests/support/ledger_writer.py"))
    ledger.wait("saved", 5)
    yield ledger
    (home / "stop").touch()


def finish(product: Product, alice: HubSession, ledger: Ledger) -> None:
    """After a fault: work has gone on, nothing is pending, and every object is what the program was told is saved."""
    ledger.wait("saved", ledger.count("saved") + 20)
    (product.data / "homes" / "alice" / "stop").touch()
    ledger.wait("end")
    alice.wait_connected()
    wait_for(lambda: not alice.server("GET", "naas/api/storage").json()["uploads_total"], "nothing is pending")
    bucket = product.data / "store" / "buckets" / "alice"
    saved = ledger.saved()
    assert {name: hashlib.md5((bucket / name).read_bytes()).hexdigest() for name in saved} == saved
    assert ledger.told("wrong") == []


@pytest.mark.parametrize("part", ["hub", "gateway", "proxy", "iam", "store"])
def test_a_killed_part_comes_back_and_the_session_lives_on(
    product: Product, alice: HubSession, ledger: Ledger, part: str
) -> None:
    killed = product.pid(part)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: product.status()["ready"] and product.pid(part) != killed, f"the {part}")
    wait_for(lambda: alice.server("GET", "api/status").status_code == 200, "the route to alice's server")
    finish(product, alice, ledger)
    if part != "store":
        assert ledger.told("error") == []
    assert alice.hub("GET", "/users/alice").json()["servers"][""]["ready"]


@pytest.mark.parametrize("part", ["iam", "gateway", "hub"])
def test_a_part_that_does_not_answer_for_a_while_is_not_noticed(
    product: Product, alice: HubSession, ledger: Ledger, part: str
) -> None:
    """90 s with credentials of 4 minutes (short: 8 s of 20 s)."""
    stopped = product.pid(part)
    os.kill(stopped, signal.SIGSTOP)
    try:
        began, before = time.monotonic(), ledger.count("saved")
        wait_for(lambda: time.monotonic() - began > AWAY and ledger.count("saved") > before + 20, "work goes on", 300)
    finally:
        os.kill(stopped, signal.SIGCONT)
    finish(product, alice, ledger)
    assert ledger.told("error") == []


def test_the_same_kernel_answers_after_the_hub_was_killed(product: Product, alice: HubSession) -> None:
    with alice.kernel() as kernel:
        kernel.run("answer = 41")
        killed = product.pid("hub")
        os.kill(killed, signal.SIGKILL)
        assert kernel.run("print(answer + 1)") == "42\n"
        wait_for(lambda: product.status()["ready"] and product.pid("hub") != killed, "the hub")
        assert kernel.run("print(answer + 1)") == "42\n"
