"""The files of a backup as people look through them: a level at a time, or by a part of their name; in pages."""

from __future__ import annotations

from bisect import bisect_right

from naas_client.models import ObjectPage, StoredObject


def browse(files: dict[str, int], prefix: str, cursor: str, limit: int, search: str) -> ObjectPage:
    """A page of what is below a folder of a backup, in the order of names.

    Parameters: ``files``, path below the home and bytes, as `BackupState.files_of` gives them; ``prefix``, empty or a folder with
    its slash; ``cursor``, the ``next`` of the page before, or empty; ``limit``, entries of a page; ``search``, text that a path
    below ``prefix`` contains, in small or capital letters: then files of all levels come. A folder's size is that of all its files.
    """
    level = _matches(files, prefix, search) if search else _level(files, prefix)
    keys = sorted(level)
    start = bisect_right(keys, cursor) if cursor else 0
    shown = keys[start : start + limit]
    return ObjectPage(
        items=[StoredObject(key=key, folder=key.endswith("/"), size=level[key]) for key in shown],
        next=shown[-1] if start + limit < len(keys) else None,
        scanned=0 if cursor else len(files),
    )


def _matches(files: dict[str, int], prefix: str, search: str) -> dict[str, int]:
    wanted, skipped = search.casefold(), len(prefix)
    return {
        name: size for name, size in files.items() if name.startswith(prefix) and wanted in name[skipped:].casefold()
    }


def _level(files: dict[str, int], prefix: str) -> dict[str, int]:
    level: dict[str, int] = {}
    skipped = len(prefix)
    for name, size in files.items():
        if name.startswith(prefix):
            slash = name.find("/", skipped)
            key = name if slash < 0 else name[: slash + 1]
            level[key] = level.get(key, 0) + size
    return level
