"""The provisioner `rgw` in a real gateway on a real Ceph: users, quotas, roles, what is half made, and what is somebody else's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import NotFound, Unavailable
from naas_client.files import write_private
from naas_client.folders import GroupFolder
from naas_client.models import NewS3Key, Part, StoragePlan
from naas_client.names import hub_name
from naas_client.settings import StorageSection
from naas_gateway.clients.rgw import RgwAdmin
from naas_gateway.clients.s3 import Keys, Store
from naas_gateway.clients.sites import Sites
from naas_gateway.clock import utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.provisioners.rgw import POLICY, Rgw
from naas_local.ceph import CephStore
from naas_local.iam import EmbeddedIam
from s3_people import own_client, refusal, s3_client
from waiting import wait_for

pytestmark = pytest.mark.server

QUOTA = 3 * 2**20
MEMBER = ["users/naas", "users/s3"]


def storage(ceph: CephStore, **more: Any) -> dict[str, Any]:
    return {
        "url": ceph.url,
        "provisioner": "rgw",
        "quota": QUOTA,
        "session_seconds": 900,
        "long_lived_keys": {"groups": ["users/s3"]},
        "admin_access_key_file": str(ceph.config.access_key_file),
        "admin_secret_key_file": str(ceph.config.secret_key_file),
        **more,
    }


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn, ceph: CephStore
) -> Iterator[Gateway]:
    ceph.trust(iam.issuer)
    sections = {"gateway": {"hub_api_url": hub.url}, "storage": storage(ceph)}
    with gateway_app(tmp_path_factory.mktemp("gateway"), iam, **sections) as gateway:
        hub.service_token = gateway.hub_token
        for name in ("alice", "bob"):
            gateway.sign_in(name)
        yield gateway


@pytest.fixture
def newcomer(site: Gateway, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Somebody who signs in for the first time; their hub name."""

    def arrive(username: str) -> str:
        site.iam.add_user(username, MEMBER)
        site.sign_in(username)
        return hub_name(username)

    return arrive


def subject(gateway: Gateway, name: str) -> str:
    return gateway.hub.claims(name, 3600).subject


def audited(gateway: Gateway, hub: HubStandIn, name: str) -> list[tuple[str, str]]:
    admin = gateway.client(hub.user_token("dana", "custom:naas:admin"))
    rows = admin.audit(actor=name, limit=200).items
    kinds = ("storage.", "bucket.", "role.", "prefix.")
    return [(row.action, row.object) for row in reversed(rows) if row.action.startswith(kinds)]


def store_part(gateway: Gateway, state: str) -> Part | None:
    """The store as `/health` shows it, if it is in this state; findings are kept for some seconds."""
    return next((part for part in gateway.hub.health().parts if part.name == "store" and part.state == state), None)


def ready(plan: StoragePlan) -> StoragePlan:
    assert (plan.degraded, plan.code) == ("", "")
    return plan


def test_a_start_makes_user_quota_bucket_role_and_prefix_once(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("grace")
    plan = ready(site.hub.prepare_storage(name))
    assert [(f.name, f.bucket, f.prefix, f.read_only) for f in plan.folders] == [
        ("grace", "grace", "", False),
        ("scratch", "scratch", "", True),
        ("scratch-grace", "scratch", "grace", False),
    ]
    ready(site.hub.prepare_storage(name))
    assert audited(site, hub, name) == [
        ("storage.account", "naas-grace"),
        ("storage.quota", "naas-grace"),
        ("bucket.create", "grace"),
        ("role.create", "naas-grace"),
        ("prefix.create", "scratch/grace"),
    ]
    user = ceph.radosgw_admin("user", "info", "--uid=naas-grace")
    assert (user["keys"], user["user_quota"]["enabled"], user["user_quota"]["max_size"]) == ([], True, QUOTA)
    assert ceph.radosgw_admin("bucket", "stats", "--bucket=grace")["owner"] == "naas-grace"


def test_the_role_is_given_by_subject_and_audience(site: Gateway, ceph: CephStore, iam: EmbeddedIam) -> None:
    ready(site.hub.prepare_storage("alice"))
    role = ceph.client("iam").get_role(RoleName="naas-alice")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    provider = iam.issuer.partition("://")[2]
    assert statement["Condition"] == {
        "StringEquals": {f"{provider}:sub": subject(site, "alice"), f"{provider}:aud": "object"}
    }


def test_a_persons_token_opens_no_role_but_their_own(site: Gateway, hub: HubStandIn, ceph: CephStore) -> None:
    for name in ("alice", "bob"):
        ready(site.hub.prepare_storage(name))
    token = site.client(hub.user_token("alice")).token("object").access_token

    def status(role: str, jwt: str = token) -> int:
        form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "bob"}
        more = {"RoleArn": f"arn:aws:iam:::role/{role}", "WebIdentityToken": jwt, "DurationSeconds": "900"}
        return httpx.post(f"{ceph.url}/", data={**form, **more}).status_code

    assert status("naas-alice") == 200
    assert status("naas-bob") == 403
    hub_token = site.sign_in("alice").access_token  # a token for another audience
    assert status("naas-alice", hub_token) == 403


