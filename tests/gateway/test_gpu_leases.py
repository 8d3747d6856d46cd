"""No two servers get the same GPU, whatever happens at once; and what a server had comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from gateway_app import Gateway, HubStandIn, gateway_app
from gateway_calls import call, error_of
from naas_client.errors import Conflict, NaasError
from naas_client.models import GpuDevice, GpuDevices, GpuLease, GpuRequest
from naas_gateway.clients.hub import Running
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import GpuDeviceRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.events import Events
from naas_gateway.services.gpus import GRACE, Gpus
from naas_local.iam import EmbeddedIam
from sqlalchemy import update

pytestmark = pytest.mark.server

SLICE = "A100 1g.10gb"


def slices(count: int, node: str = "", flavour: str = SLICE) -> list[GpuDevice]:
    return [GpuDevice(node=node, device=f"MIG-{node}{flavour[:1]}{n:03}", flavour=flavour) for n in range(count)]


@pytest_asyncio.fixture
async def gpus(database: Database) -> Gpus:
    return Gpus(database, Events(database))


async def free(gpus: Gpus, flavour: str = SLICE) -> int:
    return next(state.free for state in (await gpus.states()).items if state.flavour == flavour)


# At once


def test_twenty_servers_at_once_share_seven_slices_at_two_gateways(
    database_url: str, tmp_path: Path, iam: EmbeddedIam
) -> None:
    sections = {"gateway": {"database_url": database_url}}
    with (
        gateway_app(tmp_path, iam, **sections) as one,
        gateway_app(tmp_path, iam, name="two", **sections) as two,
        ThreadPoolExecutor(20) as people,
    ):
        one.hub.report_gpus(GpuDevices(devices=slices(7)))
        clients = [gateway.hub for gateway in [one, two] * 10]

        def ask(number: int) -> GpuLease | NaasError:
            try:
                return clients[number].lease_gpus(f"person-{number}", GpuRequest(flavour=SLICE))
            except NaasError as error:
                return error

        answers = list(people.map(ask, range(20)))
        got = [answer for answer in answers if isinstance(answer, GpuLease)]
        refused = [answer for answer in answers if isinstance(answer, NaasError)]
        assert len({device for lease in got for device in lease.devices}) == len(got) == 7
        assert [error.code for error in refused] == ["gpu-none-free"] * 13
        assert all(error.message.startswith(f"All 7 GPUs “{SLICE}” are in use, the longest since") for error in refused)
        [state] = two.hub.gpus_for_hub().items
        assert (state.total, state.free) == (7, 0)
        list(people.map(lambda n: clients[n].release_gpus(f"person-{n}", ""), range(20)))
        assert one.hub.gpus_for_hub().items[0].free == 7


# Giving


@pytest.mark.asyncio
async def test_a_call_that_is_sent_again_gets_the_same_devices(gpus: Gpus) -> None:
    await gpus.report(slices(3))
    first = await gpus.lease("alice", GpuRequest(flavour=SLICE))
    assert (await gpus.lease("alice", GpuRequest(flavour=SLICE))).devices == first.devices
    assert await free(gpus) == 2


@pytest.mark.asyncio
async def test_another_wish_of_the_same_server_takes_the_place_of_the_former(gpus: Gpus, database: Database) -> None:
    await gpus.report([*slices(2), *slices(1, flavour="whole")])
    await gpus.lease("alice", GpuRequest(flavour=SLICE, count=2))
    await gpus.report([*slices(1), *slices(1, flavour="whole")])
    await gpus.lease("alice", GpuRequest(flavour="whole"))
    states = {state.flavour: (state.free, state.missing) for state in (await gpus.states()).items}
    assert states == {SLICE: (1, 0), "whole": (0, 0)}, "what was missing is gone with its lease"
    [row] = (await Audit(database).page(None, "gpu.release", None, 10, None)).items
    assert (row.actor, row.object, row.result) == ("hub", "alice/", "ok")
    assert row.detail["devices"] == [device.device for device in slices(2)]


@pytest.mark.asyncio
async def test_named_servers_of_one_person_are_apart(gpus: Gpus) -> None:
    await gpus.report(slices(2))
    one = await gpus.lease("alice", GpuRequest(flavour=SLICE))
    other = await gpus.lease("alice", GpuRequest(flavour=SLICE, server="second"))
    assert one.devices != other.devices
    await gpus.release("alice", "second")
    assert await free(gpus) == 1


@pytest.mark.asyncio
async def test_several_devices_are_of_one_node_and_the_fullest_is_taken_first(gpus: Gpus) -> None:
    await gpus.report([*slices(3, "gpu1"), *slices(2, "gpu2")])
    assert (await gpus.lease("alice", GpuRequest(flavour=SLICE))).node == "gpu2"
    pair = await gpus.lease("bob", GpuRequest(flavour=SLICE, count=2))
    assert (pair.node, len(set(pair.devices))) == ("gpu1", 2)
    with pytest.raises(Conflict, match=r"needs 2 GPUs .* in one machine, and 3 of 5 are in use"):
        await gpus.lease("carol", GpuRequest(flavour=SLICE, count=2))
    assert (await gpus.lease("carol", GpuRequest(flavour=SLICE, node="gpu1"))).node == "gpu1"
    with pytest.raises(Conflict, match="All 3 GPUs"):
        await gpus.lease("dana", GpuRequest(flavour=SLICE, node="gpu1"))


@pytest.mark.asyncio
async def test_what_is_not_there_is_not_given(gpus: Gpus) -> None:
    with pytest.raises(Conflict, match="There is no GPU “B200” at the moment"):
        await gpus.lease("alice", GpuRequest(flavour="B200"))


# Devices come and go


@pytest.mark.asyncio
async def test_a_device_that_vanishes_is_not_given_out_and_stays_with_its_server(gpus: Gpus) -> None:
    await gpus.report(slices(2))
    held = await gpus.lease("alice", GpuRequest(flavour=SLICE))
    await gpus.report([])
    [state] = (await gpus.states()).items
    assert (state.total, state.free, state.missing) == (0, 0, 1)
    with pytest.raises(Conflict, match="no GPU"):
        await gpus.lease("bob", GpuRequest(flavour=SLICE))
    await gpus.report(slices(2))
    assert (await gpus.lease("alice", GpuRequest(flavour=SLICE))).devices == held.devices
    await gpus.report([])
    await gpus.release("alice", "")
    assert (await gpus.states()).items == []


@pytest.mark.asyncio
async def test_a_device_can_get_another_flavour(gpus: Gpus) -> None:
    await gpus.report(slices(1))
    await gpus.report([slices(1)[0].model_copy(update={"flavour": "renamed"})])
    assert [(state.flavour, state.free) for state in (await gpus.states()).items] == [("renamed", 1)]


# Coming back


@pytest.mark.asyncio
async def test_the_lease_of_a_server_that_the_hub_does_not_know_returns_after_a_grace(
    gpus: Gpus, database: Database
) -> None:
    await gpus.report(slices(2))
    for name in ("alice", "bob"):
        await gpus.lease(name, GpuRequest(flavour=SLICE))
    await gpus.reconcile([])
    assert await free(gpus) == 0, "a server that is just starting may not be on the hub's list yet"
    async with database.write() as session:
        await session.execute(update(GpuDeviceRow).values(renewed_at=utcnow() - seconds(GRACE + 1)))
    await gpus.reconcile([Running("bob", "")])
    assert await free(gpus) == 1
    await gpus.reconcile([])
    assert await free(gpus) == 1, "bob's lease was renewed by the pass that saw the server"
    rows = (await Audit(database).page(None, "gpu.release", None, 10, None)).items
    assert [(row.actor, row.object, row.result) for row in rows] == [("naas-gateway", "alice/", "server-gone")]
    assert rows[0].detail["flavour"] == SLICE


@pytest.mark.asyncio
async def test_a_lease_of_an_earlier_start_is_not_the_running_servers(gpus: Gpus) -> None:
    await gpus.report(slices(2))
    await gpus.lease("alice", GpuRequest(flavour=SLICE))
    await gpus.reconcile([Running("alice", "", utcnow() - seconds(5))])
    assert await free(gpus) == 1
    await gpus.reconcile([Running("alice", "", utcnow() + seconds(60))])
    assert await free(gpus) == 2


@pytest.mark.asyncio
async def test_everybody_is_told_when_the_first_becomes_free(gpus: Gpus, database: Database) -> None:
    await gpus.report(slices(2))
    for name in ("alice", "bob"):
        await gpus.lease(name, GpuRequest(flavour=SLICE))
    await gpus.release("alice", "")
    await gpus.release("bob", "")
    events = await Events(database).after("somebody", 0)
    assert [(event.type, event.username, event.data) for event in events] == [
        ("gpu.free", None, {"flavour": SLICE, "free": 1})
    ]


def test_the_watcher_takes_back_what_a_crashed_hub_left(
    tmp_path: Path, iam: EmbeddedIam, hub: HubStandIn, eventually: Callable[..., Any]
) -> None:
    sections = {"iam": {"auth_refresh_age": 5}, "gateway": {"hub_api_url": hub.url}}
    with gateway_app(tmp_path, iam, **sections) as gateway:
        hub.service_token = gateway.hub_token
        hub.running["erin"] = [""]
        gateway.hub.report_gpus(GpuDevices(devices=slices(2)))
        for name in ("erin", "gone"):
            gateway.hub.lease_gpus(name, GpuRequest(flavour=SLICE))
        with sqlite3.connect(tmp_path / "gateway.sqlite") as database:
            database.execute("UPDATE gpu_devices SET renewed_at = datetime('now', '-1 hour')")
        eventually(lambda: gateway.hub.gpus_for_hub().items[0].free == 1, "the lease of the dead server is back", 10)
        assert gateway.hub.lease_gpus("erin", GpuRequest(flavour=SLICE)).devices == ["MIG-A000"]


# The API


def test_people_see_what_is_free(signed_in: Gateway, hub: HubStandIn) -> None:
    signed_in.hub.report_gpus(GpuDevices(devices=slices(2)))
    signed_in.hub.lease_gpus("alice", GpuRequest(flavour=SLICE))
    [state] = signed_in.client(hub.user_token("bob")).gpus().items
    assert (state.flavour, state.total, state.free) == (SLICE, 2, 1)
    assert state.busy_since is not None
    assert (utcnow() - state.at).total_seconds() < 30
    signed_in.hub.release_gpus("alice", "")


@pytest.mark.parametrize(
    "body",
    [
        {"flavour": ""},
        {"flavour": SLICE, "count": 0},
        {"flavour": SLICE, "count": 65},
        {"flavour": "x" * 81},
        {"flavour": SLICE, "node": "../etc"},
        {"flavour": SLICE, "server": "s" * 64},
    ],
)
def test_a_bad_wish_is_refused(signed_in: Gateway, body: dict[str, Any]) -> None:
    answer = call(signed_in, "POST", "/hub/users/alice/gpus", signed_in.hub_token, json=body)
    assert error_of(answer) == (400, "invalid-input")


@pytest.mark.parametrize("device", ["", "0,1", "$(id)", "-a", "x" * 121])
def test_a_bad_device_is_refused(signed_in: Gateway, device: str) -> None:
    body = {"devices": [{"device": device, "flavour": SLICE}]}
    answer = call(signed_in, "PUT", "/hub/gpus", signed_in.hub_token, json=body)
    assert error_of(answer) == (400, "invalid-input")
