"""The provisioner `shared-role` on a real Ceph: one role for all, bucket policies of the site, no key of the gateway's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import NotFound
from naas_gateway.services.provisioners.policies import LISTS, OWN, READS, WRITES
from naas_local.ceph import CephStore
from naas_local.ceph.register import make_role
from naas_local.iam import EmbeddedIam
from s3_people import own_client

pytestmark = pytest.mark.server

ROLE = "arn:aws:iam:::role/IAMaccess"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn, ceph: CephStore
) -> Iterator[Gateway]:
    make_role(ceph.client("iam"), ROLE, ceph.trust(iam.issuer), ceph.audience)
    storage = {"url": ceph.url, "provisioner": "shared-role", "role_arn": ROLE, "session_seconds": 900}
    folder = tmp_path_factory.mktemp("gateway")
    with gateway_app(folder, iam, gateway={"hub_api_url": hub.url}, storage=storage) as gateway:
        for name in ("alice", "bob"):
            gateway.sign_in(name)
        yield gateway


def compact(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def let_in(ceph: CephStore, subject: str, bucket: str, *grants: tuple[tuple[str, ...], str]) -> None:
    """What a site does: a bucket of its own, opened to one subject."""
    principal = {"AWS": [f"arn:aws:iam:::user/oidc${subject}"]}
    rules = [
        {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": [f"arn:aws:s3:::{where}"]}
        for actions, where in grants
    ]
    ceph.client().create_bucket(Bucket=bucket)
    ceph.client().put_bucket_policy(Bucket=bucket, Policy=compact(*rules))


def test_a_bucket_that_the_site_opened_is_used_and_the_prefix_made(
    site: Gateway, hub: HubStandIn, ceph: CephStore
) -> None:
    subject = site.hub.claims("alice", 3600).subject
    let_in(ceph, subject, "alice", (OWN, "alice"), (OWN, "alice/*"))
    shared = (((*LISTS, *READS), "scratch"), (READS, "scratch/*"), (WRITES, "scratch/alice/*"))
    let_in(ceph, subject, "scratch", *shared)
    plan = site.hub.prepare_storage("alice")
    assert (plan.degraded, [folder.name for folder in plan.folders]) == ("", ["alice", "scratch", "scratch-alice"])
    person = site.client(hub.user_token("alice"))
    own_client(person.s3_credentials()).put_object(Bucket="alice", Key="x", Body=b"1")
    keys = [item["Key"] for item in ceph.client().list_objects_v2(Bucket="scratch")["Contents"]]
    assert keys == ["alice/"]
    with pytest.raises(NotFound, match="does not tell how much you use") as unknown:
        person.storage_usage()
    assert unknown.value.code == "usage-unknown"


def test_a_refusal_says_whose_rules_it_is_and_whom_to_ask(site: Gateway, ceph: CephStore) -> None:
    plan = site.hub.prepare_storage("bob")
    assert (plan.code, plan.folders) == ("bucket-refused", [])
    assert plan.degraded == (
        "The object store does not let you make or use the bucket bob (status 403). It is somebody else's, or the site's rules for "
        f"the role {ROLE} leave it out. Ask support to open it for you."
    )
    assert "bob" not in ceph.radosgw_admin("bucket", "list")


def test_where_the_role_may_make_buckets_the_person_makes_theirs(
    site: Gateway, hub: HubStandIn, ceph: CephStore
) -> None:
    """As with OPA, which decides per request: here the role itself allows one new bucket."""
    allowed = {"Effect": "Allow", "Action": [*OWN, "s3:CreateBucket"], "Resource": "arn:aws:s3:::bob*"}
    ceph.client("iam").put_role_policy(RoleName="IAMaccess", PolicyName="bob", PolicyDocument=compact(allowed))
    plan = site.hub.prepare_storage("bob")
    assert (plan.degraded, plan.folders[0].bucket) == ("", "bob")
    owner = ceph.radosgw_admin("bucket", "stats", "--bucket=bob")["owner"]
    assert owner == f"$oidc${site.hub.claims('bob', 3600).subject}"
    own_client(site.client(hub.user_token("bob")).s3_credentials()).put_object(Bucket="bob", Key="x", Body=b"1")
