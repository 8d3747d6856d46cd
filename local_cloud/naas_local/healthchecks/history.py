"""What happened to a check: its pings with their durations, its changes of status."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from naas_local.healthchecks.checks import LONGEST_RUN, Check
from naas_local.healthchecks.errors import Refused
from naas_local.healthchecks.settings import HealthchecksConfig
from naas_local.healthchecks.times import SECOND, as_datetime, whole_seconds

LONGEST_SPAN = 31_536_000
"""Seconds that a list of flips may reach back."""
LATEST = 2**33
"""Seconds since 1970; later times are a mistake."""


def pings(db: sqlite3.Connection, check: Check, config: HealthchecksConfig) -> list[dict[str, Any]]:
    """The pings that are kept, newest first."""
    found = db.execute(
        "SELECT n, created, kind, scheme, remote_addr, method, ua, rid, exitstatus, body IS NOT NULL AS has_body FROM pings "
        "WHERE check_id = ? ORDER BY n DESC LIMIT ?",
        (check.id, config.ping_log),
    ).fetchall()
    durations = _durations(found[::-1])
    here = f"{config.url}/api/v3/checks/{check.code}/pings"
    return [_ping(row, durations.get(row["n"]), here) for row in found]


def _ping(row: sqlite3.Row, duration: float | None, here: str) -> dict[str, Any]:
    document = {
        "type": row["kind"],
        "date": as_datetime(row["created"]).isoformat(),
        "n": row["n"],
        "scheme": row["scheme"],
        "remote_addr": row["remote_addr"],
        "method": row["method"],
        "ua": row["ua"],
        "rid": row["rid"],
        "body_url": f"{here}/{row['n']}/body" if row["has_body"] else None,
    }
    if duration is not None:
        document["duration"] = duration
    if row["exitstatus"] is not None:
        document["exitstatus"] = row["exitstatus"]
    return document


def _durations(pings: list[sqlite3.Row]) -> dict[int, float]:
    """Per ping that ends a run, the seconds since the run's start."""
    starts: dict[str | None, int | None] = {}
    found: dict[int, float] = {}
    for ping in pings:
        if ping["kind"] == "start":
            starts[ping["rid"]] = ping["created"]
        elif ping["kind"] in ("success", "fail"):
            start = starts.pop(ping["rid"], None)
            if start is not None and ping["created"] - start < LONGEST_RUN:
                found[ping["n"]] = (ping["created"] - start) / SECOND
    return found


def body(db: sqlite3.Connection, check: Check, n: int) -> bytes | None:
    """What came with a ping."""
    row = db.execute("SELECT body FROM pings WHERE check_id = ? AND n = ?", (check.id, n)).fetchone()
    return None if row is None else row["body"]


def span(query: Mapping[str, str], now: int) -> tuple[int, int]:
    """The times between which flips are asked for. Raises Refused."""
    start, end = 0, LATEST * SECOND
    if "start" in query:
        start = _number(query, "start", LATEST) * SECOND
    if "end" in query:
        end = _number(query, "end", LATEST) * SECOND
    if "seconds" in query:
        start = max(start, now - _number(query, "seconds", LONGEST_SPAN) * SECOND)
    return start, end


def _number(query: Mapping[str, str], name: str, most: int) -> int:
    text = query[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= most):
        raise Refused(400, f"{name} is not a number between 0 and {most}")
    return int(text)


def flips(db: sqlite3.Connection, check: Check, start: int, end: int) -> list[dict[str, Any]]:
    """The changes of status, newest first."""
    found = db.execute(
        "SELECT created, new_status FROM flips WHERE check_id = ? AND created >= ? AND created < ? ORDER BY id DESC",
        (check.id, start, end),
    )
    return [{"timestamp": whole_seconds(row["created"]), "up": int(row["new_status"] == "up")} for row in found]
