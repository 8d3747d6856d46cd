"""Ceph RGW's Admin Ops API and its part of the IAM API, with the admin key.

Sources: docs.ceph.com/en/pacific/radosgw/adminops and /radosgw/role. Measured on 16.2.15: parameters of the Admin Ops API have to be in
the query (a JSON body is answered with 501), those of the IAM API may be a form, which takes policies that are too long for an
address; the signature is S3's, and a policy has to be compact JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from naas_client.errors import Unavailable
from naas_client.models import S3Credentials

from naas_gateway.clients.http import Answer
from naas_gateway.clients.s3 import Keys, query_text, send_signed
from naas_gateway.clients.sites import Sites
from naas_gateway.clients.sts import read_credentials, xml_texts

REFUSED = "The object store does not accept the gateway's own key"

GONE = b"InvalidAccessKeyId"
"""RGW's word for a key that it is told to delete and does not have; our own key that it does not know is `AccessDenied`."""

Document = dict[str, Any]


class RgwAdmin:
    """Users, buckets and roles. Every method raises Unavailable; `trouble` is the last one that more tries will not help."""

    def __init__(self, sites: Sites, keys: Keys) -> None:
        self._sites, self.keys = sites, keys
        self.trouble = ""
        self._own_uid = ""

    async def user(self, uid: str) -> Document | None:
        """A user with its keys and quota."""
        return await self._user(uid=uid)

    async def user_stats(self, uid: str) -> Document | None:
        """A user with its quota and, under ``stats``, what all its buckets hold now."""
        return await self._user(uid=uid, stats="true", sync="true")

    async def create_user(self, uid: str, display_name: str, most_buckets: int | None = None) -> bool:
        """Make a user without keys; False when there is one of that name. Parameters: ``most_buckets``, -1: none; None: RGW's default."""
        query = {"uid": uid, "display-name": display_name, "generate-key": "false"}
        query |= {} if most_buckets is None else {"max-buckets": str(most_buckets)}
        answer = await self._admin("PUT", "user", **query)
        return answer.status != 409 and self._document(answer) is not None

    async def set_quota(self, uid: str, size: int) -> None:
        """Bound what all buckets of a user may hold together. Parameters: ``size``, bytes."""
        query = {"quota": "", "uid": uid, "quota-type": "user", "enabled": "true", "max-size-kb": str(-(-size // 1024))}
        self._checked(await self._admin("PUT", "user", **query))

    async def make_key(self, uid: str, access_key: str) -> Keys:
        """A key of a user; its secret comes in the answer only."""
        answer = await self._admin("PUT", "user", key="", uid=uid, **{"access-key": access_key, "generate-key": "true"})
        return self._made(access_key, self._document(answer) or [])

    def _made(self, access_key: str, rows: list[Document]) -> Keys:
        secrets = [row["secret_key"] for row in rows if row.get("access_key") == access_key]
        if not secrets:
            raise Unavailable("The object store made no key. Try again later.", code="store-down")
        return Keys(access_key, secrets[0], self.keys.region)

    async def create_key_user(self, uid: str, display_name: str, access_key: str) -> Keys:
        """Make a user with one key, who may own no bucket; the secret comes in the answer only."""
        query = {"uid": uid, "display-name": display_name, "access-key": access_key, "max-buckets": "-1"}
        found = self._document(await self._admin("PUT", "user", **query, **{"generate-key": "true"}))
        return self._made(access_key, found.get("keys", []) if isinstance(found, dict) else [])

    async def put_user_policy(self, uid: str, name: str, document: Document) -> None:
        """Give a user a policy; needs the cap ``user-policy``."""
        self._checked(await self._iam("PutUserPolicy", UserName=uid, PolicyName=name, PolicyDocument=compact(document)))

    async def delete_user(self, uid: str) -> None:
        """Delete a user who owns no bucket, with their keys; they may be gone already."""
        answer = await self._admin("DELETE", "user", uid=uid)
        if answer.status != 404:
            self._checked(answer)

    async def delete_key(self, uid: str, access_key: str) -> None:
        """Take a key back; it may be gone already."""
        answer = await self._admin("DELETE", "user", key="", uid=uid, **{"access-key": access_key})
        if answer.status not in (403, 404):
            self._checked(answer)

    async def buckets(self, uid: str) -> list[str]:
        """Names of the buckets that a user owns."""
        found = self._document(await self._admin("GET", "bucket", uid=uid), missing="NoSuchUser")
        return [str(name) for name in found or []]

    async def link_bucket(self, bucket: str, uid: str) -> None:
        """Make a user the owner of a bucket; its ACL becomes that of a new one."""
        self._checked(await self._admin("PUT", "bucket", bucket=bucket, uid=uid))

    async def own_uid(self) -> str:
        """The user whose key this is: the owner of what it makes."""
        if not self._own_uid:
            found = await self._user(**{"access-key": self.keys.access_key_id})
            self._own_uid = str((found or {}).get("user_id", ""))
        return self._own_uid

    async def bucket_owner(self, bucket: str) -> str | None:
        """The user who owns a bucket; None: there is no such bucket."""
        found = self._document(await self._admin("GET", "bucket", bucket=bucket, stats="true"), missing="NoSuchBucket")
        return None if found is None else str(found["owner"])

    async def role(self, name: str) -> Document | None:
        """A role: ``AssumeRolePolicyDocument`` and ``MaxSessionDuration``, as texts."""
        return self._texts(await self._iam("GetRole", RoleName=name)) or None

    async def role_policy(self, role: str, policy: str) -> Document | None:
        """The policy of a role, parsed."""
        found = self._texts(await self._iam("GetRolePolicy", RoleName=role, PolicyName=policy))
        return cast("Document", json.loads(found["PolicyDocument"])) if found else None

    async def create_role(self, name: str, trust: Document, seconds: int) -> bool:
        """Make a role; False when there is one. Parameters: ``seconds``, the longest session."""
        answer = await self._iam(
            "CreateRole",
            RoleName=name,
            Path="/",
            AssumeRolePolicyDocument=compact(trust),
            MaxSessionDuration=str(seconds),
        )
        return answer.status != 409 and bool(self._texts(answer))

    async def change_role(self, action: str, role: str, **parameters: str) -> None:
        """``UpdateAssumeRolePolicy``, ``PutRolePolicy``, ``DeleteRolePolicy`` or ``DeleteRole``."""
        self._checked(await self._iam(action, RoleName=role, **parameters))

    async def assume_role(self, role: str, session: str, seconds: int, keys: Keys) -> S3Credentials:
        """STS ``AssumeRole`` with somebody's key. Parameters: ``seconds``, the life of the credentials."""
        form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": f"arn:aws:iam:::role/{role}"}
        form |= {"RoleSessionName": session, "DurationSeconds": str(seconds)}
        kind = "application/x-www-form-urlencoded"
        answer = await send_signed(self._sites, "POST", "/", keys, content=query_text(form).encode(), content_type=kind)
        self._checked(answer)
        return read_credentials(answer, self._sites.url, self.keys.region)

    async def _user(self, **query: str) -> Document | None:
        found = self._document(await self._admin("GET", "user", **query), missing="NoSuchUser")
        return found if isinstance(found, dict) else None

    async def _admin(self, method: str, resource: str, **query: str) -> Answer:
        return await self._asked(f"{resource}: {method}", method, f"/admin/{resource}", query)

    async def _iam(self, action: str, **query: str) -> Answer:
        form = query_text({"Action": action, "Version": "2010-05-08", **query}).encode()
        return await self._asked(action, "POST", "/", {}, form)

    async def _asked(self, what: str, method: str, path: str, query: Mapping[str, str], form: bytes = b"") -> Answer:
        kind = "application/x-www-form-urlencoded" if form else ""
        answer = await send_signed(self._sites, method, path, self.keys, query, form, kind)
        if answer.status in (401, 403) and GONE not in answer.body:
            self.trouble = f"{REFUSED} ({what}). Check storage.admin_access_key_file and the caps of its user."
            raise Unavailable(f"{REFUSED}. Ask support to check the storage section.", code="store-admin")
        self.trouble = ""
        return answer

    def _checked(self, answer: Answer) -> None:
        if answer.status >= 300:
            raise self._unexpected(answer)

    def _document(self, answer: Answer, missing: str = "") -> Any:
        if answer.status == 404 and missing and missing.encode() in answer.body:
            return None
        self._checked(answer)
        return answer.json()

    def _texts(self, answer: Answer) -> dict[str, str]:
        if answer.status == 404 and b"NoSuchEntity" in answer.body:
            return {}
        self._checked(answer)
        return xml_texts(answer.body)

    def _unexpected(self, answer: Answer) -> Unavailable:
        code = xml_texts(answer.body).get("Code") or answer.body[:60].decode("ascii", "replace")
        return Unavailable(
            f"The object store refused to prepare your place (status {answer.status}: {code}). Ask support.",
            code="store-misconfigured",
        )


def compact(document: Document) -> str:
    """JSON as RGW wants it in a policy: without spaces."""
    return json.dumps(document, separators=(",", ":"))
