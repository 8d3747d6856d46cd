"""Which subject owns which bucket: fixed at the first session, by the function that also gives the hub name.

A caller of STS chooses the session name freely, so it is never looked at; only issuer and `sub` decide. A later rename in IAM keeps the
bucket.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from naas_client.files import write_private_json
from naas_client.names import hub_name

from naas_local.store.errors import STSError


class Owners:
    """The table of owners, kept in one file (0600).

    Parameters: ``reserved``, names that are nobody's bucket; ``kept``, those of groups' folders and their buckets, for which new people
    get another one. Raises ValueError when the file is damaged.
    """

    def __init__(self, path: Path, issuer: str, reserved: frozenset[str], kept: frozenset[str] = frozenset()) -> None:
        self._path, self._issuer, self._reserved, self._kept = path, issuer, reserved, kept
        self._lock = asyncio.Lock()
        self._rows: list[dict[str, str]] = json.loads(path.read_text()) if path.exists() else []

    def has(self, bucket: str) -> bool:
        """Whether a bucket is somebody's."""
        return any(row["name"] == bucket for row in self._rows)

    async def name_of(self, subject: str, preferred_username: str) -> str:
        """The bucket of a subject; bound now if it is new. Raises STSError when the name is another subject's."""
        async with self._lock:
            for row in self._rows:
                if (row["issuer"], row["subject"]) == (self._issuer, subject):
                    return row["name"]
            name = hub_name(preferred_username, self._kept)
            if name in self._reserved or any(row["name"] == name for row in self._rows):
                raise STSError(
                    "AccessDenied", f"The name {name} belongs to another identity. Ask the administrators for help."
                )
            rows = [*self._rows, {"issuer": self._issuer, "subject": subject, "name": name}]
            await asyncio.to_thread(write_private_json, self._path, rows)
            self._rows = rows
            return name
