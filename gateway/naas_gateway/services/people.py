"""Who people are: the identity map, and what IAM says about them now."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from naas_client.claims import claims_from, same_issuer
from naas_client.errors import AccessEnded, Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from naas_client.models import Claims, Identity, SignIn
from naas_client.names import hub_name
from naas_client.settings import SharedSettings
from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.iam import Iam, Refused, Tokens
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services import audit
from naas_gateway.services.broker import Broker
from naas_gateway.services.flights import Flights
from naas_gateway.services.grants import Grants

log = logging.getLogger(__name__)


class MalformedClaims(Forbidden):
    """IAM's claims cannot be understood, so nobody knows what the person may do."""

    default_code = "malformed-claims"


def read_claims(document: Mapping[str, object], issuer: str) -> Claims:
    """`claims_from` for what IAM says. Raises MalformedClaims, since the caller is not the one who sent it."""
    try:
        return claims_from(document, issuer)
    except InvalidInput as error:
        raise MalformedClaims(error.message) from None


class People:
    """Sign-ins, identities, claims."""

    def __init__(self, settings: SharedSettings, database: Database, grants: Grants, broker: Broker, iam: Iam) -> None:
        self._settings, self._database = settings, database
        self._grants, self._broker, self._iam = grants, broker, iam
        self._flights: Flights[int, Claims] = Flights()

    async def by_name(self, name: str) -> IdentityRow:
        """The identity behind a hub name. Raises NotFound."""
        return await self._one(IdentityRow.name == name)

    async def by_subject(self, subject: str) -> IdentityRow:
        """The identity of a subject of our IAM. Raises NotFound."""
        return await self._one((IdentityRow.subject == subject) & (IdentityRow.issuer == self._iam.issuer))

    async def taken(self, names: Collection[str]) -> set[str]:
        """Which of these names are people's."""
        if not names:
            return set()
        async with self._database.read() as session:
            return set(await session.scalars(select(IdentityRow.name).where(IdentityRow.name.in_(names))))

    async def _one(self, condition: Any) -> IdentityRow:
        async with self._database.read() as session:
            row = await session.scalar(select(IdentityRow).where(condition))
        if row is None:
            raise NotFound(
                "Nobody with this name has signed in here yet. Sign in on the hub first.", code="unknown-person"
            )
        return row

    async def sign_in(self, sign_in: SignIn) -> Identity:
        """Fix the identity and take over the grant, both or neither.

        Raises InvalidInput for a foreign issuer or unusable claims, Conflict when the name is another subject's.
        """
        claims = self._normalised(sign_in.claims)
        refresh = sign_in.refresh_token
        tokens = Tokens(
            access_token=sign_in.access_token.get_secret_value(),
            refresh_token=refresh.get_secret_value() if refresh else None,
            expires_in=sign_in.expires_in,
            scope=sign_in.scope or " ".join(self._settings.iam.scopes),
            client="first",
        )
        try:
            row = await self._adopt(claims, tokens)
        except IntegrityError:  # somebody took the name, or the same person signed in, in the same moment: look again
            row = await self._adopt(claims, tokens)
        self._broker.wake.set()
        self._broker.wake_revoking.set()
        return _identity(row)

    def _normalised(self, claims: Claims) -> Claims:
        if not same_issuer(claims.issuer, self._iam.issuer):
            raise InvalidInput("claims.issuer: not the IAM of this site. Check iam.issuer of hub and gateway.")
        document = claims.model_dump(include={"preferred_username", "name", "email", "email_verified", "groups"})
        return claims_from({"sub": claims.subject, **document}, self._iam.issuer)

    async def _adopt(self, claims: Claims, tokens: Tokens) -> IdentityRow:
        async with self._database.write() as session:
            row = await self._fix_identity(session, claims)
            row.claims, row.claims_at = claims.model_dump(mode="json"), utcnow()
            await self._grants.adopt(session, row.id, tokens)
            audit.add(session, row.name, "sign-in", row.name)
        return row

    async def _fix_identity(self, session: AsyncSession, claims: Claims) -> IdentityRow:
        """The identity of a subject, made at its first sign-in; a rename in IAM changes nothing."""
        name = hub_name(claims.preferred_username or claims.subject, self._settings.storage.kept_names)
        own = (IdentityRow.issuer == claims.issuer) & (IdentityRow.subject == claims.subject)
        rows = (await session.scalars(select(IdentityRow).where(or_(own, IdentityRow.name == name)))).all()
        for row in rows:
            if (row.issuer, row.subject) == (claims.issuer, claims.subject):
                return row
        if rows:
            contact = self._settings.site.contact or "the operators of this service"
            raise Conflict(
                f"The name {name} belongs to another account here. Sign in with that account, or write to {contact}.",
                code="name-taken",
            )
        row = IdentityRow(
            issuer=claims.issuer,
            subject=claims.subject,
            name=name,
            preferred_username=claims.preferred_username,
            claims={},
            claims_at=utcnow(),
            created_at=utcnow(),
        )
        session.add(row)
        await session.flush()
        return row

    async def claims(self, row: IdentityRow, max_age: float) -> Claims:
        """Claims at most ``max_age`` seconds old; older ones while IAM does not answer.

        Raises AccessEnded when the grant is over, MalformedClaims when IAM's answer cannot be understood.
        """
        await self._grants.active(row.id)
        if row.claims_at > utcnow() - seconds(max_age):
            return Claims.model_validate(row.claims)
        try:
            return await self.fresh_claims(row)
        except Unavailable as error:
            log.warning(
                "claims of %s are of %s: %s", row.name, row.claims_at.isoformat(timespec="seconds"), error.message
            )
            return Claims.model_validate(row.claims)

    async def fresh_claims(self, row: IdentityRow) -> Claims:
        """Claims as IAM gives them now. Raises AccessEnded, MalformedClaims or Unavailable."""
        return await self._flights.run(row.id, lambda: self._fetch(row))

    async def _fetch(self, row: IdentityRow) -> Claims:
        info = await self._userinfo(row)
        if info.get("sub") != row.subject:  # OpenID Connect Core §5.3.2
            raise MalformedClaims("IAM's answer is about somebody else. Sign out and in again.")
        claims = read_claims(info, row.issuer)
        if not claims.preferred_username:
            claims = claims.model_copy(update={"preferred_username": row.preferred_username})
        values = {"claims": claims.model_dump(mode="json"), "claims_at": claims.fetched_at}
        async with self._database.write() as session:
            await session.execute(update(IdentityRow).where(IdentityRow.id == row.id).values(**values))
        return claims

    async def _userinfo(self, row: IdentityRow) -> dict[str, Any]:
        access = await self._broker.access(row.id)
        try:
            return await self._iam.userinfo(access.token)
        except Refused:
            access = await self._broker.access(row.id, renew=True)  # perhaps only this token was revoked
        try:
            return await self._iam.userinfo(access.token)
        except Refused:
            await self._broker.end(row.id, access.serial)
            raise AccessEnded("IAM does not accept your sign-in any more. Sign in again.") from None


def _identity(row: IdentityRow) -> Identity:
    return Identity(name=row.name, issuer=row.issuer, subject=row.subject, preferred_username=row.preferred_username)
