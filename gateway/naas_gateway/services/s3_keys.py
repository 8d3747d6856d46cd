"""Long-lived S3 keys, for programs that cannot renew temporary credentials: made, listed, and surely ended.

A key's row is written before the store is asked and deleted only when the store has confirmed its end. In between nothing is lost: a
key that was half made, or whose end the store did not hear of, is ended by the recurring look.
"""

from __future__ import annotations

import base64
import logging
import secrets
from typing import Any

from naas_client.errors import AccessEnded, Conflict, Forbidden, InvalidInput, NaasError, NotFound
from naas_client.models import Claims, MadeS3Key, NewS3Key, OwnS3Keys, Page, S3Key
from naas_client.settings import SharedSettings
from sqlalchemy import delete, func, select, update

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.tables import IdentityRow, S3KeyRow
from naas_gateway.services import audit, duties
from naas_gateway.services.access import Access
from naas_gateway.services.credentials import Credentials
from naas_gateway.services.grants import SIGNED_OUT, Grants
from naas_gateway.services.paging import position
from naas_gateway.services.people import People
from naas_gateway.services.provisioners import Provisioner
from naas_gateway.services.provisioners.contract import KeyWish, no_keys
from naas_gateway.services.watcher import PASSES

log = logging.getLogger(__name__)

MAKING, ACTIVE, REVOKING, ENDED = "making", "active", "revoking", "ended"
BROKEN = "broken"
"""Reason of a key whose making broke off; its owner never saw it, and does not see it in the list."""

MAKING_LIMIT = 120.0
"""Seconds after which a key that is still being made is nobody's: whoever made it has ended."""
DAY = 86400.0
LOOK = 30.0
"""Seconds between two looks for keys that have expired or whose end the store has not confirmed."""