def test_credentials_without_a_start_are_given_too(
    site: Gateway, hub: HubStandIn, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("laptop")
    mine = own_client(site.client(hub.user_token(name)).s3_credentials())
    mine.put_object(Bucket=name, Key="x", Body=b"1")
    assert site.client(hub.user_token(name)).storage().degraded == ""


def test_a_full_bucket_still_opens_and_refuses_more(
    site: Gateway, hub: HubStandIn, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("full")
    ready(site.hub.prepare_storage(name))
    person = site.client(hub.user_token(name))
    mine = own_client(person.s3_credentials())
    for number in range(3):
        mine.put_object(Bucket=name, Key=f"part-{number}", Body=b"x" * 2**20)
    wait_for(
        lambda: refusal(lambda: mine.put_object(Bucket=name, Key="more", Body=b"x" * 2**20)) == "QuotaExceeded",
        "the quota is enforced",
    )
    assert len(ready(site.hub.prepare_storage(name)).folders) == 3
    assert mine.get_object(Bucket=name, Key="part-0")["ContentLength"] == 2**20
    usage = person.storage_usage()
    assert (usage.source, usage.quota_bytes) == ("store", QUOTA)
    assert usage.used_bytes >= QUOTA
    assert usage.objects is not None
    assert usage.objects >= 3
    mine.delete_object(Bucket=name, Key="part-0")
    mine.delete_object(Bucket=name, Key="more")
    assert wait_for(lambda: person.storage_usage().used_bytes < QUOTA, "deleting is counted")


def test_a_quota_that_an_operator_raised_stays(site: Gateway, ceph: CephStore, newcomer: Callable[[str], str]) -> None:
    name = newcomer("raised")
    ready(site.hub.prepare_storage(name))
    ceph.radosgw_admin("quota", "set", "--quota-scope=user", f"--uid=naas-{name}", f"--max-size={10 * QUOTA}")
    ready(site.hub.prepare_storage(name))
    assert ceph.radosgw_admin("user", "info", f"--uid=naas-{name}")["user_quota"]["max_size"] == 10 * QUOTA


def test_buckets_that_a_person_makes_come_under_the_quota_and_are_private(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("maker")
    ready(site.hub.prepare_storage(name))
    person = site.client(hub.user_token(name))
    mine = own_client(person.s3_credentials())
    mine.create_bucket(Bucket="maker--photos", ACL="public-read")
    mine.put_object(Bucket="maker--photos", Key="x", Body=b"x" * 2**20, ACL="public-read")
    assert person.storage_usage().used_bytes >= 2**20
    assert ceph.radosgw_admin("bucket", "stats", "--bucket=maker--photos")["owner"] == "naas-maker"
    assert [httpx.get(f"{ceph.url}/maker--photos{key}").status_code for key in ("", "/x")] == [403, 403]
    assert mine.get_object(Bucket="maker--photos", Key="x")["ContentLength"] == 2**20
    assert ("bucket.adopt", "maker--photos") in audited(site, hub, name)
    assert ceph.radosgw_admin("user", "info", "--uid=naas-maker")["keys"] == []
    for other in ("maker-photos", "maker---0123456789", "other--photos"):
        assert refusal(lambda b=other: mine.create_bucket(Bucket=b)) == "AccessDenied"


def test_two_starts_at_once_in_two_gateways_make_one_of_everything(
    site: Gateway,
    iam: EmbeddedIam,
    hub: HubStandIn,
    ceph: CephStore,
    newcomer: Callable[[str], str],
) -> None:
    name = newcomer("twice")
    folder = site.log.parent
    config = {"gateway": {"hub_api_url": hub.url}, "storage": storage(ceph, url=ceph.rgws[1].url)}
    with gateway_app(folder, iam, name="second", **config) as second, ThreadPoolExecutor(8) as pool:
        clients = [(site if number % 2 else second).client(site.hub_token) for number in range(8)]
        plans = list(pool.map(lambda client: client.prepare_storage(name), clients))
    ready(site.hub.prepare_storage(name))
    assert [plan.degraded for plan in plans] == [""] * 8
    assert ceph.radosgw_admin("bucket", "stats", f"--bucket={name}")["owner"] == f"naas-{name}"
    user = ceph.radosgw_admin("user", "info", f"--uid=naas-{name}")
    assert (user["keys"], user["user_quota"]["max_size"]) == ([], QUOTA)
    mine = own_client(site.client(hub.user_token(name)).s3_credentials())
    mine.put_object(Bucket=name, Key="x", Body=b"1")


@pytest.mark.parametrize("step", ["user", "key", "bucket", "role"])
def test_what_a_broken_start_left_is_finished_by_the_next(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str], step: str
) -> None:
    name = newcomer(f"half-{step}")
    uid = f"naas-{name}"
    ceph.radosgw_admin(
        "user", "create", f"--uid={uid}", f"--display-name=naas: {subject(site, name)}", "--gen-secret=0"
    )
    for key in ceph.radosgw_admin("user", "info", f"--uid={uid}")["keys"]:
        ceph.radosgw_admin("key", "rm", f"--uid={uid}", f"--access-key={key['access_key']}")
    if step != "user":  # a key of an hour ago
        ceph.radosgw_admin(
            "key", "create", f"--uid={uid}", "--access-key=NAAS-MOMENT-1700000000-abcdef012345", "--gen-secret"
        )
    if step in ("bucket", "role"):
        keys = ceph.radosgw_admin("user", "info", f"--uid={uid}")["keys"][0]
        owner = {"AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"], "SessionToken": None}
        s3_client(ceph.url, owner).create_bucket(Bucket=name)
    if step == "role":
        trust = {"Effect": "Allow", "Principal": {"Federated": ["arn:aws:iam:::oidc-provider/old"]}}
        more = {
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": {"old:sub": subject(site, name)}},
        }
        document = {"Version": "2012-10-17", "Statement": [{**trust, **more}]}
        ceph.client("iam").create_role(
            RoleName=uid, Path="/", AssumeRolePolicyDocument=json.dumps(document, separators=(",", ":"))
        )
    ready(site.hub.prepare_storage(name))
    user = ceph.radosgw_admin("user", "info", f"--uid={uid}")
    assert (user["keys"], user["user_quota"]["max_size"]) == ([], QUOTA)
    mine = own_client(site.client(hub.user_token(name)).s3_credentials())
    mine.put_object(Bucket=name, Key="x", Body=b"1", ACL="public-read")
    assert httpx.get(f"{ceph.url}/{name}/x").status_code == 403


@pytest.mark.parametrize("what", ["bucket", "account", "role"])
def test_what_is_somebody_elses_is_never_taken_over(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str], what: str
) -> None:
    name = newcomer(f"taken-{what}")
    uid = f"naas-{name}"
    if what == "bucket":
        ceph.client().create_bucket(Bucket=name)
        ceph.client().put_object(Bucket=name, Key="precious", Body=b"theirs")
    elif what == "account":
        ceph.radosgw_admin("user", "create", f"--uid={uid}", "--display-name=naas: another-subject")
    else:
        document = {"Statement": [{"Effect": "Allow", "Principal": {"Federated": ["arn:aws:iam:::oidc-provider/x"]}}]}
        document["Statement"][0] |= {
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": {"x:sub": "another-subject"}},
        }
        text = json.dumps({"Version": "2012-10-17", **document}, separators=(",", ":"))
        ceph.client("iam").create_role(RoleName=uid, Path="/", AssumeRolePolicyDocument=text)
    plan = site.hub.prepare_storage(name)
    assert (plan.code, plan.folders) == ("bucket-taken", [])
    assert "belongs to somebody else, so nothing was changed. Ask support." in plan.degraded
    if what == "bucket":
        assert ceph.radosgw_admin("bucket", "stats", f"--bucket={name}")["owner"] == "naas-admin"
        assert ceph.client().get_object(Bucket=name, Key="precious")["Body"].read() == b"theirs"
        assert ceph.radosgw_admin("user", "info", f"--uid={uid}")["keys"] == []
    if what == "role":
        role = ceph.client("iam").get_role(RoleName=uid)["Role"]["AssumeRolePolicyDocument"]
        assert role["Statement"][0]["Condition"] == {"StringEquals": {"x:sub": "another-subject"}}
    if what == "account":
        with pytest.raises(NotFound):
            site.client(hub.user_token(name)).storage_usage()


