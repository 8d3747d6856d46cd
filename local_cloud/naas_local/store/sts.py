"""AssumeRoleWithWebIdentity: a token of IAM becomes temporary credentials. AssumeRole: so does the gateway's word, for a shared server.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html, …/API_AssumeRole.html;
like Ceph's RGW, on the address of S3 itself and with sessions from 15 seconds on.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from naas_client.names import collaboration_name

from naas_local.store.errors import STSError
from naas_local.store.identity import IdentityVerifier
from naas_local.store.keys import check_order
from naas_local.store.owners import Owners
from naas_local.store.sessions import SessionKeys
from naas_local.store.settings import StoreConfig

VERSION = "2011-06-15"
DEFAULT_DURATION = 3600
SHORTEST_DURATION = 15
"""Seconds, RGW's own lower limit; Amazon's 900 would make tests of expiry slow."""
LARGEST_FORM = 64 * 1024
"""Bytes of a request to STS."""
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


@dataclass(frozen=True)
class _Holder:
    """For whom a session is. Parameters: ``told``, XML that only an answer about a token has."""

    name: str
    subject: str
    groups: frozenset[str]
    told: str = ""


class TokenService:
    """Answers AssumeRoleWithWebIdentity and AssumeRole. Parameters: ``admin``, what the gateway shows for the second."""

    def __init__(
        self, config: StoreConfig, verifier: IdentityVerifier, owners: Owners, keys: SessionKeys, admin: str
    ) -> None:
        self._config, self._verifier, self._owners, self._keys, self._admin = config, verifier, owners, keys, admin

    async def answer(self, form: Mapping[str, str], authorization: str, request_id: str) -> tuple[str, str]:
        """The name of the person or shared server, and the XML answer to a form. Raises STSError when it is refused."""
        action = form.get("Action", "")
        if action not in ("AssumeRoleWithWebIdentity", "AssumeRole") or form.get("Version") != VERSION:
            raise STSError(
                "InvalidAction", f"Only AssumeRoleWithWebIdentity and AssumeRole, version {VERSION}, are served here."
            )
        if form.get("Policy") or any(name.startswith("PolicyArns") for name in form):
            raise STSError("ValidationError", "Session policies are not served here. Ask without Policy.")
        session_name = form.get("RoleSessionName", "")
        if not _SESSION_NAME.fullmatch(session_name):
            raise STSError("ValidationError", "RoleSessionName needs 2 to 64 letters, digits or _+=,.@-.")
        seconds = self._duration(form.get("DurationSeconds", str(DEFAULT_DURATION)))
        if form.get("RoleArn") != self._config.role_arn:
            raise STSError("AccessDenied", "This role cannot be assumed. Check the role in the storage settings.")
        holder = await (self._ordered(form, authorization) if action == "AssumeRole" else self._proven(form))
        expires = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=seconds)
        opening = {group for folder in self._config.folders for group in folder.groups}
        session, token = self._keys.issue(holder.name, holder.subject, holder.groups & opening, expires)
        arn = f"{self._config.role_arn.replace(':iam::', ':sts::').replace(':role/', ':assumed-role/')}/{session_name}"
        return holder.name, (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/{VERSION}/"><{action}Result>{holder.told}'
            f"<AssumedRoleUser><Arn>{escape(arn)}</Arn><AssumedRoleId>{holder.name}:{escape(session_name)}</AssumedRoleId>"
            "</AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{session.access_key}</AccessKeyId><SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken><Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            f"</Credentials></{action}Result>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
        )

    async def _proven(self, form: Mapping[str, str]) -> _Holder:
        """The person whose token this is."""
        person = await self._verifier.verify(form.get("WebIdentityToken", ""))
        told = (
            f"<SubjectFromWebIdentityToken>{escape(person.subject)}</SubjectFromWebIdentityToken>"
            f"<Audience>{escape(self._config.audience)}</Audience><Provider>{escape(self._config.issuer)}</Provider>"
        )
        name = await self._owners.name_of(person.subject, person.preferred_username)
        return _Holder(name, person.subject, person.groups, told)

    async def _ordered(self, form: Mapping[str, str], authorization: str) -> _Holder:
        """The shared server of a group, which the gateway names in a session tag."""
        check_order(authorization, self._admin)
        name, group = form.get("RoleSessionName", ""), form.get("Tags.member.1.Value", "")
        if form.get("Tags.member.1.Key") != "group" or name != collaboration_name(group):
            raise STSError(
                "ValidationError", "Give a group as the first tag, and its shared server as RoleSessionName."
            )
        return _Holder(name, "", frozenset({group}))

    def _duration(self, text: str) -> int:
        """Seconds of the session: a number not below 15, cut to what the store allows."""
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) >= SHORTEST_DURATION):
            raise STSError("ValidationError", f"DurationSeconds must be a number from {SHORTEST_DURATION} on.")
        return min(int(text), self._config.longest_session)
