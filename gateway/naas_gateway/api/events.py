"""Server-sent events (WHATWG HTML §9.2): the caller's own and general ones."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from naas_client.errors import InvalidInput, NaasError, Unavailable

from naas_gateway.api.auth import AccountDep, PlatformDep, account, identify
from naas_gateway.services.events import HEARTBEAT
from naas_gateway.services.platform import Platform

router = APIRouter(tags=["people"])

LARGEST_ID = 2**62


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, platform: PlatformDep, caller: AccountDep) -> StreamingResponse:
    """Events as they happen. `Last-Event-ID` gives those after it first; a comment line each 15 s is a sign of life."""
    platform.events.require_room(caller.name)
    last = _last_id(request.headers.get("last-event-id"))
    position = await platform.events.newest() if last is None else last
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _lines(request, platform, caller.name, position), media_type="text/event-stream", headers=headers
    )


async def _lines(request: Request, platform: Platform, username: str, position: int) -> AsyncIterator[str]:
    """The stream's text; ends when the caller's access does. The first id lets a client that got nothing yet continue."""
    yield f": open\nid: {position}\n\n"
    checked = time.monotonic()
    async for event in platform.events.follow(username, position):
        if time.monotonic() - checked >= HEARTBEAT:
            if not await _still_welcome(request, platform):
                return
            checked = time.monotonic()
        yield f"id: {event.id}\ndata: {event.model_dump_json()}\n\n" if event else ": alive\n\n"


async def _still_welcome(request: Request, platform: Platform) -> bool:
    try:
        await account(platform, await identify(request, platform))
    except Unavailable:  # a restart of the hub ends no stream
        return True
    except NaasError:
        return False
    return True


def _last_id(value: str | None) -> int | None:
    if value is None or value == "":
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > 19 or int(value) > LARGEST_ID:
        raise InvalidInput("Last-Event-ID: not one of ours. Leave it out to get new events only.")
    return int(value)
