"""Encryption of tokens at rest, with keys that rotate.

The keys file holds one Fernet key a line, newest first: the first encrypts, all decrypt. To rotate, put a new line on top and
restart; rows are re-encrypted at start, and then the old line may go.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from naas_client.errors import InvalidInput
from naas_client.files import write_private


class Unreadable(Exception):
    """A row that none of the keys decrypts: its key was taken out of the file too early."""


class Keyring:
    """The keys of one keys file."""

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self.ids = [hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys]
        """Identifiers of the keys, newest first; they say nothing about the keys."""
        self.newest = self.ids[0]

    def encrypt(self, secret: str) -> bytes:
        """A secret for the database."""
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, stored: bytes) -> str:
        """A secret from the database. Raises Unreadable."""
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            raise Unreadable from None


def read_keys(path: Path | None) -> Keyring:
    """The keyring of ``gateway.keys_file``; a file that does not exist is made, with one new key and mode 0600.

    Raises InvalidInput when there is no path, when others may read the file, or when a line is not a key.
    """
    if path is None:
        raise InvalidInput("gateway.keys_file: missing. Name a file; it is made when absent.", code="missing-secret")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, Fernet.generate_key() + b"\n")
        mode, lines = path.stat().st_mode, path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise InvalidInput(f"gateway.keys_file: {path}: {error.strerror}.", code="missing-secret") from error
    if mode & 0o077:
        raise InvalidInput(
            f"gateway.keys_file: {path} is readable by others. Run `chmod 600 {path}`.", code="open-secret"
        )
    try:
        if not lines or any(len(set(line)) < 8 for line in lines):
            raise ValueError
        return Keyring(lines)
    except ValueError:
        raise InvalidInput(
            f"gateway.keys_file: {path} must hold one Fernet key a line (32 random bytes in URL-safe Base64). "
            "Move it away to have a new one made; people then sign in again.",
            code="default-secret",
        ) from None
