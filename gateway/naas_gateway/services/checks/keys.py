"""API keys of projects as the database has them, and whose a project is."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from naas_gateway.db.keys import Keyring, Unreadable
from naas_gateway.db.tables import CheckProjectRow

log = logging.getLogger(__name__)


def digest(key: str) -> str:
    """Names a key in the database and says nothing about it: keys are random."""
    return hashlib.sha256(key.encode()).hexdigest()


def sealed(keyring: Keyring, key: str) -> dict[str, Any]:
    """The columns of a project that hold its key."""
    return {"api_key": keyring.encrypt(key), "key_id": keyring.newest, "key_digest": digest(key)}


def opened(keyring: Keyring, row: CheckProjectRow) -> str:
    """The key of a project; empty when none of the keyring's keys decrypts it: then it has to be pasted again."""
    try:
        return keyring.decrypt(row.api_key)
    except Unreadable:
        log.error("the API key of project %d cannot be decrypted: see gateway.keys_file", row.id)
        return ""


def own_scope(user_id: int) -> str:
    """Whose a person's own projects are."""
    return f"user:{user_id}"


def group_scope(group: str) -> str:
    """Whose the projects of a group are."""
    return f"group:{group}"
