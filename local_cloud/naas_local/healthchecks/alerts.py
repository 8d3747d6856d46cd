"""Alerts: marks checks that are late as down at the moment they are due, and has their channels told.

Nothing is polled: an `Alarm` rings at the next due time, and whoever changes something that is due earlier rings it too. Who has to be
told is kept in the transaction that kept the change of status, so that an alert outlives a crash; it is told again rather than not at all.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass

from naas_local.healthchecks import rows
from naas_local.healthchecks.allowance import Allowance
from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.clock import FAR, Alarm, Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.notify import Alert, Notifier, NotSent
from naas_local.healthchecks.times import SECOND, whole_seconds

log = logging.getLogger("naas.healthchecks")

PAUSES = (5, 30, 120, 600)
"""Seconds before an alert that could not be sent is tried again; after the last it is given up."""
MOST_AT_ONCE = 20
"""Alerts being sent."""
PER_MINUTE = 10
"""Alerts of one channel; more wait, so that a check that goes up and down all the time floods nobody."""

_OPEN = """
SELECT min(n.id) AS id, n.channel_id, n.attempts, n.next_try, c.kind, c.value, f.new_status, f.created, f.reason,
    k.code, k.name, k.slug, k.tags
FROM notifications n JOIN channels c ON c.id = n.channel_id JOIN flips f ON f.id = n.flip_id JOIN checks k ON k.id = f.check_id
WHERE n.next_try IS NOT NULL GROUP BY n.channel_id ORDER BY id
"""
"""The oldest open alert of each channel: a channel hears of changes in their order."""


@dataclass(frozen=True)
class _Waiting:
    """An alert that is to be sent, the oldest of its channel."""

    id: int
    channel_id: int
    attempts: int
    next_try: int
    alert: Alert


class Alerts:
    """The alerts of one server."""

    def __init__(self, base: str, database: Database, clock: Clock, notifier: Notifier) -> None:
        self._base, self._database, self._clock, self._notifier = base, database, clock, notifier
        self._wake = asyncio.Event()
        self._alarm = Alarm(self._wake.set)
        self._next = 0
        self._allowance = Allowance(PER_MINUTE)
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def changed(self, alert_after: int | None = None, *, flipped: bool = False) -> None:
        """Something may be due earlier than the alarm will ring, or a status has changed and is to be told."""
        if flipped:
            self._tell()
        if flipped or (alert_after is not None and alert_after < self._next):
            self._wake.set()

    def told(self) -> asyncio.Future[None]:
        """Done at the next change of a status."""
        return self._told

    def _tell(self) -> None:
        self._told.set_result(None)
        self._told = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._wake.clear()
                self._next = FAR  # what changes from now on is not seen for certain: it rings again
                try:
                    marked, self._next, waiting = await self._database.write(self._pass)
                except Exception:
                    log.exception("Nobody can be alerted now; it is tried again.")
                    marked, self._next, waiting = 0, self._clock.now() + PAUSES[0] * SECOND, []
                if marked:
                    self._tell()
                for one in waiting:
                    self._sending[one.channel_id] = asyncio.create_task(self._send(one))
                self._alarm.set(self._next)
                await self._wake.wait()
        finally:
            self._alarm.close()
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    def _pass(self, db: sqlite3.Connection) -> tuple[int, int, list[_Waiting]]:
        """Mark what is due: how many, when to look again, and whom to tell now."""
        now = self._clock.now()
        late = db.execute("SELECT * FROM checks WHERE alert_after <= ?", (now,)).fetchall()
        for row in late:
            _mark_down(db, Check.of(row))
        first: int | None = db.execute("SELECT min(alert_after) FROM checks").fetchone()[0]
        waiting = [self._waiting(row) for row in db.execute(_OPEN) if row["channel_id"] not in self._sending]
        later: list[int] = [first or FAR]
        ready: list[_Waiting] = []
        for one in waiting:
            if one.next_try > now:
                later.append(one.next_try)
            elif len(self._sending) + len(ready) < MOST_AT_ONCE:  # whoever ends sending rings again
                if self._allowance.take(str(one.channel_id)):
                    ready.append(one)
                else:
                    later.append(now + 60 * SECOND // PER_MINUTE)
        return len(late), min(later), ready

    def _waiting(self, row: sqlite3.Row) -> _Waiting:
        alert = Alert(
            kind=row["kind"],
            value=row["value"],
            code=row["code"],
            name=row["name"],
            slug=row["slug"],
            tags=row["tags"],
            status=row["new_status"],
            since=whole_seconds(row["created"]) or "",
            reason=row["reason"],
            url=f"{self._base}/api/v3/checks/{row['code']}",
        )
        return _Waiting(row["id"], row["channel_id"], row["attempts"], row["next_try"], alert)

    async def _send(self, one: _Waiting) -> None:
        """One attempt, and what becomes of it."""
        error, pause = "", None
        try:
            await self._notifier.send(one.alert)
        except NotSent as reason:
            error = str(reason)
            if reason.again and one.attempts < len(PAUSES):
                pause = PAUSES[one.attempts]
            log.warning("alert %s not sent: %s%s", one.id, error, "" if pause else " It is given up.")
        except Exception:
            error = "The server failed; its log has the reason."
            log.exception("alert %s not sent", one.id)
        next_try = None if pause is None else self._clock.now() + pause * SECOND
        try:
            await self._database.write(lambda db: _record(db, one, next_try, error))
        except sqlite3.Error:
            log.exception("It cannot be kept that alert %s was sent; it will be sent again.", one.id)
        finally:
            del self._sending[one.channel_id]
            self._wake.set()


def _record(db: sqlite3.Connection, one: _Waiting, next_try: int | None, error: str) -> None:
    db.execute(
        "UPDATE notifications SET attempts = attempts + 1, next_try = ?, error = ? WHERE id = ?",
        (next_try, error, one.id),
    )
    db.execute("UPDATE channels SET last_error = ? WHERE id = ?", (error, one.channel_id))


def _mark_down(db: sqlite3.Connection, check: Check) -> None:
    """The change happened when it was due, not when it was seen."""
    assert check.alert_after is not None  # noqa: S101 - the query asks for it
    old, due = check.status, check.alert_after
    check.status = "down"
    check.reckon()
    rows.save_ping_state(db, check)
    rows.flip(db, check, old, due, "timeout")
