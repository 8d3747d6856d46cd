"""Transactions on SQLite (WAL) or PostgreSQL.

On SQLite a transaction that starts by reading cannot become a writer while another writes (SQLITE_BUSY at once, whatever the busy
timeout), so `Database.write` starts with BEGIN IMMEDIATE. Commits are flushed to disk (``synchronous=FULL``): the broker's
write-ahead mark must survive a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, Unavailable
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

BUSY_TIMEOUT = 10.0
"""Seconds a writer waits for another one on SQLite; a write takes a few milliseconds."""

_BEGIN = "naas_begin"


class Database:
    """The engine, and the two kinds of transactions.

    Parameters: ``url``, an SQLAlchemy address with an async driver. Raises InvalidInput for any other.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_postgres = self.url.get_backend_name() == "postgresql"
        self.engine = _postgres(self.url) if self.is_postgres else _sqlite(self.url)
        self._writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that changes nothing. Raises Unavailable when the database does not answer."""
        async with _session(self.engine) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed at the end of the block, or rolled back when it raises."""
        async with _session(self._writer) as session, session.begin():
            yield session

    async def check(self) -> None:
        """Raise Unavailable unless the database answers a query."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session
    except (OperationalError, InterfaceError, OSError, TimeoutError) as error:
        raise Unavailable("The gateway's database does not answer. Try again in a moment.", code="database") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The gateway's database was restarted. Try again.", code="database") from error
        raise


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
        raise InvalidInput(
            "gateway.database_url: write sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/DATABASE.",
            code="bad-settings",
        )
    return parsed


def _postgres(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=10, pool_pre_ping=True, pool_timeout=10, connect_args={"timeout": 5})


def _sqlite(url: URL) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        prepare_file(Path(url.database))
    engine = create_async_engine(url, pool_size=10, pool_timeout=10, connect_args={"timeout": BUSY_TIMEOUT})

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are ours, not the driver's
        cursor = connection.cursor()
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def prepare_file(path: Path) -> None:
    """Make a database file with mode 0600 (SQLite would use the umask's), in WAL mode.

    One process at a time, because SQLite's busy timeout does not cover the change to WAL. The folder is locked, not the file: closing
    any descriptor of the file would drop SQLite's own locks (sqlite.org/howtocorrupt.html §2.2).
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    finally:
        os.close(folder)
