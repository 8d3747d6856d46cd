"""What a home has from its first day: folders, a shell prompt, the examples. Runs as the person, and never overwrites anything."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

BASHRC = """\
# There is no passwd entry for people of this service, so the prompt takes the name from the environment.
PS1='\\[\\e[32m\\]${JUPYTERHUB_USER:-$USER}\\[\\e[0m\\]:\\w\\$ '
alias ll='ls -l'
"""

GIVEN = ".given.json"
"""Names of the examples that were copied once: what a person deletes stays deleted, what is new arrives."""


def write(path: Path, text: str) -> None:
    """Write a file with mode 0600; an old one, or a link in its place, is replaced."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def fill(home: Path, folders: Sequence[str], examples: Path | None) -> None:
    """Give a home what it does not have yet; what the person put in the way stays, and keeps no server from starting."""
    for name in folders:
        with _tried(name):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    if not os.path.lexists(home / ".bashrc"):
        with _tried(".bashrc"):
            write(home / ".bashrc", BASHRC)
    if examples is not None and examples.is_dir():
        with _tried("examples"):
            copy_new(examples, home / "examples")


def link(home: Path, links: Mapping[str, str], withdrawn: Mapping[str, str]) -> None:
    """Make links where nothing has their name, and take away those that are exactly a withdrawn one.

    Parameters: name → path that the link leads to. A link that leads nowhere is made anew: its folder was moved.
    """
    for name, target in withdrawn.items():
        with _tried(name):
            if _target(home / name) == target:
                (home / name).unlink()
    for name, target in links.items():
        with _tried(name):
            there = _target(home / name)
            if there is not None and there != target and not _leads_somewhere(home / name):
                (home / name).unlink()
            if there != target:
                (home / name).symlink_to(target)


def _target(path: Path) -> str | None:
    """Where a link leads; None when there is none."""
    return str(path.readlink()) if path.is_symlink() else None


def _leads_somewhere(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _tried(what: str) -> Iterator[None]:
    """Say in the server's log what could not be made, instead of ending the start: only in a server can the person mend it."""
    try:
        yield
    except OSError as error:
        print(f"{what} could not be made in your home: {error}", file=sys.stderr)


def copy_new(source: Path, target: Path) -> None:
    """Copy the files of a folder that were never copied before."""
    target.mkdir(mode=0o700, exist_ok=True)
    given = _given(target)
    names = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file() and _shown(path, source)}
    for name in sorted(names - given):
        place = target / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.lexists(place):
            shutil.copyfile(source / name, place)
    if names - given:
        write(target / GIVEN, json.dumps(sorted(names | given)))


def _shown(path: Path, source: Path) -> bool:
    return not any(part.startswith((".", "__")) for part in path.relative_to(source).parts)


def _given(target: Path) -> set[str]:
    try:
        return set(json.loads((target / GIVEN).read_text()))
    except (OSError, ValueError, TypeError):
        return set()
