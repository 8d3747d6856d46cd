"""What the gateway relies on in its database, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.fernet import Fernet
from naas_client.errors import AccessEnded, Unavailable
from naas_gateway.clients.iam import Tokens
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring
from naas_gateway.db.migrate import migrate
from naas_gateway.db.tables import Base, CheckProjectRow, IdentityRow, RefreshTokenRow
from naas_gateway.services import duties
from naas_gateway.services.audit import Audit
from naas_gateway.services.checks import keys
from naas_gateway.services.events import Events
from naas_gateway.services.grants import ACTIVE, ENDED, Grants, Stored
from sqlalchemy import select, text, update

pytestmark = pytest.mark.server


@pytest_asyncio.fixture
async def grants(database: Database) -> AsyncIterator[Grants]:
    yield Grants(database, Keyring([Fernet.generate_key().decode()]), Events(database))


async def person(database: Database, name: str = "alice") -> int:
    async with database.write() as session:
        row = IdentityRow(
            issuer="https://iam", subject=name, name=name, preferred_username=name, claims={"groups": ["a"]}
        )
        row.claims_at = row.created_at = utcnow()
        session.add(row)
        await session.flush()
        return row.id


async def signed_in(database: Database, grants: Grants, life: float = 3600, number: int = 0) -> int:
    user_id = await person(database, f"person{number}")
    tokens = Tokens("access", f"refresh{number}", life, "openid offline_access", "first")
    async with database.write() as session:
        await grants.adopt(session, user_id, tokens)
    return user_id


@pytest.mark.asyncio
async def test_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Any) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), Base.metadata)

    async with database.read() as session:
        assert await (await session.connection()).run_sync(differences) == []


@pytest.mark.asyncio
async def test_migrations_can_run_at_once_and_again(database_url: str) -> None:
    several = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(migrate(database) for database in several))
    await migrate(several[0])
    await several[0].check()
    for database in several:
        await database.close()


@pytest.mark.asyncio
async def test_times_come_back_as_they_went_in(database: Database) -> None:
    user_id = await person(database)
    moment = dt.datetime(2026, 3, 29, 2, 30, 1, 123456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    async with database.write() as session:
        await session.execute(update(IdentityRow).where(IdentityRow.id == user_id).values(claims_at=moment))
    async with database.read() as session:
        row = await session.get_one(IdentityRow, user_id)
    assert (row.claims_at, row.claims_at.tzinfo, row.claims) == (moment, dt.UTC, {"groups": ["a"]})


@pytest.mark.asyncio
async def test_a_block_that_raises_keeps_nothing(database: Database) -> None:
    async def half_done() -> None:
        async with database.write() as session:
            await session.execute(text("INSERT INTO leases (name, owner, until) VALUES ('x', 'y', '2026-01-01')"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half_done()
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM leases"))).scalar() == 0


@pytest.mark.asyncio
async def test_one_of_many_gets_the_lease_and_after_its_end_another(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    taken = [lease for lease in await asyncio.gather(*(grants.lease(user_id, 60) for _ in range(10))) if lease]
    assert len(taken) == 1
    await grants.release(taken[0])
    first = await grants.lease(user_id, -1)  # one whose owner has died
    second = await grants.lease(user_id, 60)
    assert first is not None
    assert second is not None
    await grants.release(first)  # too late: not its own any more
    assert await grants.lease(user_id, 60) is None


@pytest.mark.asyncio
async def test_a_token_is_marked_once_and_only_under_the_lease(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    (token,), _ = await grants.tokens(await grants.active(user_id))
    dead, alive = await grants.lease(user_id, -1), await grants.lease(user_id, 60)
    assert dead is not None
    assert alive is not None
    assert not await grants.mark_sent(dead, token)
    assert await grants.mark_sent(alive, token)
    assert not await grants.mark_sent(alive, token)
    assert await grants.tokens(await grants.active(user_id)) == ([], [_same(token)])
    newer = Tokens("access2", "refresh2", 3600, "", "first")
    assert not await grants.renewed(dead, token, newer)
    assert await grants.renewed(alive, token, newer)
    ready, lost = await grants.tokens(await grants.active(user_id))
    assert ([stored.token for stored in ready], lost) == (["refresh2"], [])
    assert grants.access_token(await grants.active(user_id)) == "access2"


class _Same(Stored):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and (other.row.id, other.token) == (self.row.id, self.token)

    __hash__ = None  # type: ignore[assignment]


def _same(stored: Stored) -> Stored:
    return _Same(stored.row, stored.token)


@pytest.mark.asyncio
async def test_an_answer_without_a_new_refresh_token_keeps_the_old_one(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    (token,), _ = await grants.tokens(await grants.active(user_id))
    lease = await grants.lease(user_id, 60)
    assert lease is not None
    assert await grants.mark_sent(lease, token)
    assert await grants.renewed(lease, token, Tokens("access2", None, 3600, "", "first"))
    ready, _ = await grants.tokens(await grants.active(user_id))
    assert [stored.token for stored in ready] == ["refresh0"]


@pytest.mark.asyncio
async def test_a_sign_in_fences_off_a_renewal_of_the_older_grant(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    (token,), _ = await grants.tokens(await grants.active(user_id))
    lease = await grants.lease(user_id, 60)
    assert lease is not None
    assert await grants.mark_sent(lease, token)
    async with database.write() as session:
        await grants.adopt(session, user_id, Tokens("newest", "newest-refresh", 3600, "", "first"))
    assert not await grants.renewed(lease, token, Tokens("late", "late-refresh", 3600, "", "first"))
    assert not await grants.add_token(lease, "old", Tokens("late", "late-refresh", 3600, "", "first"))
    assert grants.access_token(await grants.active(user_id)) == "newest"
    assert [stored.token for stored in await grants.to_revoke(10)] == ["refresh0"]


@pytest.mark.asyncio
async def test_an_ended_grant_gives_nothing_and_says_so_once(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    serial = (await grants.active(user_id)).serial
    assert await grants.end(user_id, serial, ENDED)
    assert not await grants.end(user_id, serial, ENDED)
    assert not await grants.end(user_id, "older", ENDED)
    with pytest.raises(AccessEnded):
        await grants.active(user_id)
    assert await grants.lease(user_id, 60) is None
    assert [event.type for event in await Events(database).after("person0", 0)] == ["access.ended"]


@pytest.mark.asyncio
async def test_what_is_due_in_use_and_free_is_renewed(database: Database, grants: Grants) -> None:
    due, fresh, idle, leased = [await signed_in(database, grants, number=number) for number in range(4)]
    for user_id in (due, idle, leased):
        await grants.make_due(user_id, (await grants.active(user_id)).serial)
    async with database.write() as session:
        await session.execute(text(f"UPDATE grants SET used_at = '2000-01-01 00:00:00' WHERE user_id = {idle}"))
    await grants.lease(leased, 60)
    assert await grants.due(10, short_too=False) == [due]
    assert await grants.due(10, short_too=True) == [due, fresh]


@pytest.mark.asyncio
async def test_a_duty_is_done_by_one_and_not_again_too_soon(database: Database) -> None:
    first = await asyncio.gather(*(duties.claim(database, "watch", f"replica{n}", 60) for n in range(5)))
    assert first.count(True) == 1
    assert not await duties.claim(database, "watch", "replica9", 60)
    assert await duties.claim(database, "other", "replica9", -1)
    assert await duties.claim(database, "other", "replica8", 60)


@pytest.mark.asyncio
async def test_events_are_own_or_general_and_old_ones_go(database: Database) -> None:
    events = Events(database)
    for username in ("alice", "bob", None):
        await events.emit("x.y", username, number=1)
    assert [event.username for event in await events.after("alice", 0)] == ["alice", None]
    async with database.write() as session:
        await session.execute(text("UPDATE events SET at = '2000-01-01 00:00:00' WHERE username = 'alice'"))
    await events.forget_old()
    assert [event.username for event in await events.after("alice", 0)] == [None]


@pytest.mark.asyncio
async def test_another_process_s_event_wakes_a_stream(database: Database) -> None:
    mine, other = Events(database), Events(Database(str(database.url.render_as_string(hide_password=False))))
    look = mine.listen() if database.is_postgres else _look_forever(mine)
    looking = asyncio.create_task(look)
    stream = mine.follow("alice", 0)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await other.emit("x.y", "alice")
    async with asyncio.timeout(5):
        event = await waiting
    assert event is not None
    assert event.type == "x.y"
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await stream.aclose()  # type: ignore[attr-defined]
    await other._database.close()


async def _look_forever(events: Events) -> None:
    while True:
        await events.look()
        await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_audit_pages_go_back_in_time(database: Database) -> None:
    audit = Audit(database)
    for number in range(5):
        await audit.record("alice" if number % 2 else "bob", "token", f"object{number}")
    page = await audit.page(None, None, None, 2, None)
    assert ([row.object for row in page.items], page.total) == (["object4", "object3"], 5)
    last = await audit.page(None, "token", utcnow() - seconds(60), 10, page.next)
    assert ([row.object for row in last.items], last.next) == (["object2", "object1", "object0"], None)
    assert (await audit.page("alice", None, None, 10, None)).total == 2


@pytest.mark.asyncio
async def test_keys_rotate_and_rows_that_no_key_reads_stay(database: Database, grants: Grants) -> None:
    user_id = await signed_in(database, grants)
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    strangers = Grants(database, Keyring([new]), Events(database))
    assert await strangers.reencrypt() == 0
    with pytest.raises(AccessEnded):
        strangers.access_token(await strangers.active(user_id))
    rotated = Grants(database, Keyring([new, old]), Events(database))
    async with database.write() as session:
        await session.execute(
            update(RefreshTokenRow).values(token=Keyring([old]).encrypt("r"), key_id=Keyring([old]).newest)
        )
    assert await rotated.reencrypt() == 1
    async with database.read() as session:
        assert (await session.scalars(select(RefreshTokenRow.key_id))).all() == [Keyring([new]).newest]
    assert grants.access_token(await grants.active(user_id)) == "access"
    assert (await grants.active(user_id)).state == ACTIVE


@pytest.mark.asyncio
async def test_api_keys_of_projects_rotate_as_well(database: Database) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    row = CheckProjectRow(scope="user:1", user_id=await person(database), group="", name="x", registered_at=utcnow())
    row.read_only = row.members_write = row.provisioned = False
    for name, value in keys.sealed(Keyring([old]), "hcw_key").items():
        setattr(row, name, value)
    async with database.write() as session:
        session.add(row)
    assert await Grants(database, Keyring([new, old]), Events(database)).reencrypt() == 1
    async with database.read() as session:
        stored = await session.get_one(CheckProjectRow, row.id)
    assert (keys.opened(Keyring([new]), stored), keys.opened(Keyring([old]), stored)) == ("hcw_key", "")


@pytest.mark.asyncio
async def test_a_database_that_is_down_is_unavailable(tmp_path: Path) -> None:
    nowhere = Database("postgresql+asyncpg://naas@127.0.0.1:9/naas")
    with pytest.raises(Unavailable, match="database does not answer"):
        await nowhere.check()
    await nowhere.close()