def test_a_bucket_that_the_person_made_before_becomes_their_users(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str]
) -> None:
    """A site that moves from `shared-role`: the owner is then the session's user, on whom no quota counts."""
    name = newcomer("mover")
    admin, shadow = ceph.client(), f"$oidc${subject(site, name)}"
    admin.create_bucket(Bucket=name)
    admin.put_object(Bucket=name, Key="old", Body=b"kept")
    ceph.radosgw_admin("user", "create", f"--uid={shadow}", "--display-name=x")
    ceph.radosgw_admin("bucket", "link", f"--bucket={name}", f"--uid={shadow}")
    ready(site.hub.prepare_storage(name))
    assert ceph.radosgw_admin("bucket", "stats", f"--bucket={name}")["owner"] == f"naas-{name}"
    mine = own_client(site.client(hub.user_token(name)).s3_credentials())
    assert mine.get_object(Bucket=name, Key="old")["Body"].read() == b"kept"


@pytest.mark.parametrize(
    "username", ["Zoë.Müller@example.org", "o'brien $(x)", "日本", "a" * 60, "x--y", "scratch-alice"]
)
def test_user_names_with_odd_characters(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str], username: str
) -> None:
    name = newcomer(username)
    plan = ready(site.hub.prepare_storage(name))
    assert plan.folders[0].bucket == name
    mine = own_client(site.client(hub.user_token(name)).s3_credentials())
    mine.put_object(Bucket=name, Key="x", Body=b"1")
    mine.put_object(Bucket="scratch", Key=f"{name}/x", Body=b"1")
    mine.create_bucket(Bucket=f"{name}--b")
    assert refusal(lambda: mine.list_objects_v2(Bucket="alice")) == "AccessDenied"


