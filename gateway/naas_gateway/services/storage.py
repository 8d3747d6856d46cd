"""What a server should mount, and the preparation of it. Expected trouble is a degraded plan, never an exception."""

from __future__ import annotations

import logging

from naas_client.errors import Forbidden, NaasError, NotFound, Unavailable
from naas_client.models import Folder, StoragePlan, Usage
from naas_client.settings import SharedSettings

from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.credentials import Credentials
from naas_gateway.services.provisioners import Provisioner

log = logging.getLogger(__name__)


class Storage:
    """Buckets and prefixes of people."""

    def __init__(self, settings: SharedSettings, credentials: Credentials, provisioner: Provisioner) -> None:
        self._settings, self._credentials, self._provisioner = settings.storage, credentials, provisioner

    async def plan(self, row: IdentityRow) -> StoragePlan:
        """What the person's server should mount, or why there is nothing; changes nothing."""
        try:
            await self._credentials.get(row)
        except NaasError as error:
            return self._degraded(error)
        return self._plan(row.name, scratch=bool(self._settings.scratch_bucket))

    async def prepare(self, row: IdentityRow) -> StoragePlan:
        """Make what is missing of the person's place in the store; the plan."""
        try:
            scratch = await self._prepare(row)
        except NaasError as error:
            log.warning("no storage for %s: %s", row.name, error.message)
            return self._degraded(error)
        return self._plan(row.name, scratch=scratch)

    async def usage(self, row: IdentityRow) -> Usage:
        """What the person's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        await self._credentials.require(row)
        found = await self._provisioner.usage(row)
        if found is None:
            raise NotFound(
                "This site's store does not tell how much you use. Count your objects.", code="usage-unknown"
            )
        return found

    async def _prepare(self, row: IdentityRow) -> bool:
        await self._credentials.require(row)
        trouble: Unavailable | None = None
        try:
            await self._provisioner.admit(row)
        except Unavailable as error:  # who was prepared before can go on
            trouble = error
        try:
            scratch = await self._provisioner.settle(row, await self._credentials.get(row))
        except Forbidden:
            if trouble is not None:
                raise trouble from None
            raise
        if trouble is not None:
            log.warning("storage of %s was not looked after: %s", row.name, trouble.message)
        return scratch

    def _plan(self, name: str, *, scratch: bool) -> StoragePlan:
        bucket = self._settings.scratch_bucket
        shared = [
            Folder(name="scratch", bucket=bucket, read_only=True),
            Folder(name=f"scratch-{name}", bucket=bucket, prefix=name),
        ]
        return self._empty_plan().model_copy(
            update={
                "folders": [Folder(name=name, bucket=name), *(shared if scratch else [])],
                "quota_bytes": self._settings.quota or None,
            }
        )

    def _degraded(self, error: NaasError) -> StoragePlan:
        return self._empty_plan().model_copy(update={"degraded": error.message, "code": error.code})

    def _empty_plan(self) -> StoragePlan:
        return StoragePlan(
            endpoint=self._settings.url,
            endpoints=self._settings.endpoints,
            public_endpoint=self._settings.public_url or self._settings.url,
            region=self._settings.region,
        )
