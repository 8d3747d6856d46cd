"""SQLite with one thread that writes and one that reads: no request waits for a lock, and many share one fsync.

What has been answered is on the disk: the write-ahead log is synchronised at each commit (``synchronous=FULL``), and whoever waits
hears of it only then. While one commit is being written the next requests gather for the one after.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]

MOST_IN_ONE_COMMIT = 500
"""Jobs; more would let the first of them wait too long."""
BUSY = 5.0
"""Seconds to wait for another program that has the file open (a backup)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL,
    created INTEGER NOT NULL, badge_key TEXT NOT NULL UNIQUE, api_key BLOB UNIQUE, api_key_readonly BLOB UNIQUE, ping_key BLOB UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS checks (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    created INTEGER NOT NULL, badge_key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, slug TEXT NOT NULL, tags TEXT NOT NULL,
    desc TEXT NOT NULL, kind TEXT NOT NULL, timeout INTEGER NOT NULL, grace INTEGER NOT NULL, schedule TEXT NOT NULL,
    tz TEXT NOT NULL, manual_resume INTEGER NOT NULL, methods TEXT NOT NULL, start_kw TEXT NOT NULL, success_kw TEXT NOT NULL,
    failure_kw TEXT NOT NULL, filter_subject INTEGER NOT NULL, filter_body INTEGER NOT NULL, filter_http_body INTEGER NOT NULL,
    filter_default_fail INTEGER NOT NULL, status TEXT NOT NULL, n_pings INTEGER NOT NULL, last_ping INTEGER, last_start INTEGER,
    last_start_rid TEXT, last_duration INTEGER, next_ping INTEGER, alert_after INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS checks_of_project ON checks (project_id, slug);
CREATE INDEX IF NOT EXISTS checks_due ON checks (alert_after) WHERE alert_after IS NOT NULL;
CREATE TABLE IF NOT EXISTS pings (
    id INTEGER PRIMARY KEY, check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE, n INTEGER NOT NULL,
    created INTEGER NOT NULL, kind TEXT NOT NULL, scheme TEXT NOT NULL, remote_addr TEXT NOT NULL, method TEXT NOT NULL,
    ua TEXT NOT NULL, rid TEXT, exitstatus INTEGER, body BLOB, UNIQUE (check_id, n)
) STRICT;
CREATE TABLE IF NOT EXISTS flips (
    id INTEGER PRIMARY KEY AUTOINCREMENT, check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE,
    created INTEGER NOT NULL, old_status TEXT NOT NULL, new_status TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS flips_of_check ON flips (check_id);
CREATE TABLE IF NOT EXISTS channels (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, last_error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS channels_of_project ON channels (project_id);
CREATE TABLE IF NOT EXISTS channels_of_checks (
    check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE,
    channel_id INTEGER NOT NULL REFERENCES channels ON DELETE CASCADE, PRIMARY KEY (check_id, channel_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS checks_of_channel ON channels_of_checks (channel_id);
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, flip_id INTEGER NOT NULL REFERENCES flips ON DELETE CASCADE,
    channel_id INTEGER NOT NULL REFERENCES channels ON DELETE CASCADE, attempts INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER, error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS notifications_open ON notifications (next_try) WHERE next_try IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_of_channel ON notifications (channel_id);
CREATE INDEX IF NOT EXISTS notifications_of_flip ON notifications (flip_id);
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL, ahead INTEGER NOT NULL,
    slept INTEGER NOT NULL) STRICT;
"""


class Database:
    """The file of one server.

    Parameters: ``path``; made with mode 0600; ``first``, done at the beginning of each transaction that writes. Raises sqlite3.Error
    when it cannot be opened.
    """

    def __init__(self, path: Path, first: Job) -> None:
        path.touch(mode=0o600)
        self._writer = _Thread(path, "writer", functools.partial(_commit_together, first))
        self._writer.call(lambda db: db.executescript(SCHEMA))
        self._reader = _Thread(path, "reader", _one_by_one)

    async def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns, once its changes are on the disk. Its own exception undoes its changes alone."""
        return await self._writer.ask(job)

    async def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns; it sees all that has been committed."""
        return await self._reader.ask(job)

    def close(self) -> None:
        """End both threads after what they have been given."""
        self._reader.close()
        self._writer.close()


class _Waiting:
    """A job and who waits for it."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self.job, self._loop, self.future = job, loop, loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, db: sqlite3.Connection) -> None:
        try:
            self.result = self.job(db)
        except BaseException as error:
            self.error = error

    def answer(self) -> None:
        """On the event loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def _tell(waiting: list[_Waiting]) -> None:
    for one in waiting:
        one.answer()


def _one_by_one(db: sqlite3.Connection, waiting: list[_Waiting]) -> None:
    for one in waiting:
        one.run(db)


def _commit_together(first: Job, db: sqlite3.Connection, waiting: list[_Waiting]) -> None:
    """All jobs in one transaction, each of which can fail by itself. When the commit fails nobody is told that it is kept."""
    try:
        db.execute("BEGIN IMMEDIATE")
        first(db)
        for one in waiting:
            db.execute("SAVEPOINT job")
            one.run(db)
            if one.error is not None:
                db.execute("ROLLBACK TO job")
            db.execute("RELEASE job")
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        for one in waiting:
            one.error = one.error or error


class _Thread:
    """A connection and the thread that alone uses it."""

    def __init__(self, path: Path, name: str, work: Callable[[sqlite3.Connection, list[_Waiting]], None]) -> None:
        self._work = work
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-8000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._thread = threading.Thread(target=self._run, name=f"database-{name}", daemon=True)
        self._thread.start()

    def call(self, job: Job) -> None:
        """Before anybody else asks."""
        job(self._db)

    async def ask(self, job: Callable[[sqlite3.Connection], T]) -> T:
        waiting = _Waiting(job, asyncio.get_running_loop())
        self._jobs.put(waiting)
        result: T = await waiting.future
        return result

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._db.close()

    def _run(self) -> None:
        more = True
        while more:
            waiting, more = self._gather()
            if waiting:
                self._work(self._db, waiting)
                waiting[0].future.get_loop().call_soon_threadsafe(_tell, waiting)

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """What is waiting now, at least one; and whether there will be more."""
        found: list[_Waiting] = []
        one = self._jobs.get()
        while one is not None:
            found.append(one)
            if len(found) == MOST_IN_ONE_COMMIT:
                return found, True
            try:
                one = self._jobs.get_nowait()
            except queue.Empty:
                return found, True
        return found, False
