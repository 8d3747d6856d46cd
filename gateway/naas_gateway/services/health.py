"""The gateway's view of itself and of what it needs; looked at when asked, at most every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Literal

from naas_client.errors import NaasError
from naas_client.models import Health, Part

from naas_gateway.clients.healthchecks import Healthchecks
from naas_gateway.clients.http import Service
from naas_gateway.clients.hub import Hub
from naas_gateway.clients.iam import Iam
from naas_gateway.clients.sts import Sts
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.services.broker import Broker
from naas_gateway.services.flights import Flights
from naas_gateway.services.provisioners import Provisioner

AGE = 5.0
"""Seconds a finding is shown before somebody's question makes us look again."""
LIMIT = 2.0
"""Seconds a part has to answer."""


class HealthCheck:
    """Looks at the parts and remembers."""

    def __init__(
        self,
        database: Database,
        iam: Iam,
        sts: Sts,
        hub: Hub,
        broker: Broker,
        provisioner: Provisioner,
        healthchecks: Healthchecks | None,
    ) -> None:
        self._checks: dict[str, tuple[Callable[[], Awaitable[object]], list[Service]]] = {
            "database": (database.check, []),
            "iam": (lambda: iam.discover(max_age=0), [iam.service]),
            "store": (sts.check, sts.sites.services),
            "hub": (hub.version, [hub.service]),
        }
        if healthchecks is not None:
            self._checks["healthchecks"] = (healthchecks.status, [healthchecks.service])
        self._remarks: dict[str, Callable[[], str]] = {
            "iam": lambda: broker.second_grants,
            "store": lambda: f"{sts.sites.trouble} {provisioner.trouble}".strip(),
        }
        self._flights: Flights[str, Health] = Flights()
        self._last: tuple[float, Health] | None = None

    async def get(self) -> Health:
        """The state of all parts, at most `AGE` seconds old."""
        if self._last and time.monotonic() - self._last[0] < AGE:
            return self._last[1]
        return await self._flights.run("all", self._look)

    async def _look(self) -> Health:
        parts = list(await asyncio.gather(*(self._part(name) for name in self._checks)))
        health = Health(status=_status(parts), version=version("jupyterhub-naas"), parts=parts)
        self._last = (time.monotonic(), health)
        return health

    async def _part(self, name: str) -> Part:
        check, services = self._checks[name]
        started = time.monotonic()
        state: Literal["ok", "degraded", "down"] = "ok"
        detail = ""
        try:
            async with asyncio.timeout(LIMIT):
                await check()
            detail = self._remarks.get(name, str)()
        except (NaasError, TimeoutError) as error:
            state, detail = "down", error.message if isinstance(error, NaasError) else f"no answer in {LIMIT:.0f} s"
        latency = round((time.monotonic() - started) * 1000, 1)
        if services and all(service.circuit.is_open for service in services):
            state, detail = "down", f"{detail} Calls are held back for a moment.".strip()
        elif state == "ok" and detail:
            state = "degraded"
        return Part(name=name, state=state, detail=detail, latency_ms=latency, checked_at=utcnow())


def _status(parts: list[Part]) -> Literal["ok", "degraded", "down"]:
    if any(part.name == "database" and part.state == "down" for part in parts):
        return "down"
    return "ok" if all(part.state == "ok" for part in parts) else "degraded"
