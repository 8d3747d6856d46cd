"""Ceph RGW with an admin key: per person one user that owns the buckets and carries the quota, and one role.

A quota counts for the owner of a bucket, and Ceph ignores it on the users that it makes for sessions; so the owner is a user of ours,
without keys. Its bucket is made with a key that lives for a moment. Such a key is made first and deleted last: one that is found
later says that a start broke off, and the next one does it all again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from naas_client.collaborations import Collaboration
from naas_client.errors import Unavailable
from naas_client.folders import GroupFolder
from naas_client.models import S3Credentials, Usage
from naas_client.names import is_made_by
from naas_client.settings import StorageSection

from naas_gateway.clients.rgw import RgwAdmin, compact
from naas_gateway.clients.s3 import Keys, Store
from naas_gateway.clock import utcnow
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.flights import Flights
from naas_gateway.services.provisioners.contract import BucketRefused, KeyWish, refused
from naas_gateway.services.provisioners.own import find_troubles, make_prefix
from naas_gateway.services.provisioners.policies import (
    group_permissions,
    key_permissions,
    permissions,
    trust,
    trust_user,
    trusted_subject,
)

log = logging.getLogger(__name__)

POLICY = "naas"
"""Name of the policy in each role."""

KEY_PREFIX = "NAAS-MOMENT-"
KEY_LIFE = 300
"""Seconds after which a momentary key is nobody's any more: whoever made it has ended."""

FOREIGN = (
    "The bucket of this folder belongs to somebody else in the object store, so it is not shared here. "
    "Ask whoever runs this service."
)
SHORTEST_LIMIT = 3600
"""Seconds; RGW takes no lower bound for a role's longest session."""


def account(name: str) -> str:
    """The RGW user and the role of a person."""
    return f"naas-{name}"


