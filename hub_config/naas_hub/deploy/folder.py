"""The folder that `naas deploy` fills: ours or empty, secrets made once, each file old or new and never half."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput
from naas_client.files import write_private, write_private_json

MARK = ".naas-deploy.json"
"""By which a folder of ours is known; what is in it must stay as it is while containers run."""


@dataclass(frozen=True)
class File:
    """A file to write. ``path`` is relative to the folder; ``uid`` owns it."""

    path: str
    content: bytes
    uid: int = 0
    mode: int = 0o600


class DeployFolder:
    """The folder. ``changes`` says, a line each, what a run has made or changed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.changes: list[str] = []

    def check(self, fixed: dict[str, str]) -> None:
        """Raises InvalidInput when it is somebody else's, or was written for another installation.

        Parameters: ``fixed``, settings that must not change under running containers, by their key.
        """
        mark = self.root / MARK
        if mark.exists():
            before = _read_mark(mark)
            if changed := next((key for key, value in fixed.items() if before.get(key) != value), None):
                raise InvalidInput(
                    f"{changed} was {before.get(changed)} when {self.root} was written, and is {fixed[changed]} now. Set it back, or "
                    f"end the service (`docker compose down` there) and delete {mark}.",
                    code="other-installation",
                )
        elif not (is_free(self.root) or self._is_ours()):
            raise InvalidInput(
                f"{self.root} is not empty, and `naas deploy compose` did not write it. Name a new folder with --out.",
                code="not-ours",
            )

    def _is_ours(self) -> bool:
        """Its mark was deleted, as `check` says, and all else is there."""
        return (self.root / "secrets" / "hub-token").exists() and (self.root / "compose.yaml").exists()

    def begin(self, fixed: dict[str, str]) -> None:
        """Make the folder and mark it."""
        for folder in (self.root, self.root / "secrets", self.root / "config"):
            self.folder(folder)
        write_private_json(self.root / MARK, fixed)

    def folder(self, path: Path, uid: int = 0, mode: int = 0o700) -> None:
        """Have a folder with this owner and mode."""
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        os.chown(path, uid, uid, follow_symlinks=False)
        path.chmod(mode)

    def secret(self, name: str, uid: int, make: Callable[[], str]) -> None:
        """Have a secret: made once, and never again."""
        if not (self.root / "secrets" / name).exists():
            self.write(File(f"secrets/{name}", make().encode() + b"\n", uid))

    def write(self, file: File) -> None:
        """Write a file, unless it is there as it should be."""
        path = self.root / file.path
        before = path.read_bytes() if path.exists() else None
        if before != file.content:
            write_private(path, file.content)
            self.changes.append(f"{'changed' if before is not None else 'new'}: {file.path}")
        os.chown(path, file.uid, file.uid)
        path.chmod(file.mode)

    def remove_others(self, folder: str, names: set[str]) -> None:
        """Take away what an earlier run has written into a folder and this one did not."""
        for path in (self.root / folder).iterdir():
            if path.name not in names:
                path.unlink()
                self.changes.append(f"removed: {folder}/{path.name}")


def _read_mark(mark: Path) -> dict[str, Any]:
    try:
        before = json.loads(mark.read_text())
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise InvalidInput(
            f"{mark} is damaged, so nobody can see what this folder was written for. End the service (`docker compose down` there) and "
            "delete that file.",
            code="damaged",
        )
    return before


def is_free(path: Path) -> bool:
    """Whether something can be made there: nothing, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def hexadecimal() -> str:
    """A new secret of 32 bytes."""
    return secrets.token_hex(32)


def fernet_key() -> str:
    """A new key of `cryptography.fernet`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
