"""Bucket and prefix made with the person's own credentials: nothing but the store's rules decides.

For the embedded store, and for a store where one role serves everybody and the site's policies (OPA's, or bucket policies on
``oidc$<sub>``) keep people apart, as INFN Cloud runs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from naas_client.collaborations import Collaboration
from naas_client.errors import NotFound
from naas_client.folders import GroupFolder
from naas_client.models import S3Credentials, Usage
from naas_client.settings import StorageSection

from naas_gateway.clients.s3 import Store
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.provisioners.contract import BucketRefused, KeyWish, no_keys, refused

MISSING = "The bucket of this folder does not exist. Ask whoever runs this service."
CLOSED = "The object store does not open this folder to you. Ask whoever runs this service."

log = logging.getLogger(__name__)


class OwnCredentials:
    """Needs no key of the gateway's own."""

    trouble = ""

    def __init__(self, settings: StorageSection, store: Store, audit: Audit) -> None:
        self._settings, self._store, self._audit = settings, store, audit

    def role_arn(self, _row: IdentityRow) -> str:
        """The same role for everybody."""
        return self._settings.role_arn

    async def admit(self, _row: IdentityRow, _shared: Sequence[GroupFolder]) -> None:
        """Nothing: the role is the site's."""

    async def permit(self, _row: IdentityRow, _shared: Sequence[GroupFolder]) -> None:
        """Nothing: the store itself looks at the groups in the person's token, or the site's rules do."""

    async def settle(self, row: IdentityRow, credentials: S3Credentials) -> bool:
        """Make bucket and scratch prefix where they are missing."""
        await self._make_bucket(row.name, credentials)
        return await make_prefix(self._settings.scratch_bucket, row.name, credentials, self._store, self._audit)

    async def reach(self, shared: Sequence[GroupFolder], credentials: S3Credentials) -> Mapping[str, str]:
        """What the store says to a listing of each."""
        return await find_troubles(shared, credentials, self._store)

    async def usage(self, _row: IdentityRow) -> Usage | None:
        """S3 itself tells nobody."""
        return None

    async def lend(self, _to: Collaboration, _shared: Sequence[GroupFolder]) -> S3Credentials:
        """Not here."""
        raise NotFound(
            "With one role for everybody, nobody can open a group's folders for its shared server, so its files are in its home.",
            code="no-folders",
        )

    async def make_key(self, _row: IdentityRow, _wish: KeyWish) -> str:
        """Not here."""
        raise no_keys("with one role for everybody, nobody can make a key that opens one person's place only.")

    async def revoke_key(self, _row: IdentityRow, _access_key_id: str) -> None:
        """There is none."""

    async def _make_bucket(self, name: str, credentials: S3Credentials) -> None:
        status = await self._store.head_bucket(name, credentials)
        if status == 404:
            status = await self._store.create_bucket(name, credentials)
            if status == 409:  # made by another start in the meantime, or somebody else's: look who may use it
                status = await self._store.head_bucket(name, credentials)
            elif status < 300:
                await self._audit.record(name, "bucket.create", name)
        if status >= 300:
            raise self._refused(name, status)

    def _refused(self, name: str, status: int) -> BucketRefused:
        if self._settings.provisioner == "shared-role":
            return BucketRefused(
                f"The object store does not let you make or use the bucket {name} (status {status}). It is somebody else's, or "
                f"the site's rules for the role {self._settings.role_arn} leave it out. Ask support to open it for you."
            )
        return refused(name, status)


async def find_troubles(shared: Sequence[GroupFolder], credentials: S3Credentials, store: Store) -> Mapping[str, str]:
    """Which folders of groups cannot be listed with the person's own credentials, and why."""
    statuses = await asyncio.gather(*(store.list_one(one.bucket, one.below, credentials) for one in shared))
    refused = [(one, status) for one, status in zip(shared, statuses, strict=True) if status >= 300]
    for one, status in refused:
        log.warning("the folder %s cannot be listed: the store answered with status %d", one.name, status)
    return {one.name: MISSING if status == 404 else CLOSED for one, status in refused}


async def make_prefix(bucket: str, name: str, credentials: S3Credentials, store: Store, audit: Audit) -> bool:
    """A person's folder in scratch; whether there is one. Without it people still have their own bucket."""
    if not bucket:
        return False
    found = await store.head_marker(bucket, name, credentials)
    if found < 300:
        return True
    status = await store.put_marker(bucket, name, credentials)
    if status >= 300:
        log.warning("no scratch folder for %s: the store answered with status %d", name, status)
    elif found == 404:  # a 403 may hide a folder that is there, so nothing was surely made
        await audit.record(name, "prefix.create", f"{bucket}/{name}")
    return status < 300
