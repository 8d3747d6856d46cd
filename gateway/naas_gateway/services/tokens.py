"""Tokens for one audience, by token exchange: no refresh token is used up for them."""

from __future__ import annotations

import datetime as dt

from naas_client.errors import Forbidden, InvalidInput, Unavailable
from naas_client.models import AccessToken
from naas_client.settings import SharedSettings

from naas_gateway.clients.iam import Iam, Refused
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.tables import IdentityRow
from naas_gateway.metrics import EXCHANGES
from naas_gateway.services.audit import Audit
from naas_gateway.services.broker import Access, Broker
from naas_gateway.services.renewing import RenewingCache

SHARE = 2 / 3
"""Part of a token's life after which the next one is made."""


class AudienceTokens:
    """Tokens per person and audience, kept in memory while they are of use."""

    def __init__(self, settings: SharedSettings, broker: Broker, iam: Iam, audit: Audit) -> None:
        self._settings, self._broker, self._iam, self._audit = settings, broker, iam, audit
        self._kept: RenewingCache[tuple[int, str, str, int], AccessToken] = RenewingCache(SHARE)

    async def for_caller(self, row: IdentityRow, audience: str) -> AccessToken:
        """A token that a person asked for. Raises InvalidInput for an audience that the site does not allow."""
        if audience not in self._settings.gateway.allowed_audiences:
            allowed = ", ".join(self._settings.gateway.allowed_audiences) or "none"
            raise InvalidInput(f"audience: tokens are given for these audiences: {allowed}.", code="audience")
        return await self.get(row, audience)

    async def get(self, row: IdentityRow, audience: str, generation: int = 0) -> AccessToken:
        """A token of a person. Raises AccessEnded, Forbidden or Unavailable.

        Parameters: ``generation``, another number than before asks for a new token, with the claims of now.
        """
        access = await self._broker.access(row.id)
        key = row.id, access.serial, audience, generation
        return await self._kept.get(key, lambda: self._make(row, access, audience))

    async def _make(self, row: IdentityRow, access: Access, audience: str) -> tuple[AccessToken, dt.datetime]:
        try:
            token = await self._exchange(access, audience)
        except Refused:
            # Perhaps only this access token is not good any more: renewed or revoked in the meantime.
            access = await self._newer(row.id, access)
            try:
                token = await self._exchange(access, audience)
            except Refused as refused:
                await self._audit.record(row.name, "token", audience, "refused", error=refused.error)
                raise Forbidden(
                    f"{self._iam.title} gives no token for {audience} ({refused.error}). Sign out and in again, or ask support.",
                    code="token-refused",
                ) from None
        await self._audit.record(row.name, "token", audience)
        return token, token.expires_at

    async def _newer(self, user_id: int, access: Access) -> Access:
        current = await self._broker.access(user_id)
        return current if current.token != access.token else await self._broker.access(user_id, renew=True)

    async def _exchange(self, access: Access, audience: str) -> AccessToken:
        scope = " ".join(word for word in access.scope.split() if word != "offline_access")
        client, started = self._iam.client(access.client), utcnow()
        try:
            tokens = await self._iam.exchange(access.token, client, scope=scope, audience=audience)
        except (Refused, Unavailable) as error:
            EXCHANGES.labels("audience", "refused" if isinstance(error, Refused) else "failed").inc()
            raise
        EXCHANGES.labels("audience", "ok").inc()
        expires_at = started + seconds(tokens.expires_in)
        return AccessToken(access_token=tokens.access_token, audience=audience, expires_at=expires_at)
