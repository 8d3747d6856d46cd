"""A cluster for the length of a `with` block: what the tests of every room use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from naas_local.ceph.part import GIB, CephConfig, prepare
from naas_local.ceph.programs import ceph, radosgw_admin
from naas_local.ceph.register import ADMINISTRATOR, client, trust
from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port

TEST_SIZE = 4 * GIB


class CephStore:
    """A running cluster: S3, STS, IAM and RGW's Admin Ops (`/admin`) are all at ``url``.

    ``mon``, ``osd`` and ``rgws`` (one or two gateways over the same objects, like two sites) are its daemons; ``rgw`` is the first.
    """

    def __init__(self, config: CephConfig, specs: list[PartSpec], logs: Path) -> None:
        self.config, self.data = config, config.folder
        self.mon, self.osd, *self.rgws = (RestartablePart(spec, logs / f"{spec.name}.log") for spec in specs)
        self.rgw = self.rgws[0]
        self.url = self.rgw.url
        self.audience, self.role_arn, self.scratch_bucket = config.audience, config.role_arn, config.scratch_bucket

    @property
    def admin(self) -> tuple[str, str]:
        """Access and secret key of the administrator."""
        return self.config.admin_keys

    def client(self, service: str = "s3") -> Any:
        """A boto3 client of the administrator: ``s3`` or ``iam``."""
        return client(service, self.url, self.admin, self.config.region)

    def radosgw_admin(self, *words: str) -> Any:
        """The answer of `radosgw-admin`, as JSON."""
        return radosgw_admin(self.config.conf, *words)

    def ceph(self, *words: str) -> Any:
        """The answer of `ceph`, as JSON."""
        return ceph(self.config.conf, *words)

    def trust(self, issuer: str, audience: str | None = None) -> str:
        """Accept the tokens of one more issuer (its keys need `x5c`); the ARN of the provider, for trust policies."""
        return trust(self.client("iam"), issuer, audience or self.audience)

    def clear(self) -> None:
        """Delete all people, their buckets with everything in them, roles and trusted issuers; the scratch bucket is emptied."""
        for bucket in self.radosgw_admin("bucket", "list"):
            self.radosgw_admin("bucket", "rm", f"--bucket={bucket}", "--purge-objects", "--bypass-gc")
        for user in self.radosgw_admin("user", "list"):
            if user != ADMINISTRATOR:
                self.radosgw_admin("user", "rm", f"--uid={user}", "--purge-data")
        iam = self.client("iam")
        with _none_yet():
            for role in iam.list_roles()["Roles"]:
                for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                    iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=name)
                iam.delete_role(RoleName=role["RoleName"])
        with _none_yet():
            for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
                iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
        if self.scratch_bucket:
            self.client().create_bucket(Bucket=self.scratch_bucket)


@contextlib.contextmanager
def _none_yet() -> Iterator[None]:
    """RGW answers a list of what was never made with 404."""
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise


@contextlib.contextmanager
def ceph_store(
    folder: Path, issuer: str = "", *, rgws: int = 1, ports: list[int] | None = None, **options: Any
) -> Iterator[CephStore]:
    """Start a cluster that trusts ``issuer`` (empty: nobody yet, see `CephStore.trust`); it is ended for certain.

    Parameters: ``rgws``, gateways, 1 or 2; ``ports``, of the monitor and the gateways, free ones when None; ``options``, those of
    `prepare`; unless they say otherwise the objects are in memory, 4 GiB at most. Raises Unavailable without Ceph's programs, PartFailed
    when a daemon does not start.
    """
    mon_port, *rgw_ports = ports or [free_port() for _ in range(1 + rgws)]
    given: dict[str, Any] = {"objectstore": "memstore", "size": TEST_SIZE, **options}
    config, specs = prepare(folder / "ceph", mon_port, rgw_ports, issuer=issuer, **given)
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    store = CephStore(config, specs, logs)
    with contextlib.ExitStack() as running:
        for daemon in (store.mon, store.osd, *store.rgws):
            running.callback(daemon.stop)
            daemon.start()
        yield store
