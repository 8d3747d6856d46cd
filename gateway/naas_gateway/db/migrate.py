"""Bring the database to this version's tables; run at each start, safe with several replicas."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from naas_gateway.db.engine import Database

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_LOCK = 7_166_183_001
"""PostgreSQL advisory lock under which one replica migrates while the others wait; any fixed number of ours will do."""


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    command.upgrade(_config(connection), "head")


async def migrate(database: Database) -> None:
    """Run the migrations that are missing, in one transaction."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(_upgrade)
