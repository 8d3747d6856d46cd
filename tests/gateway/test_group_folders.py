"""Folders of groups: in the plan of members alone, opened and closed in the store with the group, and never somebody else's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import Conflict, Unavailable
from naas_client.files import write_private
from naas_client.folders import GroupFolder
from naas_client.models import Folder
from naas_client.names import MOST_FOLDERS, hub_name
from naas_gateway.services.provisioners.rgw import FOREIGN
from naas_gateway.services.shared import CLASHING
from naas_local.ceph import CephStore
from naas_local.iam import EmbeddedIam
from naas_local.store import embedded_store
from s3_people import own_client, refusal

pytestmark = pytest.mark.server

PLAIN = ["users/naas", "users/s3"]
MANY = [
    {"name": f"part-{number}", "bucket": "many-data", "prefix": f"part/{number}", "groups": ["everything"]}
    for number in range(MOST_FOLDERS)
]
FOLDERS: list[dict[str, Any]] = [
    {"name": "cygno", "bucket": "cygno-data", "groups": ["cygno", "friends"]},
    {"name": "runs", "bucket": "cygno-data", "prefix": "runs/2026", "groups": ["guests"], "read_only": True},
    {"name": "old-timer", "bucket": "old-timer-data", "groups": ["cygno"]},
    {"name": "taken", "bucket": "taken-data", "groups": ["takers"]},
    *MANY,
]
KEPT = [folder for folder in FOLDERS if folder["name"] != "old-timer"]


@dataclass
class Site:
    gateway: Gateway
    hub: HubStandIn
    kind: str
    ceph: CephStore | None = None

    def arrive(self, username: str, *groups: str) -> str:
        """Somebody who signs in for the first time; their hub name."""
        self.gateway.iam.add_user(username, [*PLAIN, *groups])
        self.gateway.sign_in(username)
        return hub_name(username, {name for folder in KEPT for name in (folder["name"], folder["bucket"])})

    def move(self, name: str, *groups: str) -> None:
        """Change somebody's groups, and have the gateway see it as it does after ``auth_refresh_age``."""
        self.gateway.iam.set_groups(name, [*PLAIN, *groups])
        self.gateway.hub.claims(name, 0)

    def folders(self, name: str) -> dict[str, Folder]:
        """What a start gives beside a person's own folders."""
        plan = self.gateway.hub.prepare_storage(name)
        assert plan.degraded == ""
        return {folder.name: folder for folder in plan.folders if folder.bucket not in (name, "scratch")}

    def client(self, name: str) -> Any:
        return own_client(self.gateway.client(self.hub.user_token(name)).s3_credentials())


def storage(ceph: CephStore, **more: Any) -> dict[str, Any]:
    return {
        "url": ceph.url,
        "provisioner": "rgw",
        "session_seconds": 900,
        "admin_access_key_file": str(ceph.config.access_key_file),
        "admin_secret_key_file": str(ceph.config.secret_key_file),
        "folders": FOLDERS,
        **more,
    }


