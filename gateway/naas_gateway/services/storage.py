"""What a server should mount, and the preparation of it. Expected trouble is a degraded plan, never an exception."""

from __future__ import annotations

import logging

from naas_client.errors import NaasError
from naas_client.models import Folder, S3Credentials, StoragePlan
from naas_client.settings import SharedSettings

from naas_gateway.clients.s3 import Store
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.credentials import Credentials

log = logging.getLogger(__name__)


class Storage:
    """Buckets and prefixes of people."""

    def __init__(self, settings: SharedSettings, credentials: Credentials, store: Store, audit: Audit) -> None:
        self._settings, self._credentials, self._store, self._audit = settings.storage, credentials, store, audit

    async def plan(self, row: IdentityRow) -> StoragePlan:
        """What the person's server should mount, or why there is nothing; changes nothing."""
        try:
            await self._credentials.get(row)
        except NaasError as error:
            return self._degraded(error)
        return self._plan(row.name, scratch=bool(self._settings.scratch_bucket))

    async def prepare(self, row: IdentityRow) -> StoragePlan:
        """Make bucket and scratch prefix where they are missing, with the person's own credentials; the plan."""
        try:
            credentials = await self._credentials.get(row)
            await self._make_bucket(row.name, credentials)
            scratch = await self._make_prefix(row.name, credentials)
        except NaasError as error:
            log.warning("no storage for %s: %s", row.name, error.message)
            return self._degraded(error)
        return self._plan(row.name, scratch=scratch)

    async def _make_bucket(self, name: str, credentials: S3Credentials) -> None:
        status = await self._store.head_bucket(name, credentials)
        if status == 404:
            status = await self._store.create_bucket(name, credentials)
            if status == 409:  # made by another start in the meantime, or somebody else's: look who may use it
                status = await self._store.head_bucket(name, credentials)
            elif status < 300:
                await self._audit.record(name, "bucket.create", name)
        if status >= 300:
            raise NaasError(
                f"The object store does not let you use the bucket {name} (status {status}). Ask support.",
                code="bucket-refused",
            )

    async def _make_prefix(self, name: str, credentials: S3Credentials) -> bool:
        """Whether there is scratch space; without it people still have their own bucket."""
        if not self._settings.scratch_bucket:
            return False
        bucket = self._settings.scratch_bucket
        found = await self._store.head_marker(bucket, name, credentials)
        if found < 300:
            return True
        status = await self._store.put_marker(bucket, name, credentials)
        if status >= 300:
            log.warning("no scratch folder for %s: the store answered with status %d", name, status)
        elif found == 404:  # a 403 may hide a folder that is there, so nothing was surely made
            await self._audit.record(name, "prefix.create", f"{bucket}/{name}")
        return status < 300

    def _plan(self, name: str, *, scratch: bool) -> StoragePlan:
        bucket = self._settings.scratch_bucket
        shared = [
            Folder(name="scratch", bucket=bucket, read_only=True),
            Folder(name=f"scratch-{name}", bucket=bucket, prefix=name),
        ]
        return StoragePlan(
            endpoint=self._settings.url,
            public_endpoint=self._settings.public_url or self._settings.url,
            region=self._settings.region,
            folders=[Folder(name=name, bucket=name), *(shared if scratch else [])],
            quota_bytes=self._settings.quota or None,
        )

    def _degraded(self, error: NaasError) -> StoragePlan:
        return StoragePlan(
            endpoint=self._settings.url,
            public_endpoint=self._settings.public_url or self._settings.url,
            region=self._settings.region,
            degraded=error.message,
            code=error.code,
        )
