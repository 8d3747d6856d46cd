"""The watcher: has the servers of people stopped whose access is gone, without them clicking anything; frees the GPUs of dead servers.

It acts on IAM's present answer only. While IAM or hub does not answer, or IAM's answer cannot be understood, nothing is stopped.
"""

from __future__ import annotations

import asyncio
import logging

from naas_client.errors import AccessEnded, Forbidden, NaasError, NotFound
from naas_client.models import StopReason
from naas_client.names import is_collaboration
from naas_client.settings import SharedSettings

from naas_gateway.clients.hub import Hub, Running
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.metrics import STOPS, WATCH_SECONDS
from naas_gateway.services import audit, duties
from naas_gateway.services.access import Access
from naas_gateway.services.departures import Departures
from naas_gateway.services.gpus import Gpus
from naas_gateway.services.people import People
from naas_gateway.services.reasons import Reasons

log = logging.getLogger(__name__)

AT_ONCE = 8
PASSES = 3
"""Passes per ``auth_refresh_age``: what is lost right after one is found by the next, and the stop still fits in."""


class Watcher:
    """One pass looks at everybody with a running server; one replica makes it."""

    def __init__(
        self,
        settings: SharedSettings,
        database: Database,
        people: People,
        access: Access,
        hub: Hub,
        reasons: Reasons,
        departures: Departures,
        gpus: Gpus,
        owner: str,
    ) -> None:
        self._settings, self._database, self._owner = settings, database, owner
        self._people, self._access, self._hub, self._reasons = people, access, hub, reasons
        self._departures, self._gpus = departures, gpus
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.every = settings.iam.auth_refresh_age / PASSES

    async def tick(self) -> None:
        """Make a pass if one is due and no other replica makes it."""
        if await duties.claim(self._database, "watch-access", self._owner, self.every):
            with WATCH_SECONDS.time():
                await self.watch()

    async def watch(self) -> None:
        """One pass. Raises Unavailable when the hub does not answer."""
        servers: dict[str, list[Running]] = {}
        found = await self._hub.running()
        await self._gpus.reconcile(found)
        for server in found:
            servers.setdefault(server.username, []).append(server)
        await self._departures.complete(servers)
        await asyncio.gather(*(self._look_at(name, running) for name, running in servers.items()))

    async def _look_at(self, name: str, running: list[Running]) -> None:
        async with self._slots:
            try:
                if lost := await self._lost(name):
                    for server in running:
                        await self._stop(server, lost)
            except NaasError as error:
                log.warning("access of %s could not be checked: %s", name, error.message)
            except Exception:  # one person's trouble must not hide the others from us
                log.exception("access of %s could not be checked", name)

    async def _lost(self, name: str) -> NaasError | None:
        """Why the person has no access any more; None when there is access, or when IAM cannot be understood.

        A shared server is nobody's in particular; its members' access is looked at where they come in.
        """
        if is_collaboration(name):
            return None
        try:
            self._access.require_admitted(await self._people.fresh_claims(await self._people.by_name(name)))
        except NotFound:
            log.info("%s has a server but never signed in through the gateway; left alone", name)
        except AccessEnded as ended:
            return ended
        except Forbidden as refused:
            if refused.code == "no-access":
                return refused
            log.error("%s: %s The server goes on", name, refused.message)
        return None

    async def _stop(self, server: Running, lost: NaasError) -> None:
        message = f"Your server was stopped because your access ended. {lost.message}"
        reason = StopReason(
            username=server.username, server=server.server, code="access-lost", message=message, at=utcnow()
        )
        await self._reasons.add(reason, audit.GATEWAY)
        stopped = await self._hub.stop(server)
        STOPS.labels("ok" if stopped else "failed").inc()
        log.info(
            "server %s of %s: access lost, stop %s", server.server, server.username, "begun" if stopped else "refused"
        )
