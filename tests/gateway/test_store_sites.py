"""Two sites of one store: the gateway moves to the one that answers, says so, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import Unavailable
from naas_client.models import Part, S3Credentials
from naas_client.settings import StorageSection
from naas_gateway.clients import sites as sites_module
from naas_gateway.clients.sites import Sites
from naas_gateway.clients.sts import Sts
from naas_local.ceph import CephStore
from naas_local.iam import EmbeddedIam
from s3_people import own_client
from waiting import wait_for

pytestmark = pytest.mark.server

NOWHERE = "http://127.0.0.1:9"
LIMIT = 60


@pytest.fixture
def two_sites(ceph: CephStore) -> Iterator[CephStore]:
    """Both gateways run again when a test has ended."""
    yield ceph
    for gateway in ceph.rgws:
        gateway.stop()
        gateway.start()


@pytest.fixture
def site(tmp_path: Path, iam: EmbeddedIam, hub: HubStandIn, two_sites: CephStore) -> Iterator[Gateway]:
    two_sites.trust(iam.issuer)
    storage: dict[str, Any] = {
        "url": two_sites.rgws[0].url,
        "endpoints": [two_sites.rgws[1].url],
        "provisioner": "rgw",
        "session_seconds": 900,
        "admin_access_key_file": str(two_sites.config.access_key_file),
        "admin_secret_key_file": str(two_sites.config.secret_key_file),
    }
    with gateway_app(tmp_path, iam, gateway={"hub_api_url": hub.url}, storage=storage) as gateway:
        for name in ("alice", "bob"):
            gateway.sign_in(name)
        yield gateway


def store_part(gateway: Gateway, state: str) -> Part | None:
    """The store as `/health` shows it, if it is in this state; findings are kept for some seconds."""
    return next((part for part in gateway.hub.health().parts if part.name == "store" and part.state == state), None)


def test_the_next_site_takes_over_and_the_first_is_used_again(
    site: Gateway, hub: HubStandIn, two_sites: CephStore
) -> None:
    first, second = (gateway.url for gateway in two_sites.rgws)
    alice = site.client(hub.user_token("alice"))
    plan = site.hub.prepare_storage("alice")
    assert (plan.degraded, plan.endpoint, plan.endpoints) == ("", first, [second])
    assert alice.s3_credentials().endpoint == first

    two_sites.rgws[0].stop()
    assert site.hub.prepare_storage("bob").degraded == ""  # user, bucket, role and session, all at the second site
    given = site.client(hub.user_token("bob")).s3_credentials()
    assert given.endpoint == second
    own_client(given).put_object(Bucket="bob", Key="x", Body=b"1")
    assert alice.s3_credentials().endpoint == second
    store = wait_for(lambda: store_part(site, "degraded"), "health names the site that is down", LIMIT)
    assert store.detail == f"{first} does not answer; {second} is used."

    two_sites.rgws[0].start()
    wait_for(lambda: store_part(site, "ok"), "health is well again", LIMIT)
    assert alice.s3_credentials().endpoint == first


def test_without_any_site_people_keep_their_credentials_and_starts_say_why(
    site: Gateway, hub: HubStandIn, two_sites: CephStore
) -> None:
    assert site.hub.prepare_storage("alice").degraded == ""
    alice, bob = (site.client(hub.user_token(name)) for name in ("alice", "bob"))
    given = alice.s3_credentials()
    for gateway in two_sites.rgws:
        gateway.stop()
    kept: S3Credentials = alice.s3_credentials()
    assert (kept.access_key_id, kept.expires_at) == (given.access_key_id, given.expires_at)
    with pytest.raises(Unavailable, match="The object store does not answer"):
        bob.s3_credentials()
    plan = site.hub.prepare_storage("bob")
    assert (plan.code, plan.folders) == ("store-down", [])
    assert plan.degraded == "The object store does not answer. Try again in a minute."
    with pytest.raises(Unavailable):
        alice.storage_usage()
    wait_for(lambda: store_part(site, "down"), "health says that the store is down", LIMIT)
    for gateway in two_sites.rgws:
        gateway.start()
    wait_for(lambda: not site.hub.prepare_storage("bob").degraded, "bob's storage is prepared", LIMIT)
    assert bob.storage_usage().source == "store"


@pytest.mark.asyncio
async def test_a_site_that_did_not_answer_is_left_alone_for_a_while(
    ceph: CephStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    sites = Sites([NOWHERE, ceph.url])
    monkeypatch.setattr(sites_module, "monotonic", lambda: now[0])
    asked: list[str] = []

    def headers(url: str) -> dict[str, str]:
        asked.append(url)
        return {}

    for _ in range(2):
        assert (await sites.request("GET", "/", headers=headers)).status == 200
    assert asked == [f"{NOWHERE}/", f"{ceph.url}/", f"{ceph.url}/"]
    assert sites.url == ceph.url
    now[0] += sites_module.AVOIDED + 1
    await sites.request("GET", "/", headers=headers)
    assert asked[3:] == [f"{NOWHERE}/", f"{ceph.url}/"]
    await sites.close()


@pytest.mark.asyncio
async def test_a_token_service_of_its_own_is_not_confused_with_the_sites(ceph: CephStore) -> None:
    sts = Sts(StorageSection(url=ceph.url, sts_url=NOWHERE))
    with pytest.raises(Unavailable):
        await sts.assume("token", "alice", "arn:aws:iam:::role/one")
    with pytest.raises(Unavailable):
        await sts.check()
    assert sts.sites.trouble == ""
    assert (await sts.sites.request("GET", "/")).status == 200
    await sts.close()
