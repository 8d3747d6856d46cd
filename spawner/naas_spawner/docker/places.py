"""What root prepares on the machine for a person's containers. Whatever the person has put in the way is neither followed nor changed."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from naas_spawner.uids import make_folder

ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    "{name}:x:{uid}:{uid}:{name}:{home}:/bin/bash\n",
    "group": "root:x:0:\nnogroup:x:65534:\n{name}:x:{uid}:\n",
}
"""Bound over the image's own, so that the person's uid has a name in every image."""


def write_accounts(folder: Path, name: str, uid: int, home: Path) -> None:
    """Write ``passwd`` and ``group`` for a person. Parameters: ``home``, as the container sees it."""
    for file, text in ACCOUNTS.items():
        write_as(folder, file, text.format(name=name, uid=uid, home=home), 0, 0o644)


def write_as(folder: Path, name: str, text: str, uid: int, mode: int = 0o600) -> None:
    """Write a file into a folder that is, or was, a person's own, as root: what is there already is replaced, no link is followed."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    temporary = f".{name}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=place), "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(file.fileno(), uid, uid)
            os.fchmod(file.fileno(), mode)
        os.replace(temporary, name, src_dir_fd=place, dst_dir_fd=place)
    finally:
        os.close(place)


def mount_point(home: Path, name: str, uid: int | None, before: Path) -> str:
    """Have an empty folder in a home, over which a container binds another; why there is none, for people.

    A link to ``before``, or below it, which `NaasLocalSpawner` left there, gives way; a link of the person's own does not.
    """
    point = home / name
    if point.is_symlink() and point.readlink().is_relative_to(before):
        point.unlink()
    if not os.path.lexists(point):
        make_folder(point, uid, 0o500)
        return ""
    try:
        free = stat.S_ISDIR(point.lstat().st_mode) and next(os.scandir(point), None) is None
    except OSError:
        free = False
    return "" if free else f"{name} in your home is in the way of a folder. Rename it and start the server again."
