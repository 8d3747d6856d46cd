"""Long-lived keys: made and ended on the gateway's word alone, without a session token, for programs that cannot renew one.

The two orders are shaped after AWS's IAM API (CreateAccessKey, DeleteAccessKey) and carry the store's `admin.key` as a bearer token.
Kept is one row per key (0600); its secret follows from the store's own key, so that none is kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naas_client.files import write_private_json

from naas_local.store.errors import S3Error, STSError
from naas_local.store.owners import Owners
from naas_local.store.sessions import derived_secret

VERSION = "2010-05-08"
ORDERS = frozenset({"CreateAccessKey", "DeleteAccessKey"})
_ACCESS_KEY = re.compile(r"NAAS[A-Z2-7]{16}")


@dataclass(frozen=True)
class LongLivedKey:
    """Whose key it is, what for, until when."""

    access_key: str
    name: str
    read_only: bool
    expires: dt.datetime
    secret: str


class LongLivedKeys:
    """The keys of one store.

    Parameters: ``path``, the file they are kept in; ``master``, the store's key; ``admin``, what an order has to show.
    Raises ValueError when the file is damaged.
    """

    def __init__(self, path: Path, master: bytes, admin: str, owners: Owners) -> None:
        self._path, self._admin, self._owners = path, admin, owners
        self._secret = hmac.digest(master, b"long-lived", "sha256")
        self._lock = asyncio.Lock()
        self._rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def open(self, access_key: str, now: dt.datetime) -> LongLivedKey:
        """The key that a request names; its signature is still to be checked. Raises S3Error when it is unknown or has expired."""
        if (row := self._rows.get(access_key)) is None:
            raise S3Error("InvalidAccessKeyId", "This access key is not known. Get credentials from STS.")
        expires = dt.datetime.fromisoformat(row["expires"])
        if now >= expires:
            raise S3Error("InvalidAccessKeyId", "This access key has expired. Make a new one.")
        return LongLivedKey(
            access_key, row["name"], row["read_only"], expires, derived_secret(self._secret, access_key)
        )

    async def answer(self, form: Mapping[str, str], authorization: str) -> tuple[str, str]:
        """Do an order: the name of the person, and the XML answer. Raises STSError when it is refused."""
        check_order(authorization, self._admin)
        action, access_key, name = form["Action"], form.get("AccessKeyId", ""), form.get("UserName", "")
        if form.get("Version") != VERSION or not _ACCESS_KEY.fullmatch(access_key):
            raise STSError("ValidationError", f"Ask with Version {VERSION} and an AccessKeyId that begins with NAAS.")
        if action == "CreateAccessKey":
            return name, await self._create(access_key, name, form)
        await self._change(access_key, None)
        return name, _answer(action, "")

    async def _create(self, access_key: str, name: str, form: Mapping[str, str]) -> str:
        if not self._owners.owns(form.get("Subject", ""), name):
            raise STSError("AccessDenied", "This person has no bucket here yet. Let them use the store once first.")
        try:
            expires = dt.datetime.strptime(form.get("Expires", ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
        except ValueError:
            raise STSError("ValidationError", "Expires needs a time like 2027-01-31T12:00:00Z.") from None
        if form.get("ReadOnly") not in ("true", "false"):
            raise STSError("ValidationError", "ReadOnly is true or false.")
        read_only = form["ReadOnly"] == "true"
        await self._change(access_key, {"name": name, "read_only": read_only, "expires": expires.isoformat()})
        secret = derived_secret(self._secret, access_key)
        return _answer(
            "CreateAccessKey",
            f"<CreateAccessKeyResult><AccessKey><UserName>{name}</UserName><AccessKeyId>{access_key}</AccessKeyId>"
            f"<SecretAccessKey>{secret}</SecretAccessKey></AccessKey></CreateAccessKeyResult>",
        )

    async def _change(self, access_key: str, row: dict[str, Any] | None) -> None:
        async with self._lock:
            rows = {key: kept for key, kept in self._rows.items() if key != access_key}
            if row is not None:
                rows[access_key] = row
            if rows != self._rows:
                await asyncio.to_thread(write_private_json, self._path, rows)
                self._rows = rows


def check_order(authorization: str, admin: str) -> None:
    """Raise STSError unless an order is the gateway's. Parameters: ``admin``, the store's `admin.key`."""
    given = authorization.encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {admin}".encode()):
        raise STSError("AccessDenied", "This is done on the gateway's word alone. Ask it.")


def _answer(action: str, result: str) -> str:
    return f'<{action}Response xmlns="https://iam.amazonaws.com/doc/{VERSION}/">{result}</{action}Response>'