def test_a_wrong_admin_key_degrades_new_people_and_health_and_keeps_the_others(
    site: Gateway, iam: EmbeddedIam, hub: HubStandIn, ceph: CephStore, tmp_path: Path, newcomer: Callable[[str], str]
) -> None:
    ready(site.hub.prepare_storage("alice"))
    newcomer("keyless")
    write_private(tmp_path / "secret", "wrong-secret-of-some-length")
    config = {
        "gateway": {"hub_api_url": hub.url},
        "storage": storage(ceph, admin_secret_key_file=str(tmp_path / "secret")),
    }
    with gateway_app(site.log.parent, iam, name="keyless", **config) as gateway:
        plan = gateway.hub.prepare_storage("keyless")
        assert (plan.code, plan.folders) == ("store-admin", [])
        assert plan.degraded.startswith("The object store does not accept the gateway's own key.")
        assert ready(gateway.hub.prepare_storage("alice")).folders
        store = wait_for(lambda: store_part(gateway, "degraded"), "health shows the refused key")
        assert "storage.admin_access_key_file" in store.detail
        assert "wrong-secret" not in gateway.log.read_text() + plan.degraded + store.detail


@pytest.mark.asyncio
async def test_a_late_start_does_not_bring_back_a_group_that_was_lost(ceph: CephStore, database: Database) -> None:
    """The start read the person's groups before they lost one."""
    folder = GroupFolder(name="cygno", bucket="cygno-data", groups=["cygno"])
    now = utcnow()
    row = IdentityRow(id=1, name="late-start", subject="late-start", issuer="https://iam", claims={}, claims_at=now)

    async def issuer() -> str:
        return "https://iam/"

    sites = Sites([ceph.url])
    try:
        admin = RgwAdmin(sites, Keys(*ceph.admin, "us-east-1"))
        settings = StorageSection(url=ceph.url, provisioner="rgw", folders=[folder])
        rgw = Rgw(settings, admin, Store(sites), Audit(database), issuer)
        await rgw.admit(row, [folder])
        await rgw.permit(row, [folder])
        assert "cygno-data" in json.dumps(await admin.role_policy("naas-late-start", POLICY))
        await rgw.permit(row, [])
        await rgw.admit(row, [folder])
        rules = await admin.role_policy("naas-late-start", POLICY)
        assert rules
        assert "cygno-data" not in json.dumps(rules)
    finally:
        await sites.close()


