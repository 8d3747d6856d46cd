"""Reading and writing the tables: every function runs inside a job of `database.Database`."""

from __future__ import annotations

import sqlite3
import uuid
from collections import defaultdict
from dataclasses import dataclass

from naas_local.healthchecks.checks import COLUMNS, Check
from naas_local.healthchecks.keys import KINDS
from naas_local.healthchecks.times import SECOND

_INSERT = f"INSERT INTO checks ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own columns
_UPDATE = f"UPDATE checks SET {', '.join(f'{column} = ?' for column in COLUMNS)} WHERE id = ?"  # noqa: S608 - our own columns
LAB = "lab"
"""Kind of the channel whose alerts wait in the database until the gateway fetches them (`admin`)."""
FLIPS_KEPT = 400 * 86400 * SECOND
"""Microseconds."""
MOST_FLIPS = 10_000
"""Of one check."""
MOST_OPEN = 100
"""Alerts that wait for one channel; a check that goes up and down all the time is told of no more often than it can be."""
_SILENT = {("new", "up"), ("paused", "up")}
"""Changes that nobody is told of: a check that reports for the first time is no news."""


@dataclass(frozen=True)
class Project:
    """Somebody's checks and channels."""

    id: int
    owner: str
    name: str
    badge_key: str


def project_of_key(db: sqlite3.Connection, key: bytes, *kinds: str) -> tuple[Project, str] | None:
    """The project that a key opens, and which of its keys that is."""
    for kind in kinds:
        assert kind in KINDS  # noqa: S101 - the name goes into the statement
        row = db.execute(f"SELECT id, owner, name, badge_key FROM projects WHERE {kind} = ?", (key,)).fetchone()  # noqa: S608
        if row is not None:
            return Project(**row), kind
    return None


def check_of_code(db: sqlite3.Connection, code: str) -> Check | None:
    """The check with a uuid."""
    row = db.execute("SELECT * FROM checks WHERE code = ?", (code,)).fetchone()
    return None if row is None else Check.of(row)


def checks_of_project(db: sqlite3.Connection, project: Project, slug: str | None = None) -> list[Check]:
    """All checks of a project in the order they were made, or those of one slug."""
    where, values = ("", ()) if slug is None else (" AND slug = ?", (slug,))
    rows = db.execute(f"SELECT * FROM checks WHERE project_id = ?{where} ORDER BY id", (project.id, *values))  # noqa: S608
    return [Check.of(row) for row in rows]


def tags(db: sqlite3.Connection, project: Project) -> set[str]:
    """All tags that a project's checks have."""
    found = db.execute("SELECT DISTINCT tags FROM checks WHERE project_id = ?", (project.id,))
    return {tag for (tags,) in found for tag in tags.split()}


def save(db: sqlite3.Connection, check: Check) -> None:
    """Write a check; a new one gets its id."""
    values = [getattr(check, column) for column in COLUMNS]
    if check.id:
        db.execute(_UPDATE, (*values, check.id))
    else:
        check.id = db.execute(_INSERT, values).lastrowid or 0


def channels_of_checks(db: sqlite3.Connection, project: Project) -> dict[int, list[str]]:
    """Per check of a project, the codes of the channels it alerts."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = db.execute(
        "SELECT o.check_id, c.code FROM channels_of_checks o JOIN channels c ON c.id = o.channel_id WHERE c.project_id = ?",
        (project.id,),
    )
    for check_id, code in rows:
        found[check_id].append(code)
    return found


def set_channels(db: sqlite3.Connection, check: Check, channel_ids: list[int]) -> None:
    """Let a check alert exactly these."""
    db.execute("DELETE FROM channels_of_checks WHERE check_id = ?", (check.id,))
    db.executemany("INSERT INTO channels_of_checks VALUES (?, ?)", [(check.id, channel) for channel in channel_ids])


def set_all_channels(db: sqlite3.Connection, check: Check) -> None:
    """Let a check alert all that its project has."""
    ids = db.execute("SELECT id FROM channels WHERE project_id = ?", (check.project_id,))
    set_channels(db, check, [row[0] for row in ids.fetchall()])


def add_channel(db: sqlite3.Connection, project_id: int, kind: str, name: str, value: str) -> str:
    """A new channel of a project; its code."""
    code = str(uuid.uuid4())
    db.execute(
        "INSERT INTO channels (code, project_id, kind, name, value) VALUES (?, ?, ?, ?, ?)",
        (code, project_id, kind, name, value),
    )
    return code


def add_mail_channels(db: sqlite3.Connection) -> None:
    """Give each project whose person has an e-mail address a channel to it, once; it joins the checks that alert in Lab.

    Done where e-mail can be sent, so that nobody is offered a channel that leads nowhere.
    """
    lacking = (
        "SELECT id, email FROM projects p WHERE email <> '' AND NOT EXISTS "
        "(SELECT 1 FROM channels c WHERE c.project_id = p.id AND c.kind = 'email')"
    )
    for project_id, email in db.execute(lacking).fetchall():
        code = add_channel(db, project_id, "email", email, email)
        db.execute(
            "INSERT INTO channels_of_checks SELECT o.check_id, m.id FROM channels_of_checks o JOIN channels c ON c.id = o.channel_id "
            "JOIN channels m ON m.code = ? WHERE c.project_id = ? AND c.kind = ?",
            (code, project_id, LAB),
        )


def set_address(db: sqlite3.Connection, project_id: int, email: str) -> None:
    """Have a project's alerts go to another address than the one before, or (empty) to none; other channels stay."""
    (before,) = db.execute("SELECT email FROM projects WHERE id = ?", (project_id,)).fetchone()
    if email == before:
        return
    db.execute("UPDATE projects SET email = ? WHERE id = ?", (email, project_id))
    if email:
        db.execute(
            "UPDATE channels SET name = ?1, value = ?1, last_error = '' WHERE project_id = ?2 AND kind = 'email' AND value = ?3",
            (email, project_id, before),
        )
    else:
        db.execute("DELETE FROM channels WHERE project_id = ? AND kind = 'email' AND value = ?", (project_id, before))