class Rgw:
    """Parameters: ``issuer``, asks for the issuer exactly as tokens name it."""

    def __init__(
        self,
        settings: StorageSection,
        admin: RgwAdmin,
        store: Store,
        audit: Audit,
        issuer: Callable[[], Awaitable[str]],
    ) -> None:
        self._settings, self._admin, self._store, self._audit, self._issuer = settings, admin, store, audit, issuer
        self._flights: Flights[tuple[int, tuple[str, ...]], None] = Flights()
        self._scratch_is_there = not settings.scratch_bucket
        self._kept_private: set[str] = set()

    @property
    def trouble(self) -> str:
        """Whether RGW refused the admin key when it was last used."""
        return self._admin.trouble

    def role_arn(self, row: IdentityRow) -> str:
        """The person's own role."""
        return f"arn:aws:iam:::role/{account(row.name)}"

    async def admit(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        """User, quota, bucket, the groups' buckets and a role without rules; what is there stays as it is."""
        key = row.id, tuple(folder.name for folder in shared)
        await self._flights.run(key, lambda: self._admit(row, shared))

    async def permit(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        """Write the rules of the person's role; who has no role yet is not let in by this.

        RGW looks at a role's rules at every request, so credentials that were given before change with them.
        """
        role = await self._admin.role(account(row.name))
        if role and trusted_subject(json.loads(role["AssumeRolePolicyDocument"])) == row.subject:
            await self._rules(row, shared)

    async def settle(self, row: IdentityRow, credentials: S3Credentials) -> bool:
        """The prefix in scratch; that the bucket can be used is looked at as the person sees it."""
        status = await self._store.head_bucket(row.name, credentials)
        if status >= 300:
            raise refused(row.name, status)
        return await make_prefix(self._settings.scratch_bucket, row.name, credentials, self._store, self._audit)

    async def reach(self, shared: Sequence[GroupFolder], credentials: S3Credentials) -> Mapping[str, str]:
        """What the store says to a listing of each, and buckets that are not ours to give."""
        troubles = await find_troubles(shared, credentials, self._store)
        foreign: dict[str, str] = {}
        with contextlib.suppress(Unavailable):  # then the store's own words have to do
            for folder in shared:
                if folder.name in troubles and await self._is_foreign(folder.bucket):
                    foreign[folder.name] = FOREIGN
        return {**troubles, **foreign}

    async def usage(self, row: IdentityRow) -> Usage | None:
        """What the person's buckets hold, as RGW counts it for the quota; buckets they made since the last start come under it."""
        user = await self._admin.user(account(row.name))
        if user is None or user.get("display_name") != _mark(row):
            return None
        await self._own_buckets(row, user)
        found = await self._admin.user_stats(account(row.name))
        if found is None or "stats" not in found:
            return None
        quota, stats = found.get("user_quota", {}), found["stats"]
        return Usage(
            used_bytes=max(0, int(stats["size_actual"])),
            quota_bytes=int(quota["max_size"]) if quota.get("enabled") and quota.get("max_size", -1) >= 0 else None,
            objects=max(0, int(stats["num_objects"])),
            at=utcnow(),
            source="store",
        )

    async def lend(self, to: Collaboration, shared: Sequence[GroupFolder]) -> S3Credentials:
        """By a role that only a user of its own may take, with a key that lives for this moment.

        That user owns no bucket, unlike the admin key's, so nothing but the role's rules opens any.
        """
        name = account(to.name)
        await self._lender(name, to)
        for bucket in dict.fromkeys(folder.bucket for folder in shared):
            await self._group_bucket(bucket)
        await self._put_rules(name, group_permissions(await self._ours(shared)))
        keys = await self._admin.make_key(name, _momentary())
        try:
            return await self._admin.assume_role(name, to.name, self._settings.session_seconds, keys)
        finally:
            await self._admin.delete_key(name, keys.access_key_id)

    async def _lender(self, name: str, to: Collaboration) -> None:
        """User and role of a shared server; keys that a broken call left behind go."""
        mark = f"naas: shared server of {to.group}"
        if await self._admin.user(name) is None:
            await self._admin.create_user(name, mark, most_buckets=-1)
            await self._audit.record(to.name, "storage.account", name)
        user = await self._admin.user(name)
        if user is None or user.get("display_name") != mark:
            raise _taken(f"the storage account {name}")
        for key in user.get("keys", []):
            if _is_old(key["access_key"]):
                await self._admin.delete_key(name, key["access_key"])
        await self._trusting(name, await self._admin.role(name), trust_user(name), to.name)

    async def make_key(self, row: IdentityRow, wish: KeyWish) -> str:
        """A user of its own for each key: Ceph 16 forgets a user's policy when a key of theirs is made or deleted."""
        uid = _key_user(row, wish.access_key_id)
        keys = await self._admin.create_key_user(uid, f"naas key: {row.subject}", wish.access_key_id)
        rules = key_permissions(
            row.name, self._settings.scratch_bucket, read_only=wish.read_only, until=wish.expires_at
        )
        await self._admin.put_user_policy(uid, POLICY, rules)
        return keys.secret_access_key

    async def revoke_key(self, row: IdentityRow, access_key_id: str) -> None:
        """Delete the key's user; what it uploaded stays in the person's bucket."""
        await self._admin.delete_user(_key_user(row, access_key_id))

    async def _admit(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        user = await self._user(row)
        await self._scratch_bucket()
        await self._own_buckets(row, user)
        await self._role(row)
        for bucket in dict.fromkeys(folder.bucket for folder in shared):
            await self._group_bucket(bucket)

    async def _user(self, row: IdentityRow) -> dict[str, Any]:
        uid, mark = account(row.name), _mark(row)
        if await self._admin.user(uid) is None and await self._admin.create_user(uid, mark):
            await self._audit.record(row.name, "storage.account", uid)
        user = await self._admin.user(uid)
        if user is None:
            raise Unavailable("The object store lost what was just made. Try again later.", code="store-down")
        if user.get("display_name") != mark:
            raise _taken(f"the storage account {uid}")
        if self._settings.quota and not user.get("user_quota", {}).get("enabled"):
            await self._admin.set_quota(uid, self._settings.quota)
            await self._audit.record(row.name, "storage.quota", uid, bytes=self._settings.quota)
        return user

    async def _scratch_bucket(self) -> None:
        """Made once; one that belongs to somebody else is the site's own and stays as it is."""
        if self._scratch_is_there:
            return
        bucket, keys = self._settings.scratch_bucket, self._admin.keys
        status = await self._store.create_bucket(bucket, keys)
        if status < 300:
            status = await self._store.keep_private(bucket, keys)
        elif status == 409:
            log.info("the bucket %s belongs to another user of the store: its own rules hold", bucket)
            status = 200
        if status >= 300:
            raise _not_made(bucket, status)
        self._scratch_is_there = True

    async def _group_bucket(self, bucket: str) -> None:
        """Make the bucket of a group where it is missing; the gateway's own user, who has no quota, owns it."""
        if await self._admin.bucket_owner(bucket) is not None:
            return
        status = await self._store.create_bucket(bucket, self._admin.keys)
        if status < 300:
            await self._audit.record(await self._admin.own_uid(), "bucket.create", bucket)
        elif status != 409:  # made by another start in the meantime
            log.error("the bucket %s of a group was not made: the store answered with status %d", bucket, status)

    async def _ours(self, shared: Sequence[GroupFolder]) -> list[GroupFolder]:
        """The folders whose buckets are ours to give, and private: a role's rules open any bucket, whoever owns it."""
        buckets = list({folder.bucket for folder in shared})
        found = dict(zip(buckets, await asyncio.gather(*map(self._may_be_given, buckets)), strict=True))
        return [folder for folder in shared if found[folder.bucket]]

    async def _may_be_given(self, bucket: str) -> bool:
        owner = await self._admin.bucket_owner(bucket)
        if owner is None or owner != await self._admin.own_uid():
            log.warning("the bucket %s belongs to %s: no group gets it", bucket, owner or "nobody")
            return False
        if bucket not in self._kept_private:
            if (status := await self._store.keep_private(bucket, self._admin.keys)) >= 300:
                log.error("%s was not kept private (status %d): no group gets it", bucket, status)
                return False
            self._kept_private.add(bucket)
        return True

    async def _is_foreign(self, bucket: str) -> bool:
        return await self._admin.bucket_owner(bucket) not in (None, await self._admin.own_uid())

    async def _own_buckets(self, row: IdentityRow, user: dict[str, Any]) -> None:
        """The person's bucket, and those that they made themselves: owned by their user, so that the quota counts, and private."""
        uid = account(row.name)
        owned = await self._admin.buckets(uid)
        made = await self._admin.buckets(f"$oidc${row.subject}")
        arrived = [bucket for bucket in made if bucket == row.name or is_made_by(row.name, bucket)]
        left = [key["access_key"] for key in user.get("keys", []) if key["access_key"].startswith(KEY_PREFIX)]
        if row.name in owned and not arrived and not left:
            return
        keys = await self._admin.make_key(uid, _momentary())
        for bucket in arrived:
            await self._admin.link_bucket(bucket, uid)
            await self._audit.record(row.name, "bucket.adopt", bucket)
        if row.name not in (*owned, *arrived):
            await self._make_bucket(row, keys)
        for bucket in {row.name, *arrived, *(owned if left else ())}:
            if (status := await self._store.keep_private(bucket, keys)) >= 300 and status != 404:
                raise Unavailable(
                    f"The object store did not keep {bucket} private (status {status}). Ask support.",
                    code="store-admin",
                )
        for key in (*(key for key in left if _is_old(key)), keys.access_key_id):
            await self._admin.delete_key(uid, key)

    async def _make_bucket(self, row: IdentityRow, keys: Keys) -> None:
        status = await self._store.create_bucket(row.name, keys)
        if status == 409:
            await self._admin.delete_key(account(row.name), keys.access_key_id)
            raise _taken(f"the bucket {row.name}")
        if status >= 300:
            raise _not_made(row.name, status)
        await self._audit.record(row.name, "bucket.create", row.name)

    async def _role(self, row: IdentityRow) -> None:
        """The person's role; its rules are `permit`'s. One for another subject is never changed."""
        name = account(row.name)
        role = await self._admin.role(name)
        if role and trusted_subject(json.loads(role["AssumeRolePolicyDocument"])) != row.subject:
            raise _taken(f"the role {name}")
        await self._trusting(name, role, trust(await self._issuer(), row.subject, self._settings.audience), row.name)

    async def _trusting(self, name: str, role: dict[str, Any] | None, wanted: dict[str, Any], actor: str) -> None:
        """Have a role with this trust policy. Parameters: ``role``, as it is now; ``actor``, for the audit."""
        seconds = max(self._settings.session_seconds, SHORTEST_LIMIT)
        if role and int(role["MaxSessionDuration"]) < seconds:  # cannot be changed in Ceph 16
            await self._admin.change_role("DeleteRolePolicy", name, PolicyName=POLICY)
            await self._admin.change_role("DeleteRole", name)
            role = None
        if role is None:
            if await self._admin.create_role(name, wanted, seconds):
                await self._audit.record(actor, "role.create", name)
        elif json.loads(role["AssumeRolePolicyDocument"]) != wanted:
            await self._admin.change_role("UpdateAssumeRolePolicy", name, PolicyDocument=compact(wanted))
            await self._audit.record(actor, "role.change", name)

    async def _rules(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        """What the person's role may do now."""
        rules = permissions(row.name, self._settings.scratch_bucket, await self._ours(shared))
        await self._put_rules(account(row.name), rules)

    async def _put_rules(self, name: str, rules: dict[str, Any]) -> None:
        if await self._admin.role_policy(name, POLICY) != rules:
            await self._admin.change_role("PutRolePolicy", name, PolicyName=POLICY, PolicyDocument=compact(rules))


def _mark(row: IdentityRow) -> str:
    """How a user of ours says whose it is."""
    return f"naas: {row.subject}"


def _momentary() -> str:
    return f"{KEY_PREFIX}{int(time.time())}-{secrets.token_hex(6)}"


def _key_user(row: IdentityRow, access_key_id: str) -> str:
    """The RGW user of one long-lived key; two hyphens and no hub name after them: nobody's account is called so."""
    return f"{account(row.name)}--{access_key_id.lower()}"


def _is_old(access_key: str) -> bool:
    made = access_key.removeprefix(KEY_PREFIX).partition("-")[0]
    return not made.isdigit() or int(made) < time.time() - KEY_LIFE


def _not_made(bucket: str, status: int) -> Unavailable:
    text = f"The object store refused to make the bucket {bucket} (status {status}). Ask support."
    return Unavailable(text, code="store-admin")


def _taken(what: str) -> BucketRefused:
    return BucketRefused(
        f"In the object store {what} belongs to somebody else, so nothing was changed. Ask support.",
        code="bucket-taken",
    )