class S3Keys:
    """The keys of everybody."""

    def __init__(
        self,
        settings: SharedSettings,
        database: Database,
        people: People,
        grants: Grants,
        access: Access,
        credentials: Credentials,
        provisioner: Provisioner,
        owner: str,
    ) -> None:
        self._storage, self._rules = settings.storage, settings.storage.long_lived_keys
        self._database, self._people, self._grants, self._access = database, people, grants, access
        self._credentials, self._provisioner, self._owner = credentials, provisioner, owner
        self._watch_every = settings.iam.auth_refresh_age / PASSES
        self.every = min(LOOK, self._watch_every)

    async def own(self, row: IdentityRow) -> OwnS3Keys:
        """A person's keys, newest first. Raises NotFound (``no-s3-keys``) where the site offers none."""
        self._require_offered()
        async with self._database.read() as session:
            rows = (await session.scalars(_seen().where(S3KeyRow.user_id == row.id).order_by(S3KeyRow.id.desc()))).all()
        items = [_document(key, row.name) for key in rows]
        return OwnS3Keys(items=items, total=len(items), longest_days=self._rules.longest_days, most=self._rules.most)

    async def make(self, row: IdentityRow, claims: Claims, new: NewS3Key) -> MadeS3Key:
        """A new key, with its secret. Raises NotFound, Forbidden, InvalidInput, Conflict (``too-many-keys``) or Unavailable."""
        self._require_offered()
        if not (allowed := self._access.s3_keys(claims)).allowed:
            raise Forbidden(allowed.reason, code="no-capability")
        if new.days > self._rules.longest_days:
            raise InvalidInput(f"days: a key lives at most {self._rules.longest_days} days here. Choose fewer.")
        await self._credentials.get(row)  # whoever gets none has no place in the store that a key could open
        key = await self._begin(row, new)
        wish = KeyWish(key.access_key_id, key.read_only, key.expires_at)
        try:
            secret = await self._provisioner.make_key(row, wish)
        except BaseException:
            await self._to_end(row.name, [key.id], BROKEN)
            raise
        if not await self._finish(row, key):  # ended and forgotten already, perhaps before the store made it
            key.state, key.reason = REVOKING, BROKEN
            async with self._database.write() as session:
                await session.merge(key)
            await self._end(key, row)
            raise Conflict("Making the key took too long, so it was ended. Try again.", code="key-broken")
        return MadeS3Key(
            **_document(key, row.name).model_dump(),
            secret_access_key=secret,
            bucket=row.name,
            endpoint=self._storage.public_url or self._storage.url,
            region=self._storage.region,
        )

    def _require_offered(self) -> None:
        if self._storage.provisioner == "shared-role":
            raise no_keys("with one role for everybody, nobody can make a key that opens one person's place only.")
        if not self._rules.groups:
            raise no_keys("the operators have not named a group in storage.long_lived_keys.groups.")

    async def _begin(self, row: IdentityRow, new: NewS3Key) -> S3KeyRow:
        now = utcnow().replace(microsecond=0)
        key = S3KeyRow(
            user_id=row.id,
            access_key_id="NAAS" + base64.b32encode(secrets.token_bytes(10)).decode(),
            description=new.description,
            read_only=new.read_only,
            made_at=now,
            expires_at=now + seconds(new.days * DAY),
            state=MAKING,
            reason="",
        )
        async with self._database.write() as session:
            await session.get(IdentityRow, row.id, with_for_update=True)  # one at a time counts and adds
            mine = select(func.count()).where(S3KeyRow.user_id == row.id, S3KeyRow.reason != BROKEN)
            if (await session.scalar(mine) or 0) >= self._rules.most:
                raise Conflict(
                    f"You have {self._rules.most} keys, as many as one may have here. Revoke one first.",
                    code="too-many-keys",
                )
            session.add(key)
        return key

    async def _finish(self, row: IdentityRow, key: S3KeyRow) -> bool:
        """Whether the key is good: False when the recurring look has given it up meanwhile."""
        done = update(S3KeyRow).where(S3KeyRow.id == key.id, S3KeyRow.state == MAKING).values(state=ACTIVE)
        async with self._database.write() as session:
            if (await session.execute(done.returning(S3KeyRow.id))).first() is None:
                return False
            audit.add(session, row.name, "s3-key.create", key.access_key_id, **_detail(key))
        key.state = ACTIVE
        return True

    async def revoke(self, row: IdentityRow, key_id: int) -> S3Key:
        """End a person's own key: now, or, state ``revoking``, when the store answers again. Raises NotFound."""
        return await self._revoke(row.name, _seen().where(S3KeyRow.id == key_id, S3KeyRow.user_id == row.id))

    async def revoke_any(self, actor: str, key_id: int) -> S3Key:
        """End anybody's key, on an administrator's word. Raises NotFound."""
        return await self._revoke(actor, _seen().where(S3KeyRow.id == key_id))

    async def _revoke(self, actor: str, wanted: Any) -> S3Key:
        async with self._database.read() as session:
            key = await session.scalar(wanted)
            owner = key and await session.get_one(IdentityRow, key.user_id)
        if key is None or owner is None:
            raise NotFound("There is no such key. List the keys to see which there are.", code="no-such-key")
        await self._to_end(actor, [key.id], "revoked")
        key.state, key.reason = REVOKING, key.reason or "revoked"
        try:
            await self._end(key, owner)
        except NaasError as error:
            log.warning("key %s is to end, but: %s", key.access_key_id, error.message)
        else:
            key.state = ENDED
        return _document(key, owner.name)

    async def page(self, username: str | None, limit: int, cursor: str | None) -> Page[S3Key]:
        """Everybody's keys (or one person's), newest first, for administrators."""
        query = _seen().add_columns(IdentityRow.name).join(IdentityRow, IdentityRow.id == S3KeyRow.user_id)
        if username:
            query = query.where(IdentityRow.name == username)
        before = position(cursor)
        part = query.where(S3KeyRow.id < before) if before is not None else query
        async with self._database.read() as session:
            total = await session.scalar(select(func.count()).select_from(query.subquery()))
            rows = (await session.execute(part.order_by(S3KeyRow.id.desc()).limit(limit + 1))).all()
        items = [_document(key, name) for key, name in rows[:limit]]
        return Page(items=items, total=total or 0, next=str(items[-1].id) if len(rows) > limit else None)

    async def tick(self) -> None:
        """Look, if it is time and no other replica does, for keys to end and for people who may have none any more."""
        if await duties.claim(self._database, "watch-s3-keys", self._owner, self._watch_every):
            await self._watch_people()
        if await duties.claim(self._database, "end-s3-keys", self._owner, self.every):
            await self.end_due()

    async def end_due(self) -> None:
        """End what has expired or broke off, and what the store has not confirmed; one that fails does not keep the others."""
        now = utcnow()
        stale = S3KeyRow.made_at < now - seconds(MAKING_LIMIT)
        async with self._database.read() as session:
            expired = list(
                await session.scalars(select(S3KeyRow.id).where(S3KeyRow.state == ACTIVE, S3KeyRow.expires_at <= now))
            )
            broken = list(await session.scalars(select(S3KeyRow.id).where(S3KeyRow.state == MAKING, stale)))
        await self._to_end(audit.GATEWAY, expired, "expired")
        await self._to_end(audit.GATEWAY, broken, BROKEN)
        query = select(S3KeyRow, IdentityRow).join(IdentityRow, IdentityRow.id == S3KeyRow.user_id)
        async with self._database.read() as session:
            due = (await session.execute(query.where(S3KeyRow.state == REVOKING))).all()
        for key, owner in due:
            try:
                await self._end(key, owner)
            except NaasError as error:
                log.warning("key %s is to end, but: %s", key.access_key_id, error.message)

    async def _to_end(self, actor: str, keys: list[int], reason: str) -> None:
        """Mark keys as to be ended, with an audit row each; from here on they are ended however often it takes."""
        for key_id in keys:
            marked = update(S3KeyRow).where(S3KeyRow.id == key_id, S3KeyRow.state != REVOKING)
            async with self._database.write() as session:
                found = await session.execute(
                    marked.values(state=REVOKING, reason=reason).returning(S3KeyRow.access_key_id)
                )
                if (access_key_id := found.scalar()) is not None:
                    audit.add(session, actor, "s3-key.revoke", access_key_id, reason)

    async def _end(self, key: S3KeyRow, owner: IdentityRow) -> None:
        """Have the store end a key, and forget it. Raises Unavailable."""
        await self._provisioner.revoke_key(owner, key.access_key_id)
        async with self._database.write() as session:
            gone = await session.execute(delete(S3KeyRow).where(S3KeyRow.id == key.id).returning(S3KeyRow.id))
            if gone.first() is not None:
                audit.add(session, audit.GATEWAY, "s3-key.end", key.access_key_id, key.reason, owner=owner.name)

    async def _watch_people(self) -> None:
        """Have the keys end of those who may have none any more; whoever IAM says nothing about keeps theirs."""
        having = select(IdentityRow).where(IdentityRow.id.in_(select(S3KeyRow.user_id).where(S3KeyRow.state == ACTIVE)))
        async with self._database.read() as session:
            people = (await session.scalars(having)).all()
        for row in people:
            try:
                if reason := await self._lost(row):
                    await self._to_end(audit.GATEWAY, await self._active(row), reason)
            except NaasError as error:
                log.warning("whether %s may have keys could not be checked: %s", row.name, error.message)
            except Exception:  # one person's trouble must not hide the others from us
                log.exception("whether %s may have keys could not be checked", row.name)

    async def _active(self, row: IdentityRow) -> list[int]:
        async with self._database.read() as session:
            mine = select(S3KeyRow.id).where(S3KeyRow.user_id == row.id, S3KeyRow.state == ACTIVE)
            return list(await session.scalars(mine))

    async def _lost(self, row: IdentityRow) -> str:
        """Why a person's keys are to end; empty: they go on. Raises Unavailable and MalformedClaims."""
        try:
            claims = await self._people.fresh_claims(row)
        except AccessEnded:
            if await self._grants.state(row.id) != SIGNED_OUT:
                return "access-lost"
            unverified = row.claims_at < utcnow() - seconds(self._rules.unverified_days * DAY)
            return "not-seen" if unverified else ""
        try:
            self._access.require_admitted(claims)
        except Forbidden:
            return "access-lost"
        return "" if self._access.s3_keys(claims).allowed else "access-lost"


def _seen() -> Any:
    """The keys that people get to see: not those being made, nor those that broke."""
    return select(S3KeyRow).where(S3KeyRow.state != MAKING, S3KeyRow.reason != BROKEN)


def _document(key: S3KeyRow, username: str) -> S3Key:
    fields = {name: getattr(key, name) for name in S3Key.model_fields if name != "username"}
    return S3Key(username=username, **fields)


def _detail(key: S3KeyRow) -> dict[str, Any]:
    expires = key.expires_at.isoformat(timespec="seconds")
    return {"description": key.description, "read_only": key.read_only, "expires_at": expires}
