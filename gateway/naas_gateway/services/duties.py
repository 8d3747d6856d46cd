"""Recurring work that one replica at a time does, and the loops that do it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from naas_client.errors import NaasError
from naas_client.logs import new_request_id
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import LeaseRow

log = logging.getLogger(__name__)


async def claim(database: Database, name: str, owner: str, every: float) -> bool:
    """Whether this replica may do a duty now; if so, nobody may for the next ``every`` seconds.

    A replica that dies leaves nothing to clean up: the next pass is another's.
    """
    now = utcnow()
    due = update(LeaseRow).where(LeaseRow.name == name, LeaseRow.until <= now)
    try:
        async with database.write() as session:
            result = await session.execute(due.values(owner=owner, until=now + seconds(every)).returning(LeaseRow.name))
            if result.first() is not None:
                return True
            if await session.get(LeaseRow, name) is not None:
                return False
            session.add(LeaseRow(name=name, owner=owner, until=now + seconds(every)))
        return True
    except IntegrityError:  # another replica made the row in the same moment
        return False


async def forever(work: Callable[[], Awaitable[object]], every: float, wake: asyncio.Event | None = None) -> None:
    """Do the work again and again, each ``every`` seconds (less up to a fifth, so that replicas drift apart) or when woken."""
    event, said = wake or asyncio.Event(), ""
    while True:
        event.clear()
        new_request_id()
        try:
            await work()
            said = ""
        except NaasError as error:
            if error.message != said:  # once per trouble, not once per second
                log.warning("%s: %s", getattr(work, "__qualname__", work), error.message)
            said = error.message
        except Exception:
            log.exception("%s failed", getattr(work, "__qualname__", work))
        try:
            async with asyncio.timeout(every * random.uniform(0.8, 1.0)):  # noqa: S311 - jitter
                await event.wait()
        except TimeoutError:
            continue
