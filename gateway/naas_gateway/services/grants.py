"""The rows of a person's grant, and the few changes there are. The rules of their order are in `naas_gateway.services.broker`.

Every change after the lease is taken names it (``lease_owner``) and fails when it was taken over: a process that was stopped for a
while cannot undo what another one did in the meantime.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from naas_client.errors import AccessEnded
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from naas_gateway.clients.iam import Tokens
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring, Unreadable
from naas_gateway.db.tables import CheckProjectRow, GrantRow, IdentityRow, RefreshTokenRow, RegistryLoginRow
from naas_gateway.services import audit
from naas_gateway.services.events import Events

log = logging.getLogger(__name__)

ACTIVE, ENDED, SIGNED_OUT = "active", "ended", "signed-out"

TOKENS_KEPT = 3
"""Independent refresh tokens per person: one in use and two in reserve, so that even two losses in a row end no session."""

USED_FOR = 3600.0
"""Seconds after the last use of a grant during which it is renewed without being asked; running servers use theirs steadily."""

SIGN_IN_AGAIN = "Your sign-in has ended. Sign in again."


@dataclass(frozen=True)
class Lease:
    """The right to renew one person's grant until somebody else takes it over."""

    user_id: int
    owner: str


@dataclass(frozen=True)
class Stored:
    """A refresh token in clear, with its row."""

    row: RefreshTokenRow
    token: str


def renewal_time(expires_in: float) -> dt.timedelta:
    """Two thirds of a life, less up to a tenth of it: people who signed in together are not renewed together."""
    return seconds(expires_in * (2 / 3 - random.uniform(0, 0.1)))  # noqa: S311 - jitter


