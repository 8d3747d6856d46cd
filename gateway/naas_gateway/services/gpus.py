"""Which server has which GPU: one row a device, changed by one transaction at a time, so that no two servers get the same.

The hub reports what devices there are; a device that is not reported any more is not given out, and stays with a server that has it.
A lease ends with its server: the hub says so, and what a crashed hub leaves behind the watcher takes back.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

from naas_client.errors import Conflict
from naas_client.models import GpuDevice, GpuLease, GpuRequest, GpuState, Page
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.hub import Running
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import GpuDeviceRow
from naas_gateway.services import audit
from naas_gateway.services.events import Events

log = logging.getLogger(__name__)

GRACE = 60.0
"""Seconds that a lease outlives the last sign of its server: the hub's list of servers may be a little older than the lease."""

SKEW = 10.0
"""Seconds that the clocks of hub and gateway may differ."""

_LOCK = 7_166_183_003
"""PostgreSQL advisory lock: the table is changed by one transaction at a time, as on SQLite. It is held for milliseconds."""


class Gpus:
    """The devices and their leases."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    async def report(self, devices: Iterable[GpuDevice]) -> None:
        """Take over the hub's view: these devices there are, and no others."""
        now, found = utcnow(), {(device.node, device.device): device for device in devices}
        async with self._changing() as session:
            for row in await _rows(session):
                device = found.pop((row.node, row.device), None)
                if device is not None:
                    row.flavour, row.present, row.seen_at = device.flavour, True, now
                elif row.username is not None:
                    row.present = False
                else:
                    await session.delete(row)
            session.add_all(GpuDeviceRow(**device.model_dump(), present=True, seen_at=now) for device in found.values())

    async def lease(self, name: str, wanted: GpuRequest) -> GpuLease:
        """Give devices to a server. Asked again, it keeps what it has; another wish takes the place of the former one.

        Raises Conflict with code ``gpu-none-free``, and how many are in use since when.
        """
        now = utcnow()
        async with self._changing() as session:
            rows = await _rows(session)
            held = [row for row in rows if (row.username, row.server) == (name, wanted.server)]
            if not _fits(held, wanted):
                await _take_back(session, "hub", held)
                of_flavour = [row for row in rows if row.flavour == wanted.flavour]
                held = _choose(of_flavour, wanted)
                if not held:
                    raise Conflict(_none_free(of_flavour, wanted), code="gpu-none-free")
                for row in held:
                    row.username, row.server = name, wanted.server
                _note(session, "hub", "gpu.lease", held)
            for row in held:
                row.since = row.renewed_at = now
            devices = [row.device for row in held]
            return GpuLease(node=held[0].node, flavour=wanted.flavour, devices=devices, since=now)

    async def release(self, name: str, server: str) -> None:
        """Take back what a server has; nothing to take back is no error."""
        async with self._changing() as session:
            held = [row for row in await _rows(session) if (row.username, row.server) == (name, server)]
            await _take_back(session, "hub", held)

    async def reconcile(self, running: Collection[Running]) -> None:
        """Renew the leases of servers that run or start, and take back those of servers that the hub has not listed for `GRACE`."""
        async with self._database.read() as session:
            if not await session.scalar(select(GpuDeviceRow.device).where(GpuDeviceRow.username.is_not(None)).limit(1)):
                return
        now, alive = utcnow(), {(server.username, server.server): server.started for server in running}
        gone: defaultdict[tuple[str, str], list[GpuDeviceRow]] = defaultdict(list)
        async with self._changing() as session:
            for row in await _rows(session):
                if row.username is None or row.server is None or row.renewed_at is None:
                    continue
                holder = (row.username, row.server)
                started = alive.get(holder)
                if started is not None and row.since is not None and row.since < started - seconds(SKEW):
                    gone[holder].append(row)  # of an earlier start, which a crashed hub forgot
                elif holder in alive:
                    row.renewed_at = now
                elif row.renewed_at < now - seconds(GRACE):
                    gone[holder].append(row)
            for held in gone.values():
                await _take_back(session, audit.GATEWAY, held, "server-gone")
        for name, server in gone:
            log.info("server %s of %s is gone: its GPUs are free again", server, name)

    async def states(self) -> Page[GpuState]:
        """All flavours, by name."""
        async with self._database.read() as session:
            found = _states(await _rows(session))
        return Page(items=found, total=len(found))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is alone with the table; when the first device of a flavour becomes free, everybody is told."""
        async with self._database.write() as session:
            if self._database.is_postgres:
                await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            none_free = {state.flavour for state in _states(await _rows(session)) if not state.free}
            yield session
            await session.flush()
            freed = [s for s in _states(await _rows(session)) if s.free and s.flavour in none_free]
            for state in freed:
                await self._events.add(session, "gpu.free", None, flavour=state.flavour, free=state.free)
        if freed:
            self._events.wake()


async def _rows(session: AsyncSession) -> Sequence[GpuDeviceRow]:
    return (await session.scalars(select(GpuDeviceRow).order_by(GpuDeviceRow.node, GpuDeviceRow.device))).all()


def _fits(held: Sequence[GpuDeviceRow], wanted: GpuRequest) -> bool:
    right = all(row.present and row.flavour == wanted.flavour and wanted.node in (None, row.node) for row in held)
    return right and len(held) == wanted.count


def _choose(rows: Iterable[GpuDeviceRow], wanted: GpuRequest) -> list[GpuDeviceRow]:
    """Free devices of one node: of the fullest that has enough, so that the others keep room for who needs several."""
    nodes: defaultdict[str, list[GpuDeviceRow]] = defaultdict(list)
    for row in rows:
        if row.present and row.username is None and wanted.node in (None, row.node):
            nodes[row.node].append(row)
    enough = [free for free in nodes.values() if len(free) >= wanted.count]
    return min(enough, key=len)[: wanted.count] if enough else []


def _none_free(rows: Sequence[GpuDeviceRow], wanted: GpuRequest) -> str:
    present = [row for row in rows if row.present and wanted.node in (None, row.node)]
    if not present:
        return f"There is no GPU “{wanted.flavour}” at the moment. Choose another profile, or write to support."
    used = [row for row in present if row.username is not None]
    since = min((row.since for row in used if row.since is not None), default=None)
    longest = f", the longest since {since:%-d %b %H:%M} UTC" if since else ""
    if wanted.count == 1:
        kind = f"All {len(used)} GPUs “{wanted.flavour}” are" if len(used) > 1 else f"The GPU “{wanted.flavour}” is"
        return f"{kind} in use{longest}. Try again later, or choose another profile."
    return (
        f"This needs {wanted.count} GPUs “{wanted.flavour}” in one machine, and {len(used)} of {len(present)} are in use"
        f"{longest}. Try again later, or choose another profile."
    )


async def _take_back(session: AsyncSession, actor: str, held: Sequence[GpuDeviceRow], result: str = "ok") -> None:
    if held:
        _note(session, actor, "gpu.release", held, result)
    for row in held:
        row.username = row.server = row.since = row.renewed_at = None
        if not row.present:
            await session.delete(row)


def _note(session: AsyncSession, actor: str, action: str, held: Sequence[GpuDeviceRow], result: str = "ok") -> None:
    devices, first = [row.device for row in held], held[0]
    detail = {"flavour": first.flavour, "node": first.node, "devices": devices}
    audit.add(session, actor, action, f"{first.username}/{first.server}", result, **detail)


def _states(rows: Iterable[GpuDeviceRow]) -> list[GpuState]:
    flavours: defaultdict[str, list[GpuDeviceRow]] = defaultdict(list)
    for row in rows:
        flavours[row.flavour].append(row)
    return [_state(flavour, flavours[flavour]) for flavour in sorted(flavours)]


def _state(flavour: str, rows: Sequence[GpuDeviceRow]) -> GpuState:
    present = [row for row in rows if row.present]
    return GpuState(
        flavour=flavour,
        total=len(present),
        free=sum(row.username is None for row in present),
        missing=len(rows) - len(present),
        busy_since=min((row.since for row in rows if row.since is not None), default=None),
        at=max(row.seen_at for row in present or rows),
    )
