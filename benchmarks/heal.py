"""From `kill -9` of the mount program to a read on the same path: the real agent, mount helper and store, as root.

    python benchmarks/heal.py [--runs 20] [--way helper|fusermount] [--store embedded|ceph]

A program of the person opens and reads a file again and again. Counted is the time from the kill to the end of its first read
that works again. Between two kills the folder is let settle, as on a day with one crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
from naas_local.store import embedded_store
from naas_local.view import private_namespace
from naas_storage.plan import Timings

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "support"))
from ceph import shared_cluster  # noqa: E402
from fault_sites import BUCKET, CephSite, EmbeddedSite, SessionGateway, Site, as_alice  # noqa: E402
from fault_stage import FOLDER  # noqa: E402
from storage_world import AgentProcess, World  # noqa: E402
from token_issuer import TokenIssuer  # noqa: E402

SETTLED = 1.0
LIMIT = 30.0
PERSON_WITH_PASSWD_ENTRY = 65534
READER = """
import time
was = None
while True:
    try:
        with open('{path}') as file:
            file.read()
        now = 'ok'
    except OSError:
        now = 'bad'
    if now != was:
        print(now, time.monotonic(), flush=True)
        was = now
    time.sleep(0.002)
"""


@contextlib.contextmanager
def running_site(kind: str, folder: Path) -> Iterator[Site]:
    """A store with a small file in alice's bucket."""
    with contextlib.ExitStack() as stack:
        issuer = stack.enter_context(TokenIssuer().running())
        site: Site
        if kind == "ceph":
            site = CephSite(stack.enter_context(shared_cluster(folder)), issuer)
        else:
            site = EmbeddedSite(stack.enter_context(embedded_store(folder, issuer.url)), issuer)
        as_alice(site).put_object(Bucket=BUCKET, Key="welcome.txt", Body=b"hello alice\n")
        yield site


@contextlib.contextmanager
def running_agent(base: Path, way: str, kind: str) -> Iterator[AgentProcess]:
    """A mounted agent; with ``fusermount`` there is no helper, as on a laptop."""
    base.chmod(0o711)
    (base / "run").mkdir(mode=0o711)
    helper = way == "helper"
    with contextlib.ExitStack() as stack:
        namespace = private_namespace([base, REPOSITORY, Path(sys.base_prefix), Path(sys.prefix)])
        stack.callback(os.close, namespace)
        (base / "site").mkdir()
        site = stack.enter_context(running_site(kind, base / "site"))
        gateway = SessionGateway(site, site.url, site.url)
        stack.callback(gateway.close)
        options = {} if helper else {"person": PERSON_WITH_PASSWD_ENTRY, "restricted": False}
        world = World(base, site, gateway, namespace, **options)  # type: ignore[arg-type] - of the store it uses the address alone
        stack.callback(world.close)
        if helper:
            world.start_helper()
        published = world.publish(folders=FOLDER) if helper else None
        values = {"folders": FOLDER, "provider": site.provider, "timings": Timings(settled=SETTLED)}
        plan = world.plan(published, **values)
        agent = world.start_agent(plan)
        agent.mounted()
        yield agent


def heal(agent: AgentProcess, reader: subprocess.Popen[bytes]) -> float:
    """Seconds of one kill."""
    begin = time.monotonic()
    os.kill(agent.engines()["alice"], signal.SIGKILL)
    assert reader.stdout is not None
    while True:
        word, moment = reader.stdout.readline().split()
        if word == b"ok" and float(moment) > begin:
            break
    seconds = float(moment) - begin
    agent.mounted()
    time.sleep(2 * SETTLED)  # the subject of the measurement: a mount that had settled before it was killed
    return seconds


@click.command()
@click.option("--runs", default=20, show_default=True)
@click.option("--way", type=click.Choice(["helper", "fusermount"]), default="helper", show_default=True)
@click.option("--store", type=click.Choice(["embedded", "ceph"]), default="embedded", show_default=True)
def main(runs: int, way: str, store: str) -> None:
    """Print one JSON document with each time, median and 95th percentile in seconds."""
    if os.geteuid() != 0:
        raise click.ClickException("The agent runs as another person here: start it as root.")
    base = Path(tempfile.mkdtemp(prefix="naas-heal-"))
    try:
        with running_agent(base, way, store) as agent:
            script = READER.format(path=agent.plan.link / "alice/welcome.txt")
            reader = agent.world.start(sys.executable, "-c", script, uid=agent.world.person, stdout=subprocess.PIPE)
            assert reader.stdout is not None
            reader.stdout.readline()
            seconds = [heal(agent, reader) for _ in range(runs)]
    finally:
        shutil.rmtree(base, ignore_errors=True)
    result = {
        "way": way,
        "store": store,
        "seconds": [round(one, 3) for one in seconds],
        "median": round(statistics.median(seconds), 3),
        "p95": round(statistics.quantiles(seconds, n=20, method="inclusive")[-1], 3) if runs > 1 else None,
        "load": [round(value, 1) for value in os.getloadavg()],
    }
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
