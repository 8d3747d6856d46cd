"""S3 credentials on a person's behalf."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Sequence
from weakref import WeakValueDictionary

from naas_client.errors import Forbidden, Unavailable
from naas_client.folders import GroupFolder
from naas_client.models import AccessToken, Claims, S3Credentials
from naas_client.settings import SharedSettings

from naas_gateway.clients.sts import Sts
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.access import Access
from naas_gateway.services.audit import Audit
from naas_gateway.services.broker import Broker
from naas_gateway.services.people import People
from naas_gateway.services.provisioners import Provisioner
from naas_gateway.services.renewing import RenewingCache
from naas_gateway.services.shared import GroupFolders
from naas_gateway.services.tokens import AudienceTokens

log = logging.getLogger(__name__)

SHARE = 0.5
"""Part of the credentials' life after which new ones are made: an agent always gets at least half of it."""

CAPABILITY = "storage"


class Credentials:
    """Temporary credentials, kept in memory per person while they are of use."""

    def __init__(
        self,
        settings: SharedSettings,
        people: People,
        access: Access,
        broker: Broker,
        tokens: AudienceTokens,
        sts: Sts,
        provisioner: Provisioner,
        folders: GroupFolders,
        audit: Audit,
    ) -> None:
        self._settings, self._people, self._access = settings, people, access
        self._broker, self._tokens, self._sts, self._audit = broker, tokens, sts, audit
        self._provisioner, self._folders = provisioner, folders
        self._kept: RenewingCache[tuple[int, str, int], S3Credentials] = RenewingCache(SHARE)
        self._permitting: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._generations: dict[int, tuple[list[str], int]] = {}

    async def require(self, row: IdentityRow) -> Claims:
        """The person's claims. Raises Forbidden (with the groups that would help) or AccessEnded without cloud storage."""
        claims = await self._people.claims(row, self._settings.iam.auth_refresh_age)
        allowed = self._access.capability(CAPABILITY, claims)
        if not allowed.allowed:
            await self._audit.record(row.name, "s3-credentials", row.name, "no-capability")
            raise Forbidden(allowed.reason, code="no-capability")
        return claims

    async def get(self, row: IdentityRow) -> S3Credentials:
        """Credentials of a person. Raises Forbidden, AccessEnded or Unavailable."""
        shared = (await self._folders.of((await self.require(row)).groups)).open
        serial = (await self._broker.access(row.id)).serial
        generation = self._generation(row.id, [folder.name for folder in shared])
        found = await self._kept.get((row.id, serial, generation), lambda: self._assume(row, shared, generation))
        return found.model_copy(update={"endpoint": self._sts.sites.url})

    async def token(self, row: IdentityRow, audience: str) -> AccessToken:
        """A token that a person asked for; before one for the store, their rights there are brought up to date.

        Raises InvalidInput for an audience that the site does not allow; Unavailable as `permit` does.
        """
        if audience == self._settings.storage.audience and self._settings.storage.folders:
            await self._people.claims(row, self._settings.iam.auth_refresh_age)
            await self.permit(row)
        return await self._tokens.for_caller(row, audience)

    async def permit(self, row: IdentityRow) -> None:
        """Bring the person's rights in the store up to their groups as last heard of IAM; nobody else writes rights.

        The groups are read when it is this call's turn, and again afterwards: another gateway may have learnt of newer ones, and have
        written them before this one wrote. Raises Unavailable.
        """
        async with self._permitting.setdefault(row.id, asyncio.Lock()):
            done, wanted = None, await self._open_now(row)
            while done != wanted:
                await self._provisioner.permit(row, wanted)
                done, wanted = wanted, await self._open_now(row)

    async def _open_now(self, row: IdentityRow) -> list[GroupFolder]:
        newest = await self._people.by_name(row.name)  # ``row`` is of the begin of a request
        return (await self._folders.of(Claims.model_validate(newest.claims).groups)).open

    def _generation(self, person: int, folders: list[str]) -> int:
        """Grows whenever a person gained or lost a folder of a group: then the store is told at once, with new credentials."""
        known, number = self._generations.get(person, (folders, 0))
        number += known != folders
        self._generations[person] = folders, number
        return number

    async def _assume(
        self, row: IdentityRow, shared: Sequence[GroupFolder], generation: int
    ) -> tuple[S3Credentials, dt.datetime]:
        token = await self._tokens.get(row, self._settings.storage.audience, generation)
        try:
            credentials = await self._ask(row, token.access_token, shared)
        except Forbidden as refused:
            await self._audit.record(row.name, "s3-credentials", row.name, refused.code)
            raise
        await self._audit.record(
            row.name, "s3-credentials", row.name, "ok", expires_at=credentials.expires_at.isoformat(timespec="seconds")
        )
        return credentials, credentials.expires_at

    async def _ask(self, row: IdentityRow, token: str, shared: Sequence[GroupFolder]) -> S3Credentials:
        """A person's role may be missing when no server of theirs was ever started here."""
        role = self._provisioner.role_arn(row)
        try:
            await self.permit(row)
        except Unavailable as error:  # only a folder of a group is ever lost
            if self._settings.storage.folders:
                raise
            log.warning("the rights of %s were not looked at: %s", row.name, error.message)
        try:
            return await self._sts.assume(token, row.name, role)
        except Forbidden:
            await self._provisioner.admit(row, shared)
        await self.permit(row)
        return await self._sts.assume(token, row.name, role)
