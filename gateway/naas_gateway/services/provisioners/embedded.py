"""The embedded store: buckets as `own` makes them; long-lived keys and the sessions of shared servers on the gateway's word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from naas_client.collaborations import Collaboration
from naas_client.errors import Unavailable
from naas_client.folders import GroupFolder
from naas_client.models import S3Credentials
from naas_client.settings import StorageSection

from naas_gateway.clients.http import Answer
from naas_gateway.clients.s3 import Store
from naas_gateway.clients.sites import Sites
from naas_gateway.clients.sts import read_credentials, xml_texts
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.audit import Audit
from naas_gateway.services.provisioners.contract import KeyWish
from naas_gateway.services.provisioners.own import OwnCredentials

VERSION = "2010-05-08"
"""Of AWS's IAM API, whose CreateAccessKey and DeleteAccessKey the store's own are shaped after."""
STS_VERSION = "2011-06-15"
"""Of AWS's STS API, whose AssumeRole with a session tag the store's own is shaped after."""


class Embedded(OwnCredentials):
    """Parameters: ``admin_key``, the secret that the store takes orders with; empty where no keys are offered."""

    def __init__(self, settings: StorageSection, sites: Sites, audit: Audit, admin_key: str) -> None:
        super().__init__(settings, Store(sites), audit)
        self._sites, self._admin_key = sites, admin_key

    async def make_key(self, row: IdentityRow, wish: KeyWish) -> str:
        """As the contract says."""
        expires = wish.expires_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        more = {"UserName": row.name, "Subject": row.subject, "Expires": expires}
        found = await self._ask("CreateAccessKey", wish.access_key_id, **more, ReadOnly=str(wish.read_only).lower())
        if not (secret := found.get("SecretAccessKey")):
            raise Unavailable("The object store's answer cannot be read. Try again later.", code="store-down")
        return secret

    async def revoke_key(self, row: IdentityRow, access_key_id: str) -> None:
        """As the contract says."""
        await self._ask("DeleteAccessKey", access_key_id, UserName=row.name)

    async def lend(self, to: Collaboration, _shared: Sequence[GroupFolder]) -> S3Credentials:
        """As the contract says; which folders are the group's, the store knows itself."""
        tag = {"Tags.member.1.Key": "group", "Tags.member.1.Value": to.group}
        seconds = str(self._settings.session_seconds)
        role = {"RoleArn": self._settings.role_arn, "RoleSessionName": to.name, "DurationSeconds": seconds}
        answer = await self._order({"Action": "AssumeRole", "Version": STS_VERSION, **role, **tag})
        return read_credentials(answer, self._sites.url, self._settings.region)

    async def _ask(self, action: str, access_key_id: str, **more: str) -> Mapping[str, str]:
        answer = await self._order({"Action": action, "Version": VERSION, "AccessKeyId": access_key_id, **more})
        return xml_texts(answer.body)

    async def _order(self, form: Mapping[str, str]) -> Answer:
        order = {"Authorization": f"Bearer {self._admin_key}"}
        answer = await self._sites.request("POST", "/", data=form, headers=lambda _url: order)
        if answer.status != 200:
            raise Unavailable(
                f"The object store did not do {form['Action']} (status {answer.status}). Ask support to check "
                "storage.admin_secret_key_file.",
                code="store-admin",
            )
        return answer
