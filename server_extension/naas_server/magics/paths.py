"""From what a person calls a file to bucket and key."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from naas_client.errors import InvalidInput
from naas_storage import connect

VIEW = "cloud-storage"


def place(path: str) -> tuple[str, str]:
    """Bucket and key (or prefix). Nothing is looked up on disk: a mount that hangs would hang the notebook.

    Parameters: ``path``, a path below ``cloud-storage``, or ``bucket/key``. Raises InvalidInput for another place.
    """
    if path.startswith("s3://"):
        name, _, rest = path.removeprefix("s3://").partition("/")
        return name, rest
    inside = _below_view(path)
    name, _, rest = (path if inside is None else inside).partition("/")
    for folder in connect.plan().usable:
        if folder.name == name:
            return folder.bucket, f"{folder.prefix}/{rest}" if folder.prefix else rest
    if inside is None or not name:
        return name, rest
    raise InvalidInput(f"There is no folder {name[:100]} in {VIEW}. `%storage ls` shows your buckets.")


def _below_view(path: str) -> str | None:
    """The part of a path below ``cloud-storage``; None when it is not there."""
    plan = connect.plan()
    slash = "/" if path.endswith("/") else ""
    absolute = PurePosixPath(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would touch mounts
    for root in (Path.home() / VIEW, plan.view, plan.link):
        if root is not None and absolute.is_relative_to(root):
            inside = absolute.relative_to(root).as_posix()
            return "" if inside == "." else f"{inside}{slash}"
    if path.startswith(("/", "~")):
        raise InvalidInput(f"That is not below {VIEW}. Give a path below it, or bucket/key.")
    return path.removeprefix(f"{VIEW}/") if path.startswith(f"{VIEW}/") else None
