"""S3 credentials, storage plans and their preparation, with the real IAM and store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import Forbidden, Unavailable
from naas_client.models import S3Credentials
from naas_local.iam import EmbeddedIam
from naas_local.store import EmbeddedStore, embedded_store

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam) -> Iterator[EmbeddedStore]:
    with embedded_store(tmp_path_factory.mktemp("store"), iam.issuer) as running:
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn, store: EmbeddedStore
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    sections = {"gateway": {"hub_api_url": hub.url}, "storage": {"url": store.url, "session_seconds": 900}}
    with gateway_app(folder, iam, **sections) as gateway:
        for name in ("alice", "bob", "erin"):
            gateway.sign_in(name)
        yield gateway


def s3(credentials: S3Credentials) -> object:
    return boto3.client(
        "s3",
        endpoint_url=credentials.endpoint,
        region_name=credentials.region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1, "mode": "standard"}),
    )


def test_preparing_makes_bucket_and_prefix_and_says_what_to_mount(
    site: Gateway, hub: HubStandIn, store: EmbeddedStore
) -> None:
    for _ in range(2):  # again changes nothing
        plan = site.hub.prepare_storage("alice")
        assert (plan.degraded, plan.endpoint) == ("", store.url)
        assert [(f.name, f.bucket, f.prefix, f.read_only) for f in plan.folders] == [
            ("alice", "alice", "", False),
            ("scratch", "scratch", "", True),
            ("scratch-alice", "scratch", "alice", False),
        ]
        assert (store.buckets / "alice").is_dir()
        assert (store.buckets / "scratch" / "alice").is_dir()
    assert site.client(hub.user_token("alice")).storage() == plan


def test_what_preparing_really_made_is_audited_once(site: Gateway, hub: HubStandIn, store: EmbeddedStore) -> None:
    admin = site.client(hub.user_token("dana", "custom:naas:admin"))

    def made() -> list[tuple[str, str, str]]:
        pages = (admin.audit(actor="frank", action=action) for action in ("bucket.create", "prefix.create"))
        return [(row.action, row.object, row.result) for page in pages for row in page.items]

    site.iam.add_user("frank", ["users/naas"])
    site.sign_in("frank")
    assert site.hub.prepare_storage("frank").code == "no-capability"
    assert made() == []
    site.iam.set_groups("frank", ["users/naas", "users/s3"])
    site.hub.claims("frank", 0)
    for _ in range(2):
        assert site.hub.prepare_storage("frank").degraded == ""
        assert made() == [("bucket.create", "frank", "ok"), ("prefix.create", "scratch/frank", "ok")]
    (store.buckets / "scratch" / "frank").rmdir()
    site.hub.prepare_storage("frank")
    assert [row[0] for row in made()] == ["bucket.create", "prefix.create", "prefix.create"]


def test_the_credentials_are_the_persons_own(site: Gateway, hub: HubStandIn) -> None:
    site.hub.prepare_storage("alice")
    site.hub.prepare_storage("bob")
    alice, bob = (s3(site.client(hub.user_token(name)).s3_credentials()) for name in ("alice", "bob"))
    alice.put_object(Bucket="alice", Key="x", Body=b"mine")  # type: ignore[attr-defined]
    assert alice.get_object(Bucket="alice", Key="x")["Body"].read() == b"mine"  # type: ignore[attr-defined]
    with pytest.raises(ClientError, match="AccessDenied"):
        bob.get_object(Bucket="alice", Key="x")  # type: ignore[attr-defined]


def test_they_are_kept_until_half_of_their_life_and_audited_without_secrets(site: Gateway, hub: HubStandIn) -> None:
    client = site.client(hub.user_token("bob"))
    given = client.s3_credentials()
    assert client.s3_credentials() == given
    rows = site.client(hub.user_token("dana", "custom:naas:admin")).audit(actor="bob", action="s3-credentials").items
    assert len(rows) == 1
    text = rows[0].model_dump_json() + site.log.read_text()
    for secret in (given.secret_access_key, given.session_token):
        assert secret not in text


def test_without_the_group_the_plan_and_the_refusal_say_whom_to_ask(site: Gateway, hub: HubStandIn) -> None:
    plan = site.hub.prepare_storage("erin")
    assert (plan.folders, plan.code) == ([], "no-capability")
    assert plan.degraded.startswith("Cloud storage opens to members of users/s3. Ask to join users/s3 at http")
    with pytest.raises(Forbidden, match="Cloud storage opens"):
        site.client(hub.user_token("erin")).s3_credentials()


def test_the_storage_group_is_looked_at_again(site: Gateway, iam: EmbeddedIam) -> None:
    iam.set_groups("erin", ["users/naas", "users/s3"])
    site.hub.claims("erin", 0)
    assert site.hub.prepare_storage("erin").degraded == ""
    iam.set_groups("erin", ["users/naas"])
    site.hub.claims("erin", 0)
    assert site.hub.prepare_storage("erin").code == "no-capability"


def test_the_store_is_healthy(site: Gateway) -> None:
    assert {part.name: part.state for part in site.hub.health().parts}["store"] == "ok"


def test_a_store_that_is_down_degrades_the_plan_and_keeps_good_credentials(
    tmp_path: Path, iam: EmbeddedIam, hub: HubStandIn
) -> None:
    with embedded_store(tmp_path, iam.issuer) as store:
        sections = {"gateway": {"hub_api_url": hub.url}, "storage": {"url": store.url}}
        with gateway_app(tmp_path / "gateway", iam, **sections) as gateway:
            for name in ("alice", "bob"):
                gateway.sign_in(name)
            alice, bob = (gateway.client(hub.user_token(name)) for name in ("alice", "bob"))
            given = alice.s3_credentials()
            store.stop()
            assert alice.s3_credentials() == given
            with pytest.raises(Unavailable, match="The object store does not answer"):
                bob.s3_credentials()
            plan = gateway.hub.prepare_storage("bob")
            assert (plan.code, plan.folders) == ("store-down", [])
            assert plan.degraded


def test_the_wlcg_profile_gets_credentials_too(site: Gateway, hub: HubStandIn) -> None:
    site.sign_in("alice", scope="openid profile email offline_access wlcg wlcg.groups")
    assert site.client(hub.user_token("alice")).s3_credentials().access_key_id
