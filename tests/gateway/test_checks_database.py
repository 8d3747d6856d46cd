"""Projects, checks, looks and flips on SQLite and on PostgreSQL, with the embedded Healthchecks."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from checks_site import new_project
from cryptography.fernet import Fernet
from naas_client.errors import Conflict
from naas_client.models import CheckProjectChanges, Claims, NewCheck
from naas_client.settings import SharedSettings, validate
from naas_gateway.clients.healthchecks import Healthchecks, HealthchecksAdmin, Notifications
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring
from naas_gateway.db.tables import (
    CheckKeyRow,
    CheckNotificationsRow,
    CheckProjectRow,
    CheckStatesRow,
    IdentityRow,
    LeaseRow,
)
from naas_gateway.services.access import Access
from naas_gateway.services.checks.budgets import Budgets
from naas_gateway.services.checks.changes import Changes
from naas_gateway.services.checks.follow import LabChannel
from naas_gateway.services.checks.looks import Looks
from naas_gateway.services.checks.own import OwnProjects
from naas_gateway.services.checks.projects import Projects
from naas_gateway.services.checks.service import Checks
from naas_gateway.services.checks.showing import Wanted
from naas_gateway.services.checks.watch import CheckWatcher
from naas_gateway.services.events import Events
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from sqlalchemy import func, select, update

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Someone:
    row: IdentityRow
    claims: Claims
    admin: bool = False


class Replica:
    """The services of one gateway."""

    def __init__(self, database: Database, server: EmbeddedHealthchecks, keyring: Keyring) -> None:
        shared = validate({"healthchecks": {"url": server.url}}, SharedSettings, "test")
        settings, access, self.events = shared.healthchecks, Access(shared), Events(database)
        self.server = Healthchecks(settings)
        admin = HealthchecksAdmin(settings, self.server.service, server.admin_key)
        budgets = Budgets(database, 6000)
        self.own = own = OwnProjects(database, keyring, admin, "replica")
        self.projects = Projects(settings, database, keyring, access, self.server, budgets, own)
        looks = Looks(settings, self.server, self.projects, budgets)
        changes = Changes(settings, database, self.events, self.server, self.projects, looks)
        self.checks = Checks(self.projects, looks, changes)
        self.watcher = CheckWatcher(database, keyring, self.events, access, looks, "replica", own=False)
        self.lab = LabChannel(database, self.events, access, Notifications(settings, server.admin_key))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHealthchecks]:
    with embedded_healthchecks(tmp_path_factory.mktemp("checks")) as running:
        yield running


@pytest_asyncio.fixture
async def replicas(database: Database, server: EmbeddedHealthchecks) -> AsyncIterator[list[Replica]]:
    keyring = Keyring([Fernet.generate_key().decode()])
    found = [Replica(database, server, keyring) for _ in range(2)]
    yield found
    for replica in found:
        await replica.server.service.close()
        await replica.lab.server.service.close()


@pytest_asyncio.fixture
async def person(database: Database, request: pytest.FixtureRequest) -> Someone:
    """Somebody new in the group `lab`."""
    name = f"person-{abs(hash(request.node.nodeid))}"
    claims = Claims(issuer="https://iam", subject=name, groups=["lab"], fetched_at=utcnow())
    document = claims.model_dump(mode="json")
    row = IdentityRow(issuer="https://iam", subject=name, name=name, preferred_username=name, claims=document)
    row.claims_at = row.created_at = utcnow()
    async with database.write() as session:
        session.add(row)
    return Someone(row, claims)


async def count(database: Database, table: type[CheckProjectRow | CheckKeyRow | CheckStatesRow]) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.asyncio
async def test_replicas_make_one_own_project_and_see_each_others_changes(
    database: Database, replicas: list[Replica], person: Someone
) -> None:
    pages = await asyncio.gather(*(replica.projects.page(person) for replica in replicas * 4))
    assert {tuple(one.id for one in page.items) for page in pages} == {(pages[0].items[0].id,)}
    (own,), (here, there) = pages[0].items, replicas
    assert (await there.checks.all(person, Wanted())).items == []
    made, _ = await here.checks.changes.create(person, own.id, NewCheck(name="made here"))
    assert [one.name for one in (await there.checks.all(person, Wanted())).items] == ["made here"]  # at once
    await there.checks.changes.delete(person, own.id, made.id)
    assert (await here.checks.of_project(person, own.id, Wanted())).items == []


@pytest.mark.asyncio
async def test_a_project_is_registered_once_and_forgotten_with_the_states_of_its_checks(
    database: Database, replicas: list[Replica], person: Someone, server: EmbeddedHealthchecks
) -> None:
    keys = server.project(f"registered {dt.datetime.now(dt.UTC)}")
    new = new_project(keys["api_key"], group="lab")
    tries = await asyncio.gather(*(r.projects.register(person, new) for r in replicas * 2), return_exceptions=True)
    (made,) = [one for one in tries if not isinstance(one, BaseException)]
    assert {one.code for one in tries if isinstance(one, Conflict)} == {"key-registered"}
    projects = replicas[0].projects
    await replicas[0].checks.changes.create(person, made.id, NewCheck(name="x"))
    await replicas[0].checks.of_project(person, made.id, Wanted())
    await replicas[0].watcher.watch()
    assert (await projects.change(person, made.id, CheckProjectChanges(name="New", notify=False))).notify is False
    before = [await count(database, table) for table in (CheckProjectRow, CheckKeyRow, CheckStatesRow)]
    await projects.remove(person, made.id)
    after = [await count(database, table) for table in (CheckProjectRow, CheckKeyRow, CheckStatesRow)]
    assert [b - a for b, a in zip(before, after, strict=True)] == [1, 0, 1]
    async with database.write() as session:  # how often the key was used is kept until that counts no more
        rows = await session.execute(update(CheckKeyRow).values(counted_at=utcnow() - dt.timedelta(days=2)))
    assert rows.rowcount == after[1]
    await projects.remove(person, (await projects.register(person, new)).id)
    assert await count(database, CheckKeyRow) <= 2  # this key and the person's, which were just used


@pytest.mark.asyncio
async def test_a_refused_key_is_renewed_once(database: Database, replicas: list[Replica], person: Someone) -> None:
    (opened,) = await replicas[0].projects.open_all(person)
    found = [opened.digest]
    for _ in range(2):  # the second question was under way with the old key
        async with database.write() as session:
            await session.execute(update(LeaseRow).values(until=utcnow()))
        await replicas[0].own.renew(person.row, refused=opened.digest)
        found += [one.digest for one in await replicas[1].projects.open_all(person)]
    assert found[0] != found[1] == found[2]


@pytest.mark.asyncio
async def test_who_has_a_key_twice_is_told_once(
    replicas: list[Replica], person: Someone, server: EmbeddedHealthchecks
) -> None:
    here, there = replicas
    key = server.project(f"twice {dt.datetime.now(dt.UTC)}")["api_key"]
    projects = [await here.projects.register(person, new_project(key, group=group)) for group in ("", "lab")]
    made, _ = await here.checks.changes.create(person, projects[0].id, NewCheck(name="job"))
    for project in projects:
        await here.checks.of_project(person, project.id, Wanted())
    await here.watcher.watch()
    async with httpx.AsyncClient() as http:
        await http.get(f"{made.ping_url}/2")
    await there.watcher.watch()
    assert [event.type for event in await here.events.after(person.row.name, 0)].count("check.down") == 1


@pytest.mark.asyncio
async def test_a_flip_is_told_by_one_replica(
    replicas: list[Replica], person: Someone, server: EmbeddedHealthchecks
) -> None:
    here, there = replicas
    key = server.project(f"flips {dt.datetime.now(dt.UTC)}")["api_key"]
    project = await here.projects.register(person, new_project(key))
    made, _ = await here.checks.changes.create(person, project.id, NewCheck(name="job"))
    await here.checks.of_project(person, project.id, Wanted())
    async with httpx.AsyncClient() as http:
        await here.watcher.watch()
        await http.get(f"{made.ping_url}/2")
    await there.watcher.watch()
    found = [event for event in await here.events.after(person.row.name, 0) if event.type == "check.down"]
    assert [event.data["exit_status"] for event in found] == [2]
    await there.watcher.watch()
    assert len([e for e in await here.events.after(person.row.name, 0) if e.type == "check.down"]) == 1


@pytest.mark.asyncio
async def test_what_the_server_tells_is_passed_on_once_and_in_full(
    database: Database, replicas: list[Replica], person: Someone
) -> None:
    here, there = replicas

    async def told() -> list[str]:
        return [event.type for event in await here.events.after(person.row.name, 0) if event.type != "checks.changed"]

    (own,) = (await here.projects.page(person)).items
    checks = [(await here.checks.changes.create(person, own.id, NewCheck(name=f"job {n}")))[0] for n in range(12)]
    async with httpx.AsyncClient() as http:
        await http.get(f"{checks[0].ping_url}/1")
        await here.lab.follow()  # begins: what was before is no news
        await http.get(checks[0].ping_url)
        await asyncio.gather(*(replica.lab.follow() for replica in replicas))
        assert await told() == ["check.up"]
        for check in checks:  # nobody follows meanwhile
            await http.get(f"{check.ping_url}/fail")
    await asyncio.gather(*(replica.lab.follow() for replica in replicas))
    assert await told() == ["check.up", *["check.down"] * 10]
    assert [event.type for event in await here.events.after(person.row.name, 0)][-1] == "checks.changed"
    async with database.write() as session:
        await session.execute(update(CheckNotificationsRow).values(told=CheckNotificationsRow.told + 1000))
    await there.lab.follow()  # the server was set up anew
    async with database.read() as session:
        assert [row.told for row in await session.scalars(select(CheckNotificationsRow))] == [0]
