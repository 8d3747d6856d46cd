"""Small files that must never be half-written or readable by others: secrets, states, plans."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file with mode 0600 by rename(2), so that a reader sees the old or the new content, nothing between.

    Raises OSError if the folder does not exist or is not writable.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_private_json(path: Path, value: Any) -> None:
    """Like `write_private`, for a JSON document."""
    write_private(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def secret_file(path: Path, bytes_: int = 32) -> str:
    """The hexadecimal secret kept in a file; generated on first use with mode 0600.

    Parameters: ``bytes_``, the entropy in bytes. Raises InvalidInput when the file is readable by others.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, secrets.token_hex(bytes_))
    if path.stat().st_mode & 0o077:
        raise InvalidInput(
            f"{path} is readable by others. Run `chmod 600 {path}`, or delete it to get a new one.", code="open-secret"
        )
    return path.read_text().strip()
