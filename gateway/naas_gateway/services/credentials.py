"""S3 credentials on a person's behalf."""

from __future__ import annotations

import datetime as dt

from naas_client.errors import Forbidden
from naas_client.models import S3Credentials
from naas_client.settings import SharedSettings

from naas_gateway.clients.sts import Sts
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.access import Access
from naas_gateway.services.audit import Audit
from naas_gateway.services.broker import Broker
from naas_gateway.services.people import People
from naas_gateway.services.provisioners import Provisioner
from naas_gateway.services.renewing import RenewingCache
from naas_gateway.services.tokens import AudienceTokens

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
        audit: Audit,
    ) -> None:
        self._settings, self._people, self._access = settings, people, access
        self._broker, self._tokens, self._sts, self._audit = broker, tokens, sts, audit
        self._provisioner = provisioner
        self._kept: RenewingCache[tuple[int, str], S3Credentials] = RenewingCache(SHARE)

    async def require(self, row: IdentityRow) -> None:
        """Raise Forbidden (with the groups that would help) or AccessEnded for somebody without cloud storage."""
        claims = await self._people.claims(row, self._settings.iam.auth_refresh_age)
        allowed = self._access.capability(CAPABILITY, claims)
        if not allowed.allowed:
            await self._audit.record(row.name, "s3-credentials", row.name, "no-capability")
            raise Forbidden(allowed.reason, code="no-capability")

    async def get(self, row: IdentityRow) -> S3Credentials:
        """Credentials of a person. Raises Forbidden, AccessEnded or Unavailable."""
        await self.require(row)
        serial = (await self._broker.access(row.id)).serial
        found = await self._kept.get((row.id, serial), lambda: self._assume(row))
        return found.model_copy(update={"endpoint": self._sts.sites.url})

    async def _assume(self, row: IdentityRow) -> tuple[S3Credentials, dt.datetime]:
        token = await self._tokens.get(row, self._settings.storage.audience)
        try:
            credentials = await self._ask(row, token.access_token)
        except Forbidden as refused:
            await self._audit.record(row.name, "s3-credentials", row.name, refused.code)
            raise
        await self._audit.record(
            row.name, "s3-credentials", row.name, "ok", expires_at=credentials.expires_at.isoformat(timespec="seconds")
        )
        return credentials, credentials.expires_at

    async def _ask(self, row: IdentityRow, token: str) -> S3Credentials:
        """A person's role may be missing when no server of theirs was ever started here."""
        role = self._provisioner.role_arn(row)
        try:
            return await self._sts.assume(token, row.name, role)
        except Forbidden:
            await self._provisioner.admit(row)
        return await self._sts.assume(token, row.name, role)
