"""`naas mount` and `naas unmount`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import click
from naas_client.errors import Conflict, Forbidden, NotFound, Unavailable
from naas_client.laptop.commands import chosen_person, service_option
from naas_client.models import StorageStatus
from naas_client.sizes import format_files
from naas_client.terminal import say

from naas_storage.agent.app import alone
from naas_storage.agent.ways import FusermountWay
from naas_storage.client import AgentClient
from naas_storage.laptop.places import PATIENCE, Place, absolute, place_for, places, source_of
from naas_storage.laptop.serving import LEFT, serve
from naas_storage.laptop.words import Narrator, connection, left_behind

LOCK_LIMIT = 30.0
"""Seconds for an agent that has said that it ended to be gone."""


@click.command()
@click.argument("bucket", required=False)
@click.argument("path", required=False)
@click.option("--read-only", is_flag=True, help="Nothing can be changed in the folder.")
@service_option
def mount(bucket: str | None, path: str | None, read_only: bool, service: str | None) -> None:
    """Show BUCKET (or bucket/folder) of the object store as the folder PATH, until Ctrl-C. Without arguments: what is mounted.

    PATH is there only while the store is connected. What you save is sent at once; Ctrl-C waits for what is not sent yet, and says
    what that is. A second Ctrl-C ends now: the rest is kept, and sent when you mount the same bucket again.
    """
    if bucket is None:
        _list()
        return
    if path is None:
        raise click.UsageError("Say where: naas mount BUCKET PATH")
    source, person = source_of(bucket), chosen_person(service)
    me, storage = person.me(), person.storage()
    if storage.degraded:
        raise Forbidden(storage.degraded, code=storage.code)
    place = place_for(person.service, me.name, source, absolute(path), storage, read_only=read_only)
    if place.keeper():
        raise Conflict(
            f"{source} is mounted already; `naas mount` says where. Run `naas unmount` with that path first."
        )
    raise SystemExit(serve(place, person))


def _status(place: Place) -> StorageStatus | None:
    """How a mount is; None when its agent does not answer."""
    try:
        return asyncio.run(AgentClient(place.plan.socket).status())
    except Unavailable:
        return None


def _list() -> None:
    lines = [line for place in places() if (line := _line(place))]
    say("\n".join(lines) or "Nothing is mounted. naas mount BUCKET PATH")


def _line(place: Place) -> str:
    """A place in the list; empty when there is nothing to tell (any more)."""
    where = f"{place.source}{' (read-only)' if place.plan.folders[0].read_only else ''} at {place.path}"
    if status := _status(place):
        pending = (
            f"; sending {format_files(status.uploads_total, status.bytes_pending)}" if status.uploads_total else ""
        )
        return f"{where}: {connection(place, status)}{pending}"
    if place.keeper():
        return f"{where}: busy, it does not answer just now"
    return left_behind(place, uploads) if (uploads := place.pending().items) else ""


@click.command()
@click.argument("path")
@click.option("--now", is_flag=True, help="Do not wait for what is not sent yet; it is kept for the next time.")
def unmount(path: str, now: bool) -> None:
    """End what `naas mount` shows at PATH, from another terminal, when everything is sent."""
    wanted = absolute(path)
    mine = [place for place in places() if place.path == wanted]
    place = next((place for place in mine if place.keeper()), mine[0] if mine else None)
    if place is None:
        raise NotFound(f"{wanted} is no folder of `naas mount`. Run `naas mount` to see those.")
    with contextlib.suppress(Unavailable):  # nobody keeps it (any more)
        asyncio.run(_end(place, now=now))
    _clear(place)
    if uploads := place.pending().items:
        say(left_behind(place, uploads), err=True)
        raise SystemExit(LEFT)
    click.echo("Ended; everything is in the store.")


async def _end(place: Place, *, now: bool) -> None:
    """Have the agent end, and follow it. Raises Unavailable when there is none, or when it ends before its answer."""
    client, narrator = AgentClient(place.plan.socket), Narrator(place)
    if now and (keeper := place.keeper()):
        os.kill(keeper, signal.SIGQUIT)
    stop = None if now else asyncio.create_task(client.stop(PATIENCE))
    async for status in client.watch():
        for line in narrator.news(status) if status.state == "draining" else []:
            say(line)
    if stop is not None:
        await stop


def _clear(place: Place) -> None:
    """Wait until the process is gone, and take away what a killed one has left."""
    plan = place.plan.model_copy(update={"timings": place.plan.timings.model_copy(update={"lock_limit": LOCK_LIMIT})})
    with alone(plan):
        asyncio.run(FusermountWay(plan).release(plan.folders[0].name))
        place.hide()
