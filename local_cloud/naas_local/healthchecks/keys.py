"""Keys of projects: shown once, kept as a keyed hash.

``hcw_…`` reads and writes, ``hcr_…`` only reads, the third is part of the addresses of pings by slug.
"""

from __future__ import annotations

import hmac
import secrets
import string

KINDS = {"api_key": "hcw_", "api_key_readonly": "hcr_", "ping_key": ""}
"""Columns of a project, and how each of its keys begins."""
LENGTH = {"api_key": 32, "api_key_readonly": 32, "ping_key": 22}
_LETTERS = string.ascii_letters + string.digits


class Keys:
    """The keys of one server. Parameters: ``secret``, what the hashes are made with."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def make(self, kind: str) -> str:
        """A new key."""
        begin = KINDS[kind]
        return begin + "".join(secrets.choice(_LETTERS) for _ in range(LENGTH[kind] - len(begin)))

    def kept(self, key: str) -> bytes:
        """The key as it is kept and looked up."""
        return hmac.digest(self._secret, key.encode("utf-8", "surrogatepass"), "sha256")
