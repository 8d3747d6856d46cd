"""A job that is watched, in the whole product: the check is made from Lab, pinged from a notebook, seen to fail, and told of."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hub_session import HubSession
from naas_gateway.db.keys import read_keys
from product import Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

PING = "import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).read().decode())"
CLIENT = """
import os
from naas_client.gateway import SyncGatewayClient
naas = SyncGatewayClient(os.environ["NAAS_GATEWAY_URL"], os.environ["JUPYTERHUB_API_TOKEN"])
print([(check.name, check.status) for check in naas.checks.list().items])
"""


def follow(session: HubSession, seen: list[dict[str, Any]], enough: threading.Event) -> None:
    """Collect the events that Lab gets."""
    with session.http.stream("GET", f"/user/{session.name}/naas/api/events", timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
            if enough.is_set():
                return


def test_a_job_is_watched_from_lab(product: Product, person: Callable[[str], HubSession]) -> None:
    alice = person("alice")
    alice.start_server()
    (own,) = alice.server("GET", "naas/api/healthchecks/projects").json()["items"]
    assert (own["name"], own["provisioned"], own["writable"]) == ("alice", True, True)
    checks = f"naas/api/healthchecks/projects/{own['id']}/checks"
    made = alice.server("POST", checks, json={"name": "nightly", "timeout": 3600}).json()
    check = f"{checks}/{made['id']}"
    assert alice.server("PATCH", check, json={"schedule": "30 1 * * 1-5", "tz": "Europe/Rome"}).json()["kind"] == "cron"

    seen: list[dict[str, Any]] = []
    enough = threading.Event()
    threading.Thread(target=follow, args=(alice, seen, enough), daemon=True).start()

    def status() -> str:
        items = alice.server("GET", checks, params={"search": "night"}).json()["items"]
        return str(items[0]["status"])

    with alice.kernel() as kernel:
        assert kernel.run(PING.format(url=made["ping_url"])) == "OK\n"
        wait_for(lambda: status() == "up", "the ping is seen", 15)
        assert kernel.run(CLIENT) == "[('nightly', 'up')]\n"
        kernel.run(PING.format(url=f"{made['ping_url']}/3"))
        wait_for(lambda: status() == "down", "the failure is seen", 15)
    pings = alice.server("GET", f"{check}/pings").json()["items"]
    assert [(ping["type"], ping["exit_status"]) for ping in pings] == [("fail", 3), ("success", None)]

    def told() -> dict[str, Any] | None:
        return next((event for event in seen if event["type"] == "check.down"), None)

    event = wait_for(told, "Lab is told", 60)
    enough.set()
    assert (
        event["data"] | {"project": own["id"], "check": made["id"], "name": "nightly", "exit_status": 3}
        == event["data"]
    )
    assert alice.server("DELETE", check).status_code == 204


def test_the_key_of_a_project_is_nowhere_but_in_the_gateway(
    product: Product, person: Callable[[str], HubSession]
) -> None:
    bob = person("bob")
    bob.start_server()
    (own,) = bob.server("GET", "naas/api/healthchecks/projects").json()["items"]
    bob.server("GET", "naas/api/healthchecks/checks")
    with sqlite3.connect(product.data / "gateway" / "gateway.sqlite") as database:
        (sealed,) = database.execute("SELECT api_key FROM check_projects WHERE id = ?", (own["id"],)).fetchone()
    key = read_keys(product.data / "gateway" / "keys").decrypt(sealed)
    assert key.startswith("hcw_")
    with bob.kernel() as kernel:
        assert key not in kernel.run("import os; print(dict(os.environ))")
    files = [
        file
        for folder in (*("logs", "run", "gateway", "healthchecks", "hub"), *("homes/bob", "servers/bob"))
        for file in (product.data / folder).rglob("*")
        if file.is_file() and not file.is_symlink()
    ]
    assert len(files) > 20
    assert not [file for file in files if key.encode() in file.read_bytes()]
