"""AssumeRoleWithWebIdentity: a token of IAM becomes temporary credentials.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html; like Ceph's RGW, on the address of S3 itself and
with sessions from 15 seconds on.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

from naas_local.store.errors import STSError
from naas_local.store.identity import IdentityVerifier
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


class TokenService:
    """Answers AssumeRoleWithWebIdentity."""

    def __init__(self, config: StoreConfig, verifier: IdentityVerifier, owners: Owners, keys: SessionKeys) -> None:
        self._config, self._verifier, self._owners, self._keys = config, verifier, owners, keys

    async def answer(self, form: Mapping[str, str], request_id: str) -> tuple[str, str]:
        """The name of the person and the XML answer to a form. Raises STSError when it is refused."""
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != VERSION:
            raise STSError("InvalidAction", f"Only AssumeRoleWithWebIdentity, version {VERSION}, is served here.")
        if form.get("Policy") or any(name.startswith("PolicyArns") for name in form):
            raise STSError("ValidationError", "Session policies are not served here. Ask without Policy.")
        session_name = form.get("RoleSessionName", "")
        if not _SESSION_NAME.fullmatch(session_name):
            raise STSError("ValidationError", "RoleSessionName needs 2 to 64 letters, digits or _+=,.@-.")
        seconds = self._duration(form.get("DurationSeconds", str(DEFAULT_DURATION)))
        person = await self._verifier.verify(form.get("WebIdentityToken", ""))
        if form.get("RoleArn") != self._config.role_arn:
            raise STSError("AccessDenied", "This role cannot be assumed. Check the role in the storage settings.")
        name = await self._owners.name_of(person.subject, person.preferred_username)
        expires = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=seconds)
        opening = {group for folder in self._config.folders for group in folder.groups}
        session, token = self._keys.issue(name, person.subject, person.groups & opening, expires)
        arn = f"{self._config.role_arn.replace(':iam::', ':sts::').replace(':role/', ':assumed-role/')}/{session_name}"
        return name, (
            f'<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/{VERSION}/">'
            "<AssumeRoleWithWebIdentityResult>"
            f"<SubjectFromWebIdentityToken>{escape(person.subject)}</SubjectFromWebIdentityToken>"
            f"<Audience>{escape(self._config.audience)}</Audience><Provider>{escape(self._config.issuer)}</Provider>"
            f"<AssumedRoleUser><Arn>{escape(arn)}</Arn><AssumedRoleId>{name}:{escape(session_name)}</AssumedRoleId>"
            "</AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{session.access_key}</AccessKeyId><SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken><Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
        )

    def _duration(self, text: str) -> int:
        """Seconds of the session: a number not below 15, cut to what the store allows."""
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) >= SHORTEST_DURATION):
            raise STSError("ValidationError", f"DurationSeconds must be a number from {SHORTEST_DURATION} on.")
        return min(int(text), self._config.longest_session)
