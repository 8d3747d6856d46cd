"""Long-lived keys in the gateway's API, with the real IAM and store: who may have them, and that none is ever forgotten."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from gateway_calls import call, error_of
from naas_client.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from naas_client.gateway import SyncGatewayClient
from naas_client.models import Claims, MadeS3Key, NewS3Key
from naas_client.settings import SharedSettings, validate
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import IdentityRow, S3KeyRow
from naas_gateway.services.access import Access
from naas_gateway.services.provisioners.contract import KeyWish
from naas_gateway.services.s3_keys import S3Keys
from naas_local.iam import EmbeddedIam
from naas_local.store import EmbeddedStore, embedded_store
from s3_people import refusal, s3_client
from sqlalchemy import select, update
from waiting import wait_for

pytestmark = pytest.mark.server

MEMBER = ["users/naas", "users/s3", "developers"]
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam) -> Iterator[EmbeddedStore]:
    with embedded_store(tmp_path_factory.mktemp("store"), iam.issuer) as running:
        yield running


@pytest.fixture(scope="module")
def sections(hub: HubStandIn, store: EmbeddedStore) -> dict[str, Any]:
    rules = {"groups": ["developers"], "longest_days": 30, "most": 2}
    storage = {"url": store.url, "admin_secret_key_file": str(store.admin_key_file), "long_lived_keys": rules}
    return {"gateway": {"hub_api_url": hub.url}, "storage": storage, "iam": {"auth_refresh_age": 6}}


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn, sections: dict[str, Any]
) -> Iterator[Gateway]:
    with gateway_app(tmp_path_factory.mktemp("gateway"), iam, **sections) as gateway:
        hub.service_token = gateway.hub_token
        yield gateway


@pytest.fixture
def newcomer(site: Gateway, hub: HubStandIn, request: pytest.FixtureRequest) -> Callable[..., SyncGatewayClient]:
    """Somebody who signs in for the first time and has storage; their client."""

    def arrive(name: str, groups: list[str] = MEMBER) -> SyncGatewayClient:
        site.iam.add_user(name, groups)
        site.sign_in(name)
        site.hub.prepare_storage(name)
        return site.client(hub.user_token(name))

    return arrive


def wish(days: int = 7, **more: Any) -> NewS3Key:
    return NewS3Key(description="Backup of the lab", days=days, **more)


def s3(key: MadeS3Key) -> Any:
    keys = {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key, "SessionToken": None}
    return s3_client(key.endpoint, keys)


def rows_of(site: Gateway) -> sqlite3.Connection:
    return sqlite3.connect(site.log.parent / "gateway.sqlite", timeout=10)


def actions(site: Gateway, hub: HubStandIn, access_key_id: str) -> list[tuple[str, str, str]]:
    admin = site.client(hub.user_token("dana", "custom:naas:admin"))
    rows = [row for row in admin.audit(limit=200).items if row.object == access_key_id]
    return [(row.actor, row.action, row.result) for row in reversed(rows)]


def test_a_key_is_made_listed_and_revoked(
    site: Gateway, hub: HubStandIn, store: EmbeddedStore, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    person = newcomer("maker")
    assert (person.s3_keys().items, person.s3_keys().longest_days, person.s3_keys().most) == ([], 30, 2)
    assert person.me().capabilities["s3-keys"].allowed
    made = person.make_s3_key(wish())
    assert (made.username, made.bucket, made.endpoint, made.state) == ("maker", "maker", store.url, "active")
    assert made.expires_at - made.made_at == 7 * DAY
    s3(made).put_object(Bucket="maker", Key="x", Body=b"1")
    (listed,) = person.s3_keys().items
    assert listed.model_dump() == {name: getattr(made, name) for name in type(listed).model_fields}
    assert person.revoke_s3_key(made.id).state == "ended"
    assert refusal(lambda: s3(made).list_objects_v2(Bucket="maker")) == "InvalidAccessKeyId"
    assert person.s3_keys().items == []
    assert actions(site, hub, made.access_key_id) == [
        ("maker", "s3-key.create", "ok"),
        ("maker", "s3-key.revoke", "revoked"),
        ("naas-gateway", "s3-key.end", "revoked"),
    ]


def test_the_secret_is_kept_nowhere(
    site: Gateway, store: EmbeddedStore, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    person = newcomer("secretive")
    made = person.make_s3_key(wish())
    secret = made.secret_access_key.encode()
    assert len(secret) == 40
    kept = [*site.log.parent.iterdir(), site.log, *store.data.glob("*.json"), *(store.data.parent / "logs").iterdir()]
    assert not [path for path in kept if path.is_file() and secret in path.read_bytes()]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"description": "x" * 10_000, "days": 1}, "description: String should have at most 100 characters"),
        ({"description": "a\nb", "days": 1}, "description: Value error, write one line without control characters"),
        ({"description": "a\x1b[2J", "days": 1}, "description: Value error"),
        ({"description": "\u202ex", "days": 1}, "description: Value error"),
        ({"description": "   ", "days": 1}, "description: Value error"),
        ({"description": "x", "days": 0}, "days: Input should be greater than or equal to 1"),
        ({"description": "x", "days": -1}, "days: Input should be greater than or equal to 1"),
        ({"description": "x", "days": 10**9}, "days: Input should be less than or equal to 366"),
        ({"description": "x", "days": "7"}, "days: Input should be a valid integer"),
        ({"description": "x", "days": 1.5}, "days: Input should be a valid integer"),
        ({"description": "x", "days": True}, "days: Input should be a valid integer"),
        ({"description": "x", "days": 31}, "days: a key lives at most 30 days here. Choose fewer."),
        ({"description": "x", "days": 1, "read_only": "maybe"}, "read_only: Input should be a valid boolean"),
        ({}, "description: Field required"),
    ],
)
def test_a_wish_that_cannot_be_met_makes_nothing(
    site: Gateway, hub: HubStandIn, body: dict[str, Any], expected: str
) -> None:
    site.sign_in("alice")
    answer = call(site, "POST", "/s3-keys", hub.user_token("alice"), json=body)
    assert error_of(answer) == (400, "invalid-input")
    assert expected in answer.json()["error"]["message"]
    assert site.client(hub.user_token("alice")).s3_keys().items == []


def test_nobody_has_more_than_allowed(newcomer: Callable[..., SyncGatewayClient]) -> None:
    person = newcomer("greedy")
    first = person.make_s3_key(wish())
    person.make_s3_key(wish())
    with pytest.raises(Conflict, match="You have 2 keys, as many as one may have here") as caught:
        person.make_s3_key(wish())
    assert caught.value.code == "too-many-keys"
    person.revoke_s3_key(first.id)
    assert person.make_s3_key(wish()).state == "active"


def test_somebody_elses_key_does_not_exist(newcomer: Callable[..., SyncGatewayClient]) -> None:
    owner, other = newcomer("owner"), newcomer("other")
    made = owner.make_s3_key(wish())
    for key_id in (made.id, 2**31 - 1):
        with pytest.raises(NotFound) as caught:
            other.revoke_s3_key(key_id)
        assert caught.value.code == "no-such-key"
    s3(made).list_objects_v2(Bucket="owner")
    with pytest.raises(InvalidInput):
        other.revoke_s3_key(0)
    with pytest.raises(Forbidden):
        other.all_s3_keys()
    with pytest.raises(Forbidden):
        other.revoke_any_s3_key(made.id)


def test_administrators_see_and_end_everybodys(
    site: Gateway, hub: HubStandIn, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    made = newcomer("watched").make_s3_key(wish(read_only=True))
    admin = site.client(hub.user_token("dana", "custom:naas:admin"))
    (listed,) = admin.all_s3_keys(username="watched").items
    assert (listed.access_key_id, listed.username, listed.read_only) == (made.access_key_id, "watched", True)
    page = admin.all_s3_keys(limit=1)
    assert page.items[0].id == made.id
    if page.total > 1:
        assert admin.all_s3_keys(limit=1, cursor=page.next).items[0].id < made.id
    assert admin.revoke_any_s3_key(made.id).state == "ended"
    assert actions(site, hub, made.access_key_id)[1] == ("dana", "s3-key.revoke", "revoked")


def test_who_is_in_no_group_for_it_is_told_which(
    site: Gateway, hub: HubStandIn, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    person = newcomer("plain", ["users/naas", "users/s3"])
    capability = person.me().capabilities["s3-keys"]
    assert not capability.allowed
    with pytest.raises(Forbidden, match="Keys for other programs open to members of developers") as caught:
        person.make_s3_key(wish())
    assert caught.value.code == "no-capability"
    assert capability.reason == caught.value.message
    without = newcomer("storeless", ["users/naas", "developers"])
    with pytest.raises(Forbidden, match="Cloud storage opens to members of users/s3"):
        without.make_s3_key(wish())


def test_while_the_store_is_down_nothing_is_half_made_and_no_end_is_forgotten(
    site: Gateway, hub: HubStandIn, store: EmbeddedStore, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    person = newcomer("unlucky")
    made = person.make_s3_key(wish())
    store.stop()
    try:
        with pytest.raises(Unavailable):
            person.make_s3_key(wish())
        assert [key.id for key in person.s3_keys().items] == [made.id]
        assert person.revoke_s3_key(made.id).state == "revoking"
        (waiting,) = person.s3_keys().items
        assert (waiting.state, waiting.reason) == ("revoking", "revoked")
    finally:
        store.start()
    wait_for(lambda: person.s3_keys().items == [], "the store hears of the end", limit=100)
    assert refusal(lambda: s3(made).list_objects_v2(Bucket="unlucky")) == "InvalidAccessKeyId"
    assert actions(site, hub, made.access_key_id)[-1] == ("naas-gateway", "s3-key.end", "revoked")
    with rows_of(site) as rows:
        assert wait_for(
            lambda: (
                rows.execute("SELECT count(*) FROM s3_keys WHERE state IN ('making', 'revoking')").fetchone() == (0,)
            ),
            "what was half made is ended",
        )


def test_an_expired_key_and_one_half_made_are_ended(
    site: Gateway, hub: HubStandIn, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    person = newcomer("forgetful")
    expired, broken = person.make_s3_key(wish()), person.make_s3_key(wish())
    with rows_of(site) as rows:  # a day passes for the one; the gateway was killed while it made the other
        rows.execute("UPDATE s3_keys SET expires_at = '2026-01-01 00:00:00' WHERE id = ?", (expired.id,))
        rows.execute("UPDATE s3_keys SET state = 'making', made_at = '2026-01-01 00:00:00' WHERE id = ?", (broken.id,))
    assert broken.id not in [key.id for key in person.s3_keys().items]
    for key in (expired, broken):
        wait_for(
            lambda k=key: refusal(lambda: s3(k).list_objects_v2(Bucket="forgetful")) == "InvalidAccessKeyId",
            "the store ends it",
            limit=100,
        )
    wait_for(lambda: person.s3_keys().items == [], "the row goes", limit=20)
    assert actions(site, hub, expired.access_key_id)[-2:] == [
        ("naas-gateway", "s3-key.revoke", "expired"),
        ("naas-gateway", "s3-key.end", "expired"),
    ]


class LateStore:
    """A store that takes so long to make a key that the recurring look has ended and forgotten it by then."""

    def __init__(self, database: Database) -> None:
        self.database, self.keys, self.away = database, set[str](), False
        self.look: Callable[[], Awaitable[None]] | None = None

    async def make_key(self, _row: IdentityRow, wish: KeyWish) -> str:
        async with self.database.write() as session:
            await session.execute(update(S3KeyRow).values(made_at=utcnow() - DAY))
        assert self.look is not None
        await self.look()
        async with self.database.read() as session:
            assert not (await session.scalars(select(S3KeyRow))).all()
        self.keys.add(wish.access_key_id)
        self.away = True
        return "secret"

    async def revoke_key(self, _row: IdentityRow, access_key_id: str) -> None:
        if self.away:
            raise Unavailable("not now", code="store-down")
        self.keys.discard(access_key_id)


@pytest.mark.asyncio
async def test_a_key_that_the_store_made_after_its_end_is_ended_again(database: Database) -> None:
    """With stand-ins for all but the database: no real store can be told to answer between two looks."""
    now, store = utcnow(), LateStore(database)
    claims = Claims(issuer="https://iam", subject="late", groups=MEMBER, fetched_at=now)
    async with database.write() as session:
        known = {"claims": {}, "claims_at": now, "created_at": now, "preferred_username": "late"}
        session.add(row := IdentityRow(issuer="https://iam", subject="late", name="late", **known))
    settings = SharedSettings.model_validate({"storage": {"long_lived_keys": {"groups": ["developers"]}}})
    keys = S3Keys(settings, database, None, None, Access(settings), AsyncMock(), store, "here")  # type: ignore[arg-type]
    store.look = keys.end_due
    with pytest.raises(Unavailable):
        await keys.make(row, claims, wish())
    assert len(store.keys) == 1
    store.away = False
    await keys.end_due()
    assert store.keys == set()


@pytest.mark.parametrize("left", [["users/naas", "users/s3"], ["users/naas", "developers"], []])
def test_keys_end_with_the_right_to_have_them(
    site: Gateway, hub: HubStandIn, newcomer: Callable[..., SyncGatewayClient], left: list[str]
) -> None:
    name = f"leaver-{len(left)}{len(''.join(left))}"
    made = newcomer(name).make_s3_key(wish())
    site.iam.set_groups(name, left)
    wait_for(
        lambda: refusal(lambda: s3(made).list_objects_v2(Bucket=name)) == "InvalidAccessKeyId",
        "the key ends",
        limit=120,
    )
    wait_for(lambda: len(actions(site, hub, made.access_key_id)) == 3, "it is written down", limit=20)
    assert actions(site, hub, made.access_key_id)[-1] == ("naas-gateway", "s3-key.end", "access-lost")


def test_signing_out_ends_no_key_until_nobody_has_vouched_for_long(
    site: Gateway, hub: HubStandIn, newcomer: Callable[..., SyncGatewayClient]
) -> None:
    made = newcomer("traveller").make_s3_key(wish())
    site.hub.sign_out("traveller")
    with rows_of(site) as rows:
        rows.execute("UPDATE leases SET until = '2026-01-01 00:00:00' WHERE name LIKE '%s3-keys'")
        rows.commit()
        wait_for(
            lambda: (
                rows.execute(
                    "SELECT count(*) FROM leases WHERE until > '2026-02-01' AND name LIKE '%s3-keys'"
                ).fetchone()
                == (2,)
            ),
            "the gateway has looked",
        )
        s3(made).list_objects_v2(Bucket="traveller")
        rows.execute("UPDATE identities SET claims_at = '2026-01-01 00:00:00' WHERE name = 'traveller'")
        rows.commit()
    wait_for(
        lambda: refusal(lambda: s3(made).list_objects_v2(Bucket="traveller")) == "InvalidAccessKeyId",
        "the key ends",
        limit=120,
    )
    assert ("naas-gateway", "s3-key.revoke", "not-seen") in actions(site, hub, made.access_key_id)


class TestNotOffered:
    """Off until somebody switches it on."""

    @pytest.mark.parametrize(
        ("storage", "why"),
        [
            ({}, "the operators have not named a group in storage.long_lived_keys.groups."),
            ({"provisioner": "shared-role"}, "with one role for everybody, nobody can make a key"),
        ],
    )
    def test_every_call_says_why(
        self, tmp_path: Path, iam: EmbeddedIam, hub: HubStandIn, storage: dict[str, Any], why: str
    ) -> None:
        with gateway_app(tmp_path, iam, gateway={"hub_api_url": hub.url}, storage=storage) as gateway:
            gateway.sign_in("alice")
            person = gateway.client(hub.user_token("alice"))
            for ask in (person.s3_keys, lambda: person.make_s3_key(wish())):
                with pytest.raises(NotFound, match=why) as caught:
                    ask()
                assert caught.value.code == "no-s3-keys"
            assert "s3-keys" not in person.me().capabilities

    @pytest.mark.parametrize(
        ("storage", "why"),
        [
            (
                {"provisioner": "shared-role", "long_lived_keys": {"groups": ["a"]}},
                "storage: long_lived_keys.groups: with",
            ),
            ({"long_lived_keys": {"groups": ["a"], "longest_days": 367}}, "storage.long_lived_keys.longest_days: "),
            ({"long_lived_keys": {"groups": ["a"], "most": 0}}, "storage.long_lived_keys.most: "),
            ({"long_lived_keys": {"groups": [""]}}, "storage.long_lived_keys.groups.0: "),
            ({"long_lived_keys": {"enabled": True}}, "storage.long_lived_keys.enabled: unknown key"),
        ],
    )
    def test_settings_that_cannot_work_are_refused(self, storage: dict[str, Any], why: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            validate({"storage": storage}, SharedSettings, "naas.yaml")
        assert caught.value.message.startswith(f"naas.yaml: {why}")


def test_the_store_takes_orders_from_the_gateway_alone(store: EmbeddedStore) -> None:
    form = {"Action": "CreateAccessKey", "Version": "2010-05-08", "AccessKeyId": "NAASAAAAAAAAAAAAAAAA"}
    form |= {"UserName": "alice", "Subject": "x", "Expires": "2030-01-01T00:00:00Z", "ReadOnly": "false"}
    right = {"Authorization": f"Bearer {store.admin_key_file.read_text().strip()}"}
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": right["Authorization"][:-1]}):
        assert httpx.post(store.url, data=form, headers=headers).status_code == 403
    assert httpx.post(store.url, data=form, headers=right).status_code == 403  # no subject of that bucket
    for change in ({"AccessKeyId": "AKIA"}, {"Version": "1"}):
        assert httpx.post(store.url, data={**form, **change}, headers=right).status_code == 400
