"""The room's fixtures: a real IAM, a real store, real gateways; the hub is a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import postgres
import pytest
import pytest_asyncio
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_gateway.db.engine import Database
from naas_gateway.db.migrate import migrate
from naas_local.iam import EmbeddedIam, embedded_iam
from sqlalchemy import text
from waiting import wait_for

SCRATCH, OBJECT = "scratch", "object"


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    return wait_for


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(tmp_path_factory.mktemp("iam")) as running:
        yield running


@pytest.fixture(scope="module")
def hub() -> Iterator[HubStandIn]:
    with HubStandIn().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[Gateway]:
    """A gateway with IAM and hub, without a store."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    with gateway_app(folder, iam, gateway={"hub_api_url": hub.url}) as running:
        hub.service_token = running.hub_token
        yield running


@pytest.fixture(scope="module")
def signed_in(gateway: Gateway) -> Gateway:
    for name in ("alice", "bob", "carol", "dana"):
        gateway.sign_in(name)
    return gateway


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.postgres() as url:
        yield url


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite'}"
    found: str = request.getfixturevalue("postgres_url")
    database = Database(found)
    async with database.write() as session:
        await session.execute(text("DROP SCHEMA public CASCADE"))
        await session.execute(text("CREATE SCHEMA public"))
    await database.close()
    return found


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    await migrate(found)
    yield found
    await found.close()
