"""Files of a source: read within bounds, never through a link that leaves it, never a device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from naas_catalogue.documents import MAX_BYTES, Unreadable

MAX_FILES = 10_000
MAX_ICON = 256 * 1024


def walk(root: Path) -> Iterator[str]:
    """Paths of the files below a folder, sorted, without hidden ones and without what is in linked folders."""
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            count += 1
            if count > MAX_FILES:
                raise Unreadable(f"More than {MAX_FILES} files.")
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


def read_bytes(root: Path, path: str, most: int) -> bytes:
    """A file of a source. Raises Unreadable with a sentence for its author."""
    try:
        target = (root / path).resolve(strict=True)
        if not target.is_relative_to(root.resolve()):
            raise Unreadable("A link that leaves the source. Put the file itself here.")
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, RuntimeError, ValueError):
        raise Unreadable("Cannot be read.") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("Not a file.")
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"Larger than {most // 1024} KiB.")
    return content


def read_text(root: Path, path: str) -> str:
    """A text file of a source. Raises Unreadable."""
    try:
        return read_bytes(root, path, MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("Not UTF-8 text.", error.object[: error.start].count(b"\n") + 1) from None
