"""What a server should mount, and the preparation of it. Expected trouble is a degraded plan, never an exception."""

from __future__ import annotations

import logging

from naas_client.errors import Forbidden, NaasError, NotFound, Unavailable
from naas_client.folders import GroupFolder
from naas_client.models import Folder, S3Credentials, StoragePlan, Usage
from naas_client.names import MOST_FOLDERS
from naas_client.settings import SharedSettings, StorageSection

from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.credentials import Credentials
from naas_gateway.services.provisioners import Provisioner
from naas_gateway.services.shared import GroupFolders, Shared

log = logging.getLogger(__name__)

TOO_MANY = f"A server has at most {MOST_FOLDERS} folders, and your groups have more. Ask whoever runs this service."


class Storage:
    """Buckets and prefixes of people, and the folders of their groups."""

    def __init__(
        self, settings: SharedSettings, credentials: Credentials, provisioner: Provisioner, folders: GroupFolders
    ) -> None:
        self._settings, self._folders = settings.storage, folders
        self._credentials, self._provisioner = credentials, provisioner

    async def plan(self, row: IdentityRow) -> StoragePlan:
        """What the person's server should mount, or why there is nothing; changes nothing."""
        try:
            shared = await self._folders.of((await self._credentials.require(row)).groups)
            given = await self._credentials.get(row)
            return await self._plan(row, shared, given, scratch=bool(self._settings.scratch_bucket))
        except NaasError as error:
            return self._degraded(error)

    async def prepare(self, row: IdentityRow) -> StoragePlan:
        """Make what is missing of the person's place in the store; the plan."""
        try:
            return await self._prepare(row)
        except NaasError as error:
            log.warning("no storage for %s: %s", row.name, error.message)
            return self._degraded(error)

    async def usage(self, row: IdentityRow) -> Usage:
        """What the person's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        await self._credentials.require(row)
        found = await self._provisioner.usage(row)
        if found is None:
            raise NotFound(
                "This site's store does not tell how much you use. Count your objects.", code="usage-unknown"
            )
        return found

    async def _prepare(self, row: IdentityRow) -> StoragePlan:
        shared = await self._folders.of((await self._credentials.require(row)).groups)
        trouble: Unavailable | None = None
        try:
            await self._provisioner.admit(row, shared.open)
            await self._credentials.permit(row)
        except Unavailable as error:  # who was prepared before can go on
            trouble = error
        try:
            given = await self._credentials.get(row)
            scratch = await self._provisioner.settle(row, given)
        except Forbidden:
            if trouble is not None:
                raise trouble from None
            raise
        if trouble is not None:
            log.warning("storage of %s was not looked after: %s", row.name, trouble.message)
        return await self._plan(row, shared, given, scratch=scratch)

    async def _plan(self, row: IdentityRow, shared: Shared, given: S3Credentials, *, scratch: bool) -> StoragePlan:
        own = self._own(row.name, scratch=scratch)
        mounted = shared.open[: MOST_FOLDERS - len(own)]
        beyond = [(folder, TOO_MANY) for folder in shared.open[len(mounted) :]]
        troubles = await self._provisioner.reach(mounted, given)
        folders = [folder_of(one, troubles.get(one.name, "")) for one in mounted]
        folders += [folder_of(one, why) for one, why in (*beyond, *shared.refused) if one.name != row.name]
        return empty_plan(self._settings).model_copy(
            update={"folders": [*own, *folders], "quota_bytes": self._settings.quota or None}
        )

    def _own(self, name: str, *, scratch: bool) -> list[Folder]:
        bucket = self._settings.scratch_bucket
        common = [
            Folder(name="scratch", bucket=bucket, read_only=True),
            Folder(name=f"scratch-{name}", bucket=bucket, prefix=name),
        ]
        return [Folder(name=name, bucket=name), *(common if scratch else [])]

    def _degraded(self, error: NaasError) -> StoragePlan:
        passing = isinstance(error, Unavailable)
        told = {"degraded": error.message, "code": error.code, "passing": passing}
        return empty_plan(self._settings).model_copy(update=told)


def empty_plan(settings: StorageSection) -> StoragePlan:
    """Where the store is, and nothing to mount yet."""
    return StoragePlan(
        endpoint=settings.url,
        endpoints=settings.endpoints,
        public_endpoint=settings.public_url or settings.url,
        region=settings.region,
    )


def folder_of(shared: GroupFolder, trouble: str) -> Folder:
    """A group's folder in a plan. Parameters: ``trouble``, why it cannot be had, as a sentence, or empty."""
    return Folder(
        name=shared.name, bucket=shared.bucket, prefix=shared.prefix, read_only=shared.read_only, trouble=trouble
    )
