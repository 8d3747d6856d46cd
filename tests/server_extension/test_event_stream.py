"""``GET naas/api/events``: the gateway's events and the agent's changes in one stream that ends when nobody listens."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from lab_server import Stack
from naas_client.models import Event
from naas_server.sse import FrameTooLong, data_of, frame
from panel_stand_ins import HUB_TOKEN, status

pytestmark = pytest.mark.server


def event(number: int, **data: Any) -> Event:
    return Event(id=number, type="server.stopped", username="alice", data=data, at=dt.datetime.now(dt.UTC))


class Frames:
    """The frames of a stream, as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self, type_: str) -> tuple[str, dict[str, Any]]:
        """Id and data of the next event of a type, which must come within ten seconds."""
        event_id, end = "", time.monotonic() + 10
        for line in self._lines:
            assert time.monotonic() < end, f"no event {type_} came"
            if line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("data: "):
                document = json.loads(line[6:])
                if document["type"] == type_:
                    return event_id, document
                event_id = ""
        raise AssertionError(f"the stream ended before an event {type_}")


@contextlib.contextmanager
def stream(api: httpx.Client, **headers: str) -> Iterator[Frames]:
    with api.stream("GET", "events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Frames(answer)


def test_the_storage_comes_at_once_and_after_each_change(stack: Stack, api: httpx.Client) -> None:
    with stream(api) as frames:
        event_id, first = frames.next("storage.status")
        assert (event_id, first["id"]) == ("", 0)
        assert first["data"]["folders"][0]["browser_path"] == "cloud-storage/alice"
        stack.agent.set(status(stack.desk.home, state="draining"))
        assert frames.next("storage.status")[1]["data"]["state"] == "draining"


def test_the_gateways_events_are_relayed_with_their_ids(stack: Stack, api: httpx.Client) -> None:
    stack.gateway.events[:] = [event(41), event(42, message="Zeile eins\nZeile zwei")]
    with stream(api, **{"Last-Event-ID": "41"}) as frames:
        event_id, document = frames.next("server.stopped")
        assert event_id == "42"
        assert document["data"] == {"message": "Zeile eins\nZeile zwei"}
        stack.gateway.emit(event(43))
        assert frames.next("server.stopped")[0] == "43"
    (asked,) = (a for a in stack.gateway.asked if a.path == "/api/v1/events")
    assert asked.headers["Authorization"] == f"Bearer {HUB_TOKEN}"
    assert asked.headers["Last-Event-ID"] == "41"
    stack.gateway.events.clear()


@pytest.mark.parametrize("forged", ["-1", "1; drop", "9" * 30, "abc"])
def test_a_forged_last_event_id_is_ignored(stack: Stack, api: httpx.Client, forged: str) -> None:
    stack.gateway.events[:] = [event(1)]
    with stream(api, **{"Last-Event-ID": forged}) as frames:
        assert frames.next("server.stopped")[0] == "1"
    assert all("Last-Event-ID" not in asked.headers for asked in stack.gateway.asked)
    stack.gateway.events.clear()


def test_a_silent_stream_gives_signs_of_life(stack: Stack, api: httpx.Client) -> None:
    with api.stream("GET", "events") as answer:
        lines = answer.iter_lines()
        assert sum(1 for _, line in zip(range(60), lines, strict=False) if line.startswith(":")) >= 2


def test_everything_ends_when_the_browser_leaves(stack: Stack, api: httpx.Client) -> None:
    assert stack.agent.wait_watchers(0)
    with stream(api) as frames:
        frames.next("storage.status")
        assert stack.agent.watchers == 1
    assert stack.agent.wait_watchers(0)


def opened(client: httpx.Client, seconds: float = 10) -> bool:
    """Whether a stream can be opened; asked again while closed ones are still counted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with client.stream("GET", "events") as answer:
            if answer.status_code == 200:
                return True
    return False


def test_streams_that_are_left_at_once_leave_nothing_behind(stack: Stack) -> None:
    for _ in range(40):
        with stack.jupyter.client() as client, client.stream("GET", "events") as answer:
            assert answer.status_code == 200
    assert stack.agent.wait_watchers(0)


def test_there_is_a_limit_to_open_streams(stack: Stack) -> None:
    assert stack.agent.wait_watchers(0)
    with contextlib.ExitStack() as tabs:
        *clients, last = (tabs.enter_context(stack.jupyter.client()) for _ in range(17))
        assert opened(last)
        for client in clients:
            tabs.enter_context(stream(client))
        with last.stream("GET", "events") as answer:
            assert answer.status_code == 429
            assert json.loads(answer.read())["error"]["code"] == "too-many"
    assert stack.agent.wait_watchers(0)
    with stack.jupyter.client() as client:
        assert opened(client), "the streams of closed tabs are still counted"


async def pieces(*parts: bytes) -> Any:
    for part in parts:
        yield part


@pytest.mark.asyncio
@pytest.mark.parametrize("cut", range(0, 60, 7))
async def test_frames_are_read_whole_wherever_they_are_cut(cut: int) -> None:
    text = b": alive\r\n\r\nid: 1\ndata: {a\ndata: b}\n\n" + frame("x\ny", 5).encode()
    found = [data async for data in data_of(pieces(text[:cut], text[cut:]))]
    assert found == ["{a\nb}", "x\ny"]


@pytest.mark.asyncio
async def test_an_event_without_end_stops_the_stream() -> None:
    with pytest.raises(FrameTooLong):
        _ = [data async for data in data_of(pieces(b"data: ", b"x" * 300_000))]
