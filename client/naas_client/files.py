"""Small files that must never be half-written or readable by others (secrets, states, plans), and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, NaasError

LOCK_POLL = 0.05
"""Seconds between two looks at whether somebody has let go of a lock."""


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


@contextlib.contextmanager
def lock(path: Path, limit: float, busy: NaasError) -> Iterator[None]:
    """Be the only process inside the `with` block (flock(2)); the file is made with mode 0600 and stays.

    Parameters: ``limit``, seconds to wait for another process; ``busy``, raised then. Raises OSError when the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        end = time.monotonic() + limit
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise busy
            time.sleep(LOCK_POLL)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an open file without waiting; whether it is ours."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
