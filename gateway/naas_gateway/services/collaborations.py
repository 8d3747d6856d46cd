"""What the shared servers of groups have in the store: their group's folders, on nobody's behalf. No member's token is used for them."""

from __future__ import annotations

import datetime as dt
import logging

from naas_client import collaborations
from naas_client.collaborations import Collaboration
from naas_client.errors import NaasError, NotFound
from naas_client.folders import GroupFolder
from naas_client.models import Folder, Me, S3Credentials, StoragePlan
from naas_client.names import MOST_FOLDERS
from naas_client.settings import SharedSettings

from naas_gateway.services.access import Access
from naas_gateway.services.audit import Audit
from naas_gateway.services.credentials import SHARE
from naas_gateway.services.provisioners import Provisioner
from naas_gateway.services.renewing import RenewingCache
from naas_gateway.services.shared import GroupFolders, Shared
from naas_gateway.services.storage import empty_plan, folder_of

log = logging.getLogger(__name__)

NO_FOLDER = "This group has no folder in the object store. The files of its shared server are in the server's home."


class SharedServers:
    """The section ``collaborations``, for the servers that ask."""

    def __init__(
        self, settings: SharedSettings, access: Access, provisioner: Provisioner, folders: GroupFolders, audit: Audit
    ) -> None:
        self._settings, self._access = settings, access
        self._provisioner, self._folders, self._audit = provisioner, folders, audit
        self._kept: RenewingCache[tuple[str, tuple[str, ...]], S3Credentials] = RenewingCache(SHARE)

    def find(self, name: str) -> Collaboration | None:
        """Whose shared server this hub user is; None: it is nobody's."""
        return collaborations.find(self._settings.collaborations, name)

    def me(self, one: Collaboration) -> Me:
        """A shared server as its panel sees it."""
        return Me(name=one.name, groups=[one.group], admin=False, capabilities=self._access.of_groups([one.group]))

    async def credentials(self, one: Collaboration) -> S3Credentials:
        """Credentials for the group's folders and nothing else. Raises NotFound where there are none, or Unavailable."""
        return await self._credentials(one, (await self._folders.of([one.group])).open)

    async def plan(self, one: Collaboration) -> StoragePlan:
        """What the server should mount, or why there is nothing."""
        try:
            return await self._plan(one, await self._folders.of([one.group]))
        except NaasError as error:
            log.warning("no storage for %s: %s", one.name, error.message)
            return empty_plan(self._settings.storage).model_copy(update={"degraded": error.message, "code": error.code})

    async def _plan(self, one: Collaboration, shared: Shared) -> StoragePlan:
        mounted = shared.open[:MOST_FOLDERS]
        given = await self._credentials(one, shared.open)
        troubles = await self._provisioner.reach(mounted, given)
        folders: list[Folder] = [folder_of(folder, troubles.get(folder.name, "")) for folder in mounted]
        folders += [folder_of(folder, why) for folder, why in shared.refused]
        return empty_plan(self._settings.storage).model_copy(update={"folders": folders})

    async def _credentials(self, one: Collaboration, shared: list[GroupFolder]) -> S3Credentials:
        if not shared:
            raise NotFound(NO_FOLDER, code="no-folders")
        key = one.name, tuple(folder.name for folder in shared)
        return await self._kept.get(key, lambda: self._lend(one, shared))

    async def _lend(self, one: Collaboration, shared: list[GroupFolder]) -> tuple[S3Credentials, dt.datetime]:
        given = await self._provisioner.lend(one, shared)
        await self._audit.record(
            one.name, "s3-credentials", one.name, "ok", expires_at=given.expires_at.isoformat(timespec="seconds")
        )
        return given, given.expires_at
