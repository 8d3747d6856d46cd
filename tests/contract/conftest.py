"""The stores that must keep people apart, each as a factory of clients for alice and bob."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from naas_client.collaborations import Collaboration
from naas_client.folders import GroupFolder
from naas_client.models import S3Credentials
from naas_client.settings import StorageSection
from naas_gateway.clients.rgw import RgwAdmin
from naas_gateway.clients.s3 import Keys, Store
from naas_gateway.clients.sites import Sites
from naas_gateway.db.engine import Database
from naas_gateway.db.migrate import migrate
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.provisioners.contract import KeyWish, Provisioner
from naas_gateway.services.provisioners.embedded import Embedded
from naas_gateway.services.provisioners.own import OwnCredentials
from naas_gateway.services.provisioners.policies import LISTS, OWN, READS, WRITES
from naas_gateway.services.provisioners.rgw import Rgw
from naas_local.ceph import CephStore
from naas_local.ceph.register import make_role
from naas_local.store import embedded_store
from s3_people import assume_role, own_client, s3_client
from token_issuer import SUBJECTS, TokenIssuer

DELETE_MANY = ("s3:DeleteObject",)
"""On a bucket itself: Ceph asks for it before it looks at the keys of a DeleteObjects one by one."""


@dataclass
class IsolatedStore:
    """What the contract needs of an implementation. The buckets ``alice``, ``bob`` and ``scratch`` exist, and those of `FOLDERS`."""

    url: str
    alice: Any
    bob: Any
    as_alice_named_bob: Any
    """A client with alice's token, whose session alice herself named ``bob``."""
    erin: Any
    """A client of somebody in no group but those of everybody with storage."""
    people_make_buckets: bool = True
    """Whether a person may make buckets of their own beside the first."""
    provisioner: Callable[[], AbstractAsyncContextManager[Provisioner]] | None = None
    issuer: str = ""
    made: int = field(default=0, init=False)

    def make_key(self, name: str, *, read_only: bool = False, seconds: float = 3600) -> tuple[str, Any]:
        """A long-lived key of a person, and a client that has nothing else. Parameters: ``seconds``, its life."""
        self.made += 1
        access_key = f"NAAS{self.made:016d}".translate(str.maketrans("0189", "ABCD"))
        wish = KeyWish(access_key, read_only, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))

        async def make(provisioner: Provisioner) -> str:
            return await provisioner.make_key(self._row(name), wish)

        keys = {"AccessKeyId": access_key, "SecretAccessKey": self._ask(make), "SessionToken": None}
        return access_key, s3_client(self.url, keys)

    def revoke_key(self, name: str, access_key: str) -> None:
        """End a key."""

        async def revoke(provisioner: Provisioner) -> None:
            await provisioner.revoke_key(self._row(name), access_key)

        self._ask(revoke)

    def lend(self, group: str, among: Sequence[GroupFolder] = ()) -> Any:
        """A client with what the shared server of a group gets. Parameters: ``among``, the site's folders now; default: `FOLDERS`."""
        to = Collaboration(group=group, profile="standard")
        folders = [folder for folder in among or FOLDERS if folder.is_open_to([group])]

        async def lend(provisioner: Provisioner) -> S3Credentials:
            return await provisioner.lend(to, folders)

        return own_client(self._ask(lend))

    def _row(self, name: str) -> IdentityRow:
        return IdentityRow(name=name, subject=SUBJECTS[name], issuer=self.issuer)

    def _ask(self, work: Callable[[Provisioner], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            assert self.provisioner is not None
            async with self.provisioner() as provisioner:
                return await work(provisioner)

        return asyncio.run(run())


FOLDERS = [
    GroupFolder(name="cygno", bucket="cygno-data", groups=["cygno"]),
    GroupFolder(name="cygno-look", bucket="cygno-data", groups=["guests"], read_only=True),
    GroupFolder(name="runs", bucket="many-runs", prefix="runs/2026", groups=["cygno"]),
    GroupFolder(name="runs-look", bucket="many-runs", prefix="runs/2026", groups=["guests"], read_only=True),
]
GROUPS = {"alice": ["users/s3", "cygno"], "bob": ["users/s3", "guests"], "erin": ["users/s3"]}
"""alice writes in the folders of her group, bob reads there, erin has nothing to do with them."""


def folders_of(name: str) -> list[GroupFolder]:
    return [folder for folder in FOLDERS if folder.is_open_to(GROUPS[name])]


def people(url: str, issuer: TokenIssuer, role_of: Callable[[str], str], **options: Any) -> IsolatedStore:
    """Clients of people whom STS knows already."""

    def client(user: str, session_name: str) -> Any:
        token = issuer.token(user, groups=GROUPS[user])
        return s3_client(url, assume_role(url, token, role_of(user), session_name))

    alice, bob, erin = (client(name, name) for name in GROUPS)
    return IsolatedStore(url, alice, bob, client("alice", "bob"), erin, issuer=f"{issuer.url}/", **options)


@contextmanager
def embedded(folder: Path, _ceph: Callable[[], CephStore]) -> Iterator[IsolatedStore]:
    with TokenIssuer().running() as issuer, embedded_store(folder, issuer.url, folders=FOLDERS) as store:
        settings = StorageSection(url=store.url, folders=FOLDERS)

        def make(sites: Sites, audit: Audit) -> Provisioner:
            return Embedded(settings, sites, audit, store.admin_key_file.read_text().strip())

        provisioner = partial(provisioned, folder, store.url, make)
        found = people(store.url, issuer, lambda _: store.role_arn, provisioner=provisioner)
        found.alice.create_bucket(Bucket="alice")
        found.bob.create_bucket(Bucket="bob")
        yield found


@contextmanager
def rgw(folder: Path, ceph: Callable[[], CephStore]) -> Iterator[IsolatedStore]:
    """A user, a bucket and a role per person, made by our own provisioner."""
    store = ceph()
    with TokenIssuer().running() as issuer:
        store.trust(f"{issuer.url}/")
        settings = StorageSection(url=store.url, provisioner="rgw", folders=FOLDERS)

        async def named() -> str:
            return f"{issuer.url}/"

        def make(sites: Sites, audit: Audit) -> Provisioner:
            return Rgw(settings, RgwAdmin(sites, Keys(*store.admin, settings.region)), Store(sites), audit, named)

        provisioner = partial(provisioned, folder, store.url, make)
        asyncio.run(_provision(provisioner, f"{issuer.url}/"))
        yield people(store.url, issuer, lambda user: f"arn:aws:iam:::role/naas-{user}", provisioner=provisioner)


@asynccontextmanager
async def provisioned(
    folder: Path, url: str, make: Callable[[Sites, Audit], Provisioner]
) -> AsyncIterator[Provisioner]:
    """A provisioner of our own with a database for its audit rows."""
    database, sites = Database(f"sqlite+aiosqlite:///{folder / 'gateway.sqlite'}"), Sites([url])
    await migrate(database)
    try:
        yield make(sites, Audit(database))
    finally:
        await sites.close()
        await database.close()


async def _provision(provisioner: Callable[[], AbstractAsyncContextManager[Provisioner]], issuer: str) -> None:
    async with provisioner() as rgw:
        for number, name in enumerate(GROUPS):
            now = dt.datetime.now(dt.UTC)
            row = IdentityRow(id=number, name=name, subject=SUBJECTS[name], issuer=issuer, claims_at=now)
            await rgw.admit(row, folders_of(name))
            await rgw.permit(row, folders_of(name))


@contextmanager
def shared_role(folder: Path, ceph: Callable[[], CephStore]) -> Iterator[IsolatedStore]:
    """One role that opens nothing, and the site's bucket policies on ``oidc$<sub>``, as INFN Cloud runs it."""
    store = ceph()
    with TokenIssuer().running() as issuer:
        provider = store.trust(f"{issuer.url}/")
        make_role(store.client("iam"), store.role_arn, provider, store.audience)
        site = store.client()
        for name in ("alice", "bob"):
            site.create_bucket(Bucket=name)
            set_rules(site, name, grant([name], OWN, name, f"{name}/*"))
        everybody = ["alice", "bob"]
        prefixes = [grant([name], WRITES, f"scratch/{name}/*") for name in everybody]
        shared = (grant(everybody, (*LISTS, *READS), "scratch", "scratch/*"), grant(everybody, DELETE_MANY, "scratch"))
        set_rules(site, "scratch", *shared, *prefixes)
        for bucket in dict.fromkeys(folder.bucket for folder in FOLDERS):
            site.create_bucket(Bucket=bucket)
            set_rules(
                site, bucket, *(rule for folder in FOLDERS if folder.bucket == bucket for rule in group_rules(folder))
            )
        settings = StorageSection(url=store.url, provisioner="shared-role", folders=FOLDERS)
        provisioner = partial(
            provisioned, folder, store.url, lambda sites, audit: OwnCredentials(settings, Store(sites), audit)
        )
        yield people(store.url, issuer, lambda _: store.role_arn, people_make_buckets=False, provisioner=provisioner)


def grant(names: list[str], actions: tuple[str, ...], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam:::user/oidc${SUBJECTS[name]}" for name in names]},
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{resource}" for resource in resources],
    }


def group_rules(folder: GroupFolder) -> list[dict[str, Any]]:
    """What a site would write for a group's folder, by hand."""
    names, keys = [name for name in GROUPS if folder in folders_of(name)], f"{folder.bucket}/{folder.below}*"
    listing = grant(names, ("s3:ListBucket",) if folder.prefix else LISTS, folder.bucket)
    if folder.prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{folder.below}*"}}
    rights = [listing, grant(names, READS if folder.read_only else (*READS, *WRITES), keys)]
    return rights if folder.read_only else [*rights, grant(names, DELETE_MANY, folder.bucket)]


def set_rules(site: Any, bucket: str, *statements: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    site.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document, separators=(",", ":")))
    site.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": False,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


Factory = Callable[[Path, Callable[[], CephStore]], AbstractContextManager[IsolatedStore]]
IMPLEMENTATIONS: dict[str, Factory] = {"embedded": embedded, "rgw": rgw, "shared-role": shared_role}


@pytest.fixture(scope="module", params=sorted(IMPLEMENTATIONS))
def isolated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IsolatedStore]:
    def ceph() -> CephStore:
        store: CephStore = request.getfixturevalue("ceph_cluster")
        store.clear()
        return store

    with IMPLEMENTATIONS[request.param](tmp_path_factory.mktemp(request.param), ceph) as store:
        for client, name in ((store.alice, "alice"), (store.bob, "bob")):
            client.put_object(Bucket=name, Key="private", Body=f"{name}'s own".encode())
            client.put_object(Bucket="scratch", Key=f"{name}/shared", Body=f"{name}'s for all".encode())
        store.alice.put_object(Bucket="cygno-data", Key="raw", Body=b"of the group")
        store.alice.put_object(Bucket="many-runs", Key="runs/2026/raw", Body=b"of the group")
        yield store
