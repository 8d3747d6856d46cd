"""Event streams: own and general events, in order, none lost over a reconnection, ended with the access."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import NotSignedIn, TooMany
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.models import Event, StopReason
from naas_gateway.clock import utcnow
from naas_gateway.services.events import STREAMS_PER_PERSON

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def signed_in(gateway: Gateway) -> Gateway:
    for name in ("alice", "bob"):
        gateway.sign_in(name)
    return gateway


def stop(gateway: Gateway, username: str, code: str) -> None:
    gateway.hub.add_stop_reason(StopReason(username=username, code=code, message="m", at=utcnow()))


async def take(stream: AsyncIterator[Event], number: int) -> list[Event]:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(number)]


async def opened(
    gateway: Gateway, client: GatewayClient, **options: Any
) -> tuple[AsyncIterator[Event], asyncio.Task[list[Event]]]:
    """A stream that surely listens: the gauge says so."""
    before = streams(gateway)
    stream = client.events(**options)
    first = asyncio.create_task(take(stream, 1))
    async with asyncio.timeout(10):
        while await asyncio.to_thread(streams, gateway) <= before:  # noqa: ASYNC110 - the gauge is in another process
            await asyncio.sleep(0.02)
    return stream, first


def streams(gateway: Gateway) -> float:
    headers = {"Authorization": f"Bearer {gateway.hub_token}"}
    text = httpx.get(f"{gateway.url}/services/naas/metrics", headers=headers, trust_env=False).text
    return float(next(line for line in text.splitlines() if line.startswith("naas_gateway_event_streams ")).split()[1])


@pytest.mark.asyncio
async def test_people_see_their_own_events_at_once_and_nobody_elses(signed_in: Gateway, hub: HubStandIn) -> None:
    async with GatewayClient(signed_in.url + API_PATH, hub.user_token("alice")) as client:
        stream, first = await opened(signed_in, client)
        await asyncio.to_thread(stop, signed_in, "bob", "not-hers")
        await asyncio.to_thread(stop, signed_in, "alice", "first")
        event = (await first)[0]
        assert (event.type, event.username, event.data["code"]) == ("server.stopped", "alice", "first")
        await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_nothing_is_lost_over_a_reconnection(signed_in: Gateway, hub: HubStandIn) -> None:
    async with GatewayClient(signed_in.url + API_PATH, hub.user_token("bob")) as client:
        stream, first = await opened(signed_in, client)
        await asyncio.to_thread(stop, signed_in, "bob", "one")
        last = (await first)[0]
        await stream.aclose()  # type: ignore[attr-defined]
        for code in ("two", "three"):
            await asyncio.to_thread(stop, signed_in, "bob", code)
        later = client.events(last_event_id=last.id)
        assert [event.data["code"] for event in await take(later, 2)] == ["two", "three"]
        await later.aclose()  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_another_replica_s_events_arrive_too(signed_in: Gateway, hub: HubStandIn, tmp_path: Path) -> None:
    folder = signed_in.log.parent
    with gateway_app(folder, signed_in.iam, name="second", gateway={"hub_api_url": hub.url}) as second:
        async with GatewayClient(second.url + API_PATH, hub.user_token("alice")) as client:
            stream, first = await opened(second, client)
            await asyncio.to_thread(stop, signed_in, "alice", "over there")
            assert (await first)[0].data["code"] == "over there"
            await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_a_person_has_a_bounded_number_of_streams(signed_in: Gateway, hub: HubStandIn) -> None:
    async with GatewayClient(signed_in.url + API_PATH, hub.user_token("alice")) as client:
        tasks = [(await opened(signed_in, client)) for _ in range(STREAMS_PER_PERSON)]
        with pytest.raises(TooMany, match="Close some tabs"):
            await take(client.events(), 1)
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)


@pytest.mark.asyncio
async def test_a_stream_needs_a_token(signed_in: Gateway) -> None:
    async with GatewayClient(signed_in.url + API_PATH, "unknown") as client:
        with pytest.raises(NotSignedIn):
            await take(client.events(), 1)
