"""Checks that are soon late: the API allows no period and grace below a minute, so what is kept is moved."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

from healthchecks_site import HealthchecksSite, ping
from naas_local.healthchecks import EmbeddedHealthchecks

MICRO = 1_000_000
BUSY = 30


@contextlib.contextmanager
def database(server: EmbeddedHealthchecks) -> Iterator[sqlite3.Connection]:
    """The server's database, beside it."""
    with contextlib.closing(sqlite3.connect(server.data / "healthchecks.sqlite", timeout=BUSY)) as db, db:
        yield db


def move_due(server: EmbeddedHealthchecks, due: float, *checks: dict[str, Any]) -> None:
    """Let the grace of checks end at a time (seconds since 1970) without the server being told."""
    with database(server) as db:
        for check in checks:
            moved = int(due * MICRO), int((due - check["grace"]) * MICRO), code(check)
            db.execute("UPDATE checks SET alert_after = ?, next_ping = ? WHERE code = ?", moved)


def late_in(server: EmbeddedHealthchecks, site: HealthchecksSite, seconds: float, *checks: dict[str, Any]) -> float:
    """Let the grace of checks end ``seconds`` from now. Returns when, in seconds since 1970."""
    due = time.time() + seconds
    move_due(server, due, *checks)
    ping(f"{site.create(name='look again')['ping_url']}/fail")  # a change makes the server look at what is due next
    return due


def code(check: dict[str, Any]) -> str:
    """A check's uuid."""
    return str(check["update_url"].rpartition("/")[2])


def kept(server: EmbeddedHealthchecks, check: dict[str, Any], column: str) -> Any:
    """What is kept of a check."""
    with database(server) as db:
        return db.execute(f"SELECT {column} FROM checks WHERE code = ?", (code(check),)).fetchone()[0]