@pytest.fixture(scope="module", params=["embedded", "rgw"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn
) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    sections: dict[str, Any] = {"gateway": {"hub_api_url": hub.url}}

    with contextlib.suppress(Conflict):  # of the other store's turn
        iam.add_user("old-timer", PLAIN)

    def before(store: dict[str, Any]) -> None:
        """The site gives the name `old-timer` to a folder after a person of that name has come."""
        with gateway_app(folder, iam, name="before", **sections, storage={**store, "folders": KEPT}) as gateway:
            gateway.sign_in("old-timer")
            assert gateway.hub.prepare_storage("old-timer").degraded == ""

    if request.param == "rgw":
        ceph: CephStore = request.getfixturevalue("ceph")
        ceph.trust(iam.issuer)
        before(storage(ceph))
        with gateway_app(folder, iam, **sections, storage=storage(ceph)) as gateway:
            hub.service_token = gateway.hub_token
            yield Site(gateway, hub, request.param, ceph)
        return
    data = tmp_path_factory.mktemp("store")
    with embedded_store(data, iam.issuer, folders=[GroupFolder.model_validate(row) for row in KEPT]) as store:
        before({"url": store.url})
    with embedded_store(data, iam.issuer, folders=[GroupFolder.model_validate(row) for row in FOLDERS]) as store:
        embedded = {"url": store.url, "session_seconds": 900, "folders": FOLDERS}
        with gateway_app(folder, iam, **sections, storage=embedded) as gateway:
            hub.service_token = gateway.hub_token
            yield Site(gateway, hub, request.param)


def new(site: Site, name: str) -> str:
    """A name that is new on each store, because both share the IAM."""
    return f"{name}-{site.kind}"


def test_members_have_the_folder_with_their_rights_and_others_do_not(site: Site) -> None:
    writer, reader, other = (new(site, name) for name in ("writer", "reader", "other"))
    for name, groups in ((writer, ["cygno"]), (reader, ["guests"]), (other, ["nobody-has-a-folder-for-this"])):
        site.arrive(name, *groups)
    assert site.folders(writer)["cygno"] == Folder(name="cygno", bucket="cygno-data")
    site.client(writer).put_object(Bucket="cygno-data", Key="runs/2026/x", Body=b"1")
    runs = Folder(name="runs", bucket="cygno-data", prefix="runs/2026", read_only=True)
    assert site.folders(reader) == {"runs": runs}
    assert site.gateway.client(site.hub.user_token(reader)).storage().folders[-1] == runs
    assert site.client(reader).get_object(Bucket="cygno-data", Key="runs/2026/x")["Body"].read() == b"1"
    assert site.folders(other) == {}
    for name in (reader, other):
        assert (
            refusal(lambda n=name: site.client(n).put_object(Bucket="cygno-data", Key="runs/2026/x", Body=b""))
            == "AccessDenied"
        )
    assert refusal(lambda: site.client(other).list_objects_v2(Bucket="cygno-data")) == "AccessDenied"


def test_who_leaves_and_comes_back_is_let_out_and_in_with_the_next_credentials(site: Site) -> None:
    name = site.arrive(new(site, "mover"), "friends")
    assert "cygno" in site.folders(name)
    for _ in range(2):
        before = site.client(name)
        before.put_object(Bucket="cygno-data", Key="mine", Body=b"1")
        site.move(name)
        assert refusal(lambda: site.client(name).get_object(Bucket="cygno-data", Key="mine")) == "AccessDenied"
        site.gateway.client(site.hub.user_token(name)).token("object")
        if site.kind == "rgw":  # rules are looked at in each request, so credentials of before are no way in either
            assert refusal(lambda b=before: b.get_object(Bucket="cygno-data", Key="mine")) == "AccessDenied"
        assert site.folders(name) == {}
        site.move(name, "cygno")
        assert site.client(name).get_object(Bucket="cygno-data", Key="mine")["Body"].read() == b"1"
    assert "cygno" in site.folders(name)


def test_a_name_that_is_a_persons_already_is_shared_with_nobody(site: Site) -> None:
    name = site.arrive(new(site, "newer"), "cygno")
    found = site.folders(name)["old-timer"]
    assert found.trouble == CLASHING
    assert refusal(lambda: site.client(name).list_objects_v2(Bucket="old-timer")) in ("AccessDenied", "NoSuchBucket")
    assert site.folders("old-timer") == {}


def test_a_new_person_never_gets_the_name_of_a_folder_or_its_bucket(site: Site) -> None:
    if site.kind == "rgw":
        pytest.skip("one IAM has each name once; the gateway's rule is the same")
    for username in ("cygno", "cygno-data"):
        name = site.arrive(username)
        assert name.startswith(f"{username}---")
        assert site.gateway.hub.prepare_storage(name).folders[0].bucket == name
        assert refusal(lambda n=name: site.client(n).list_objects_v2(Bucket="cygno-data")) == "AccessDenied"


def test_more_folders_than_a_server_can_have_are_said(site: Site) -> None:
    folders = site.folders(site.arrive(new(site, "hoarder"), "everything"))
    assert len(folders) == len(MANY)
    beyond = [folder for folder in folders.values() if folder.trouble]
    assert len(beyond) == 3  # a person has three folders of their own
    assert (
        beyond[0].trouble
        == f"A server has at most {MOST_FOLDERS} folders, and your groups have more. Ask whoever runs this service."
    )


class TestRgw:
    """What only Ceph's way has: buckets with owners, and an admin key."""

    @pytest.fixture
    def ceph(self, site: Site) -> CephStore:
        if site.ceph is None:
            pytest.skip("about buckets of RGW")
        return site.ceph

    def test_the_bucket_is_the_gateways_own_and_private(self, site: Site, ceph: CephStore) -> None:
        name = site.arrive("first-member", "cygno")
        site.folders(name)
        assert ceph.radosgw_admin("bucket", "stats", "--bucket=cygno-data")["owner"] == "naas-admin"
        site.client(name).put_object(Bucket="cygno-data", Key="open", Body=b"1", ACL="public-read")
        assert httpx.get(f"{ceph.url}/cygno-data/open").status_code == 403

    def test_somebody_elses_bucket_is_not_changed_and_given_to_nobody(self, site: Site, ceph: CephStore) -> None:
        ceph.radosgw_admin("user", "create", "--uid=other-project", "--display-name=other")
        ceph.client().create_bucket(Bucket="taken-data")
        ceph.client().put_object(Bucket="taken-data", Key="precious", Body=b"theirs")
        ceph.radosgw_admin("bucket", "link", "--bucket=taken-data", "--uid=other-project")
        name = site.arrive("taker", "takers", "cygno")
        folders = site.folders(name)
        assert folders["taken"].trouble == FOREIGN
        assert folders["cygno"].trouble == ""
        assert refusal(lambda: site.client(name).get_object(Bucket="taken-data", Key="precious")) == "AccessDenied"
        assert ceph.radosgw_admin("bucket", "stats", "--bucket=taken-data")["owner"] == "other-project"
        ceph.radosgw_admin("bucket", "link", "--bucket=taken-data", "--uid=naas-admin")
        assert site.folders(name)["taken"].trouble == ""

    def test_without_the_admin_key_nobody_keeps_what_they_may_have_lost(
        self, site: Site, ceph: CephStore, iam: EmbeddedIam, tmp_path: Path
    ) -> None:
        name = site.arrive("keyless-member", "cygno")
        site.folders(name)
        write_private(tmp_path / "secret", "wrong-secret-of-some-length")
        config = {
            "gateway": {"hub_api_url": site.hub.url},
            "storage": storage(ceph, admin_secret_key_file=str(tmp_path / "secret")),
        }
        with gateway_app(site.gateway.log.parent, iam, name="keyless", **config) as gateway:
            with pytest.raises(Unavailable, match="does not accept the gateway's own key"):
                gateway.client(site.hub.user_token(name)).s3_credentials()
            assert gateway.hub.prepare_storage(name).code == "store-admin"
