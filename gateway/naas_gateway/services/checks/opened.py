"""A project as somebody may use it, and the refusals that need no question to the server."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Protocol

from naas_client.errors import Conflict, Forbidden
from naas_client.models import Check, CheckProject, Claims

from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.tables import CheckProjectRow, CheckWatcherRow, IdentityRow

TRY_AGAIN = 300.0
"""Seconds after which a key that the server refused is tried again: the server may have been restored from an older state."""

WHERE_KEYS_ARE = "Keys are in the project's settings on the Healthchecks server, under API Access."


class Someone(Protocol):
    """The person who asks."""

    @property
    def row(self) -> IdentityRow:
        """Who they are."""

    @property
    def claims(self) -> Claims:
        """What IAM says about them."""

    @property
    def admin(self) -> bool:
        """Whether they are an administrator."""


class KeyRevoked(Conflict):
    """The server refuses the project's key: only a new one helps."""

    default_code = "key-revoked"

    def __init__(self, name: str) -> None:
        super().__init__(f"The key of “{name}” does not work any more. Paste a new one. {WHERE_KEYS_ARE}")


@dataclass(frozen=True)
class Opened:
    """A project that the asker may see, ready to be used."""

    row: CheckProjectRow
    writable: bool
    manageable: bool
    watcher: CheckWatcherRow | None
    revoked_at: dt.datetime | None
    changed_at: dt.datetime | None
    owner: str
    api_key: str = field(default="", repr=False)

    @property
    def id(self) -> int:
        """Its number here."""
        return self.row.id

    @property
    def digest(self) -> str:
        """Names its API key."""
        return self.row.key_digest

    def require_key(self) -> None:
        """Raise KeyRevoked while the server is known to refuse the key."""
        if not self.api_key or (self.revoked_at and utcnow() < self.revoked_at + seconds(TRY_AGAIN)):
            raise KeyRevoked(self.row.name)

    def require_full_key(self, what: str) -> None:
        """Raise Forbidden (``read-only-key``) for what needs a read-write key."""
        self.require_key()
        if self.row.read_only:
            raise Forbidden(
                f"“{self.row.name}” is registered with a read-only key, which does not {what}. Paste a read-write key. "
                f"{WHERE_KEYS_ARE}",
                code="read-only-key",
            )

    def require_writable(self) -> None:
        """Raise Forbidden (``read-only-key``, ``read-only-member``) unless the asker may change checks."""
        self.require_full_key("change checks")
        if not self.writable:
            raise Forbidden(
                f"Members of {self.row.group} may only look at “{self.row.name}”. Ask {self.owner}, who registered it.",
                code="read-only-member",
            )

    def shown(self, check: Check) -> Check:
        """A check as the asker sees it: who may only look gets no ping address, with which one could say that it is well."""
        changes: dict[str, object] = {"project": self.id}
        if not self.writable:
            changes["ping_url"] = ""
        return check.model_copy(update=changes)

    def document(self) -> CheckProject:
        """As the asker sees it: without the key."""
        fields = {
            name: getattr(self.row, name)
            for name in ("id", "name", "group", "read_only", "members_write", "provisioned", "registered_at")
        }
        return CheckProject(
            **fields,
            writable=self.writable and not self.row.read_only,
            manageable=self.manageable,
            notify=self.watcher.notify if self.watcher else True,
            key_revoked=self.revoked_at is not None or not self.api_key,
            registered_by=self.owner,
        )
