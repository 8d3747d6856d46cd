"""What the hub tells the gateway about GPUs, and what it tells pages: soon, and never something it does not know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_app import Gateway
from naas_client.errors import Unavailable
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.models import GpuRequest
from naas_spawner.gpus import GpuPool, GpuSource

pytestmark = [pytest.mark.server, pytest.mark.asyncio]

LISTED = [GpuSource(flavour="T4", devices=["GPU-1", "GPU-2"])]
FOUND = "#!/bin/sh\necho 'GPU 0: Tesla T4 (UUID: GPU-33333333-d268-c3f3-1b07-005d5ae1dc3f)'\n"

Client = Callable[[], GatewayClient]


@pytest.fixture
def client(gateway: Gateway) -> Client:
    return lambda: GatewayClient(gateway.url + API_PATH, gateway.hub_token)


async def test_what_is_listed_is_told_and_shown(client: Client) -> None:
    pool = GpuPool()
    [state] = await pool.states(LISTED, client) or []
    assert (state.flavour, state.total, state.free) == ("T4", 2, 2)


async def test_many_pages_ask_the_gateway_once_and_a_lease_shows_at_once(client: Client) -> None:
    pool, asked = GpuPool(), []

    def counting() -> GatewayClient:
        asked.append(1)
        return client()

    await asyncio.gather(*(pool.states(LISTED, counting) for _ in range(50)))
    assert len(asked) == 2, "one report and one question"
    async with client() as hub:
        await hub.lease_gpus("alice", GpuRequest(flavour="T4"))
        pool.changed()
        assert [state.free for state in await pool.states(LISTED, counting) or []] == [1]
        await hub.release_gpus("alice", "")


async def test_while_the_gateway_is_away_nothing_is_known(client: Client) -> None:
    pool = GpuPool()

    def away() -> GatewayClient:
        return GatewayClient("http://127.0.0.1:9" + API_PATH, "token")

    assert await pool.states(LISTED, away) is None
    with pytest.raises(Unavailable):
        await pool.report(LISTED, away)
    pool.changed()
    assert await pool.states(LISTED, client)


async def test_a_driver_that_hangs_keeps_no_page_waiting(
    client: Client, nvidia_smi: Callable[[str], None], tmp_path: Path
) -> None:
    nvidia_smi(f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.1; done\n{FOUND}")
    pool, started = GpuPool(), time.monotonic()
    assert await pool.states([], client) is None
    assert time.monotonic() - started < 4
    (tmp_path / "go").touch()
    await pool.report([], client)
    pool.changed()
    assert [(state.flavour, state.free) for state in await pool.states([], client) or []] == [("Tesla T4", 1)]


async def test_what_a_broken_driver_had_is_not_given_out(client: Client, nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi(FOUND)
    await GpuPool().report([], client)
    nvidia_smi("#!/bin/sh\necho Failed to initialize NVML: Driver/library version mismatch\nexit 18\n")
    assert await GpuPool().states([], client) == []
