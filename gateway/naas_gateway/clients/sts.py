"""STS ``AssumeRoleWithWebIdentity`` (AWS STS API 2011-06-15, as Ceph RGW and the embedded store answer it)."""

from __future__ import annotations

import asyncio
import datetime as dt
import xml.etree.ElementTree as ET

from naas_client.errors import Forbidden, Unavailable
from naas_client.models import S3Credentials
from naas_client.settings import StorageSection

from naas_gateway.clients.http import Answer
from naas_gateway.clients.sites import Sites

LARGEST_XML = 64 * 1024
CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each new try."""


class Sts:
    """The store's token service. ``sites`` are the store's own; ``token_sites`` the same unless ``sts_url`` is set."""

    def __init__(self, settings: StorageSection) -> None:
        self._settings = settings
        self.sites = Sites([settings.url, *settings.endpoints])
        self.token_sites = Sites([settings.sts_url]) if settings.sts_url else self.sites

    async def close(self) -> None:
        """Close all connections."""
        await self.sites.close()
        if self.token_sites is not self.sites:
            await self.token_sites.close()

    async def check(self) -> None:
        """Ask every site, and the token service where it is apart. Raises Unavailable when there is no use of the store."""
        await self.sites.check()
        if self.token_sites is not self.sites:
            await self.token_sites.check()

    async def assume(self, token: str, session_name: str, role_arn: str) -> S3Credentials:
        """Temporary credentials for the owner of a token.

        Parameters: ``token``, a JWT for the storage audience; ``session_name``, the hub name: it never comes from the caller.
        Raises Forbidden when the store refuses the person, Unavailable when it does not answer.
        """
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": str(self._settings.session_seconds),
            "WebIdentityToken": token,
        }
        answer = await self._ask(form)
        if answer.status in (401, 403):
            raise Forbidden(
                "The object store does not accept your identity. Sign out and in again; if that does not help, ask support.",
                code="store-refused",
            )
        if answer.status != 200:
            raise Unavailable(
                f"The object store refused to make credentials (status {answer.status}). Ask support to check the storage section.",
                code="store-misconfigured",
            )
        return read_credentials(answer, self.sites.url, self._settings.region)

    async def _ask(self, form: dict[str, str]) -> Answer:
        """Ceph makes a user for the sessions of somebody new; of two gateways that come at once, one is told 409 and asks again."""
        for pause in CONFLICT_PAUSES:
            answer = await self.token_sites.request("POST", "/", data=form)
            if answer.status != 409:
                return answer
            await asyncio.sleep(pause)
        return await self.token_sites.request("POST", "/", data=form)


def read_credentials(answer: Answer, endpoint: str, region: str) -> S3Credentials:
    """The credentials in an answer of STS, to whichever action. Parameters: ``endpoint``, where they are used. Raises Unavailable."""
    values = xml_texts(answer.body)
    try:
        return S3Credentials(
            access_key_id=values["AccessKeyId"],
            secret_access_key=values["SecretAccessKey"],
            session_token=values["SessionToken"],
            expires_at=_time(values["Expiration"]),
            endpoint=endpoint,
            region=region,
        )
    except (KeyError, ValueError) as error:
        raise Unavailable("The object store's answer cannot be read. Try again later.", code="store-down") from error


def xml_texts(body: bytes) -> dict[str, str]:
    """Texts of all elements by local name; no document type, so no entities to expand."""
    if len(body) > LARGEST_XML or b"<!" in body:
        return {}
    try:
        root = ET.fromstring(body)  # noqa: S314 - bounded, and without declarations
    except ET.ParseError:
        return {}
    return {element.tag.rpartition("}")[2]: element.text.strip() for element in root.iter() if element.text}


def _time(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