@pytest.mark.asyncio
async def test_a_key_that_is_gone_already_is_as_good_as_deleted(ceph: CephStore) -> None:
    sites = Sites([ceph.url])
    admin = RgwAdmin(sites, Keys(*ceph.admin, "us-east-1"))
    await admin.create_user("keys", "keys")
    key = await admin.make_key("keys", "NAAS-MOMENT-1-a")
    for _ in range(2):
        await admin.delete_key("keys", key.access_key_id)
    assert admin.trouble == ""
    assert ((await admin.user("keys")) or {})["keys"] == []
    await sites.close()


def test_no_key_of_the_store_is_ever_logged(site: Gateway, ceph: CephStore) -> None:
    assert ceph.admin[1] not in site.log.read_text()
    assert "secret_key" not in site.log.read_text()


def test_a_long_lived_key_is_a_user_for_as_long_as_it_lives(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("keeper")
    person = site.client(hub.user_token(name))
    made = person.make_s3_key(NewS3Key(description="Backup", days=1))  # no server was ever started
    keys = {"AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key, "SessionToken": None}
    here, there = (s3_client(rgw.url, keys) for rgw in ceph.rgws)
    here.put_object(Bucket=name, Key="x", Body=b"1")
    assert there.get_object(Bucket=name, Key="x")["Body"].read() == b"1"
    uid = f"naas-{name}--{made.access_key_id.lower()}"
    assert ceph.radosgw_admin("user", "info", f"--uid={uid}")["display_name"] == f"naas key: {subject(site, name)}"
    assert person.revoke_s3_key(made.id).state == "ended"
    assert [refusal(lambda c=c: c.list_objects_v2(Bucket=name)) for c in (here, there)] == ["AccessDenied"] * 2
    assert uid not in ceph.radosgw_admin("user", "list")


def test_without_the_cap_for_policies_no_user_is_left(
    site: Gateway, hub: HubStandIn, ceph: CephStore, newcomer: Callable[[str], str]
) -> None:
    name = newcomer("capless")
    person = site.client(hub.user_token(name))
    person.s3_credentials()
    ceph.radosgw_admin("caps", "rm", "--uid=naas-admin", "--caps=user-policy=*")
    try:
        with pytest.raises(Unavailable) as caught:
            person.make_s3_key(NewS3Key(description="Backup", days=1))
        assert caught.value.code == "store-admin"
    finally:
        ceph.radosgw_admin("caps", "add", "--uid=naas-admin", "--caps=user-policy=*")
    assert person.s3_keys().items == []
    left = lambda: [uid for uid in ceph.radosgw_admin("user", "list") if uid.startswith(f"naas-{name}--")]  # noqa: E731
    wait_for(lambda: not left(), "the half made key's user is deleted", limit=100)