class Grants:
    """The grants and refresh tokens of all people."""

    def __init__(self, database: Database, keys: Keyring, events: Events) -> None:
        self._database, self._keys, self._events = database, keys, events

    async def active(self, user_id: int) -> GrantRow:
        """The person's grant. Raises AccessEnded when there is none, it ended, or the person signed out."""
        async with self._database.read() as session:
            grant = await session.get(GrantRow, user_id)
        if grant is None or grant.state != ACTIVE:
            raise AccessEnded(
                "You have signed out. Sign in again." if grant and grant.state == SIGNED_OUT else SIGN_IN_AGAIN
            )
        return grant

    async def state(self, user_id: int) -> str:
        """``active``, ``ended`` or ``signed-out``; empty when there never was a grant."""
        async with self._database.read() as session:
            return await session.scalar(select(GrantRow.state).where(GrantRow.user_id == user_id)) or ""

    def access_token(self, grant: GrantRow) -> str:
        """The access token in clear. Raises AccessEnded when no key fits."""
        try:
            return self._keys.decrypt(grant.access_token)
        except Unreadable:
            raise AccessEnded(SIGN_IN_AGAIN) from None

    async def adopt(self, session: AsyncSession, user_id: int, tokens: Tokens) -> None:
        """Put a new sign-in's tokens in the place of the older ones, which are revoked soon after the commit.

        A sign-in that is sent again (its answer was lost, say) changes nothing: its refresh token may be used up by now.
        """
        now, serial = utcnow(), secrets.token_hex(8)
        origin = hashlib.sha256((tokens.refresh_token or tokens.access_token).encode()).hexdigest()
        grant = await session.get(GrantRow, user_id, with_for_update=True)
        if grant is not None and grant.origin == origin:
            return
        await self._retire(session, user_id, now)
        life = seconds(tokens.expires_in)
        values = {
            "serial": serial,
            "origin": origin,
            "state": ACTIVE,
            "leaving": False,
            "access_token": self._keys.encrypt(tokens.access_token),
            "access_client": tokens.client,
            "key_id": self._keys.newest,
            "scope": tokens.scope[:1000],
            "expires_at": now + life,
            "renew_at": now + (renewal_time(tokens.expires_in) if tokens.refresh_token else life),
            "used_at": now,
            "lease_owner": None,
            "lease_until": None,
        }
        if grant is None:
            session.add(GrantRow(user_id=user_id, **values))
        else:
            for name, value in values.items():
                setattr(grant, name, value)
        if tokens.refresh_token:
            session.add(self._token_row(user_id, serial, tokens.client, tokens.refresh_token))

    def _token_row(self, user_id: int, serial: str, client: str, token: str) -> RefreshTokenRow:
        return RefreshTokenRow(
            user_id=user_id,
            serial=serial,
            client=client,
            token=self._keys.encrypt(token),
            key_id=self._keys.newest,
            obtained_at=utcnow(),
        )

    async def _retire(self, session: AsyncSession, user_id: int, now: dt.datetime) -> None:
        mine = update(RefreshTokenRow).where(RefreshTokenRow.user_id == user_id, RefreshTokenRow.revoke_at.is_(None))
        await session.execute(mine.values(revoke_at=now))

    async def end(self, user_id: int, serial: str, state: str) -> bool:
        """End a grant: nothing of it can be used afterwards. False when a newer sign-in has replaced it."""
        now = utcnow()
        ending = update(GrantRow).where(
            GrantRow.user_id == user_id, GrantRow.serial == serial, GrantRow.state == ACTIVE
        )
        async with self._database.write() as session:
            done = await session.execute(
                ending.values(
                    state=state, access_token=b"", expires_at=now, lease_owner=None, lease_until=None
                ).returning(GrantRow.user_id)
            )
            if done.first() is None:
                return False
            await self._retire(session, user_id, now)
            name = await session.scalar(select(IdentityRow.name).where(IdentityRow.id == user_id)) or ""
            if state == ENDED:
                audit.add(session, audit.GATEWAY, "access.end", name)
                await self._events.add(session, "access.ended", name, message=SIGN_IN_AGAIN)
            else:
                audit.add(session, name, "sign-out", name)
        self._events.wake()
        return True

    async def touch(self, user_id: int) -> None:
        """Note that a grant is in use."""
        async with self._database.write() as session:
            await session.execute(update(GrantRow).where(GrantRow.user_id == user_id).values(used_at=utcnow()))

    async def make_due(self, user_id: int, serial: str) -> None:
        """Have a grant renewed at its next use."""
        mine = update(GrantRow).where(GrantRow.user_id == user_id, GrantRow.serial == serial)
        async with self._database.write() as session:
            await session.execute(mine.values(renew_at=utcnow()))

    async def leave(self, user_id: int) -> None:
        """Note that the grant is to end with the person's last server; a new sign-in takes the note away."""
        mine = update(GrantRow).where(GrantRow.user_id == user_id, GrantRow.state == ACTIVE)
        async with self._database.write() as session:
            await session.execute(mine.values(leaving=True))

    async def leaving(self) -> dict[str, int]:
        """Hub name and user id of everybody whose grant is to end with their last server."""
        query = select(IdentityRow.name, IdentityRow.id).join(GrantRow, GrantRow.user_id == IdentityRow.id)
        async with self._database.read() as session:
            rows = await session.execute(query.where(GrantRow.leaving, GrantRow.state == ACTIVE))
            return {row.name: row.id for row in rows}

    async def lease(self, user_id: int, length: float) -> Lease | None:
        """Take the lease of a grant unless somebody holds it (compare and set in the database)."""
        now, owner = utcnow(), secrets.token_hex(8)
        free = or_(GrantRow.lease_until.is_(None), GrantRow.lease_until < now)
        taking = update(GrantRow).where(GrantRow.user_id == user_id, GrantRow.state == ACTIVE, free)
        async with self._database.write() as session:
            taken = await session.execute(
                taking.values(lease_owner=owner, lease_until=now + seconds(length)).returning(GrantRow.user_id)
            )
            return Lease(user_id, owner) if taken.first() is not None else None

    async def release(self, lease: Lease) -> None:
        """Give a lease back; does nothing when it is somebody else's by now."""
        mine = update(GrantRow).where(GrantRow.user_id == lease.user_id, GrantRow.lease_owner == lease.owner)
        async with self._database.write() as session:
            await session.execute(mine.values(lease_owner=None, lease_until=None))

    async def tokens(self, grant: GrantRow) -> tuple[list[Stored], list[Stored]]:
        """The grant's refresh tokens: those that may be sent, longest kept first, and those that were sent without an answer.

        Raises AccessEnded when there are some but no key reads them: they are kept for the return of the key.
        """
        query = select(RefreshTokenRow).where(
            RefreshTokenRow.user_id == grant.user_id,
            RefreshTokenRow.serial == grant.serial,
            RefreshTokenRow.revoke_at.is_(None),
        )
        async with self._database.read() as session:
            rows = (await session.scalars(query.order_by(RefreshTokenRow.obtained_at, RefreshTokenRow.id))).all()
        stored = self._readable(rows)
        if rows and not stored:
            log.error("the tokens of user %d cannot be read: their key is not in gateway.keys_file", grant.user_id)
            raise AccessEnded(SIGN_IN_AGAIN)
        return [s for s in stored if s.row.sent_at is None], [s for s in stored if s.row.sent_at is not None]

    def _readable(self, rows: Sequence[RefreshTokenRow]) -> list[Stored]:
        return [Stored(row, self._keys.decrypt(row.token)) for row in rows if row.key_id in self._keys.ids]

    async def mark_sent(self, lease: Lease, stored: Stored) -> bool:
        """Write down that a token is about to be sent. False: the lease is lost, or it was sent before; do not send."""
        return await self._mark(lease, stored, RefreshTokenRow.sent_at.is_(None), utcnow())

    async def unmark_sent(self, lease: Lease, stored: Stored) -> bool:
        """Take the mark back: the token surely did not reach IAM, or IAM said that it did not use it."""
        return await self._mark(lease, stored, RefreshTokenRow.sent_at.is_not(None), None)

    async def _mark(self, lease: Lease, stored: Stored, state: ColumnElement[bool], value: dt.datetime | None) -> bool:
        async with self._database.write() as session:
            if not await _holds(session, lease):
                return False
            marking = update(RefreshTokenRow).where(RefreshTokenRow.id == stored.row.id, state)
            marked = await session.execute(marking.values(sent_at=value).returning(RefreshTokenRow.id))
            return marked.first() is not None

    async def renewed(self, lease: Lease, stored: Stored, tokens: Tokens) -> bool:
        """Keep IAM's answer to a refresh and give the lease back, in one transaction. False when the lease is lost: nothing was kept."""
        now = utcnow()
        async with self._database.write() as session:
            if not await _holds(session, lease):
                return False
            values = {
                "access_token": self._keys.encrypt(tokens.access_token),
                "access_client": tokens.client,
                "key_id": self._keys.newest,
                "expires_at": now + seconds(tokens.expires_in),
                "renew_at": now + renewal_time(tokens.expires_in),
                "lease_owner": None,
                "lease_until": None,
            }
            await session.execute(update(GrantRow).where(GrantRow.user_id == lease.user_id).values(**values))
            kept = tokens.refresh_token or stored.token  # RFC 6749 §6: without a new one, the old one goes on
            await session.execute(
                update(RefreshTokenRow)
                .where(RefreshTokenRow.id == stored.row.id)
                .values(token=self._keys.encrypt(kept), key_id=self._keys.newest, obtained_at=now, sent_at=None)
            )
            lost = update(RefreshTokenRow).where(
                RefreshTokenRow.user_id == lease.user_id,
                RefreshTokenRow.sent_at.is_not(None),
                RefreshTokenRow.revoke_at.is_(None),
            )
            await session.execute(lost.values(revoke_at=now))
        return True

    async def add_token(self, lease: Lease, serial: str, tokens: Tokens) -> bool:
        """Keep one more refresh token. False when the lease is lost: it was not kept."""
        if tokens.refresh_token is None:
            return False
        async with self._database.write() as session:
            if not await _holds(session, lease):
                return False
            session.add(self._token_row(lease.user_id, serial, tokens.client, tokens.refresh_token))
        return True

    async def discard(self, user_id: int, tokens: Tokens) -> None:
        """Have a refresh token revoked that came too late to be kept."""
        if tokens.refresh_token:
            row = self._token_row(user_id, "", tokens.client, tokens.refresh_token)
            row.revoke_at = utcnow()
            async with self._database.write() as session:
                session.add(row)

    async def due(self, limit: int, *, short_too: bool) -> list[int]:
        """People whose grant is in use and due for renewal, most urgent first.

        Parameters: ``short_too``, also those who have fewer refresh tokens than they should.
        """
        now = utcnow()
        ready = func.count(RefreshTokenRow.id).filter(RefreshTokenRow.sent_at.is_(None))
        query = (
            select(GrantRow.user_id)
            .join(
                RefreshTokenRow,
                (RefreshTokenRow.user_id == GrantRow.user_id) & (RefreshTokenRow.serial == GrantRow.serial),
            )
            .where(
                GrantRow.state == ACTIVE,
                GrantRow.used_at > now - seconds(USED_FOR),
                or_(GrantRow.lease_until.is_(None), GrantRow.lease_until < now),
                RefreshTokenRow.revoke_at.is_(None),
            )
            .group_by(GrantRow.user_id, GrantRow.renew_at)
            .having(or_(GrantRow.renew_at <= now, ready < (TOKENS_KEPT if short_too else 0)))
            .order_by(GrantRow.renew_at)
            .limit(limit)
        )
        async with self._database.read() as session:
            return list((await session.scalars(query)).all())

    async def to_revoke(self, limit: int, user_id: int | None = None) -> list[Stored]:
        """Refresh tokens that wait to be revoked, of one person or of anybody."""
        waiting = (RefreshTokenRow.revoke_at <= utcnow()) & RefreshTokenRow.key_id.in_(self._keys.ids)
        query = select(RefreshTokenRow).where(waiting).order_by(RefreshTokenRow.revoke_at)
        if user_id is not None:
            query = query.where(RefreshTokenRow.user_id == user_id)
        async with self._database.read() as session:
            return self._readable((await session.scalars(query.limit(limit))).all())

    async def revoked(self, stored: Stored) -> None:
        """Forget a token that IAM has revoked, or that we give up on."""
        async with self._database.write() as session:
            if row := await session.get(RefreshTokenRow, stored.row.id):
                await session.delete(row)

    async def revoke_later(self, stored: Stored, pause: float) -> None:
        """Try a revocation again after a pause in seconds."""
        later = update(RefreshTokenRow).where(RefreshTokenRow.id == stored.row.id)
        async with self._database.write() as session:
            await session.execute(later.values(revoke_at=utcnow() + seconds(pause)))

    async def reencrypt(self) -> int:
        """Encrypt everything under the newest key; the number of rows changed. Rows that no key reads are left as they are."""
        changed = 0
        secrets = (
            (GrantRow, GrantRow.access_token),
            (RefreshTokenRow, RefreshTokenRow.token),
            (CheckProjectRow, CheckProjectRow.api_key),
            (RegistryLoginRow, RegistryLoginRow.secret),
        )
        for table, column in secrets:
            key = table.__mapper__.primary_key[0]
            async with self._database.read() as session:
                old_key = table.key_id.in_(self._keys.ids[1:]) & (column != b"")
                old = (await session.execute(select(key, column).where(old_key))).all()
            for identifier, stored in old:
                values = {column.key: self._keys.encrypt(self._keys.decrypt(stored)), "key_id": self._keys.newest}
                async with self._database.write() as session:
                    # only if nobody changed it since: then it is under the newest key already
                    await session.execute(update(table).where(key == identifier, column == stored).values(**values))
                changed += 1
        return changed


async def _holds(session: AsyncSession, lease: Lease) -> bool:
    """Whether a lease is still ours; the row stays locked until the end of the transaction."""
    query = select(GrantRow.user_id).where(
        GrantRow.user_id == lease.user_id, GrantRow.lease_owner == lease.owner, GrantRow.state == ACTIVE
    )
    return await session.scalar(query.with_for_update()) is not None