def flip(db: sqlite3.Connection, check: Check, old: str, at: int, reason: str, *, tell: bool = True) -> None:
    """Keep a change of status, and with it, in the same transaction, who has to be told."""
    flip_id = db.execute(
        "INSERT INTO flips (check_id, created, old_status, new_status, reason) VALUES (?, ?, ?, ?, ?)",
        (check.id, at, old, check.status, reason),
    ).lastrowid
    if tell and (old, check.status) not in _SILENT:
        db.execute(
            "INSERT INTO notifications (flip_id, channel_id, next_try) "
            "SELECT ?, c.id, CASE c.kind WHEN ? THEN NULL ELSE 0 END "  # what is fetched waits for nobody
            "FROM channels_of_checks o JOIN channels c ON c.id = o.channel_id WHERE o.check_id = ? AND "
            "(SELECT count(*) FROM notifications n WHERE n.channel_id = c.id AND n.next_try IS NOT NULL) < ?",
            (flip_id, LAB, check.id, MOST_OPEN),
        )


def save_ping_state(db: sqlite3.Connection, check: Check) -> None:
    """Write what a ping changes, and no more."""
    db.execute(
        "UPDATE checks SET status = ?, n_pings = ?, last_ping = ?, last_start = ?, last_start_rid = ?, last_duration = ?, "
        "next_ping = ?, alert_after = ? WHERE id = ?",
        (
            *(check.status, check.n_pings, check.last_ping, check.last_start, check.last_start_rid),
            *(check.last_duration, check.next_ping, check.alert_after, check.id),
        ),
    )


def count_checks(db: sqlite3.Connection, project: Project) -> int:
    """How many checks a project has."""
    count: int = db.execute("SELECT count(*) FROM checks WHERE project_id = ?", (project.id,)).fetchone()[0]
    return count


def prune(db: sqlite3.Connection, check: Check, kept: int, now: int) -> None:
    """Forget all but the newest pings of a check, and changes of status that nobody asks for any more."""
    db.execute("DELETE FROM pings WHERE check_id = ? AND n <= ?", (check.id, check.n_pings - kept))
    db.execute("DELETE FROM flips WHERE check_id = ? AND created < ?", (check.id, now - FLIPS_KEPT))
    db.execute(
        "DELETE FROM flips WHERE check_id = ?1 AND id <= "
        "(SELECT id FROM flips WHERE check_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (check.id, MOST_FLIPS),
    )


def channels_of_check(db: sqlite3.Connection, check: Check) -> list[str]:
    """The codes of the channels that a check alerts."""
    rows = db.execute(
        "SELECT c.code FROM channels_of_checks o JOIN channels c ON c.id = o.channel_id WHERE o.check_id = ?",
        (check.id,),
    )
    return [row[0] for row in rows]


def channels(db: sqlite3.Connection, project: Project) -> list[dict[str, str]]:
    """A project's channels as the management API shows them: without their addresses."""
    rows = db.execute("SELECT code AS id, name, kind FROM channels WHERE project_id = ? ORDER BY id", (project.id,))
    return [dict(row) for row in rows]
