"""Wheels, gathered on this machine with its own pip, so that nothing of its mirrors and certificates gets into an image."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from naas_images.docker import BuildFailed
from naas_images.recipes import CACHE, PYTHON, REPOSITORY, Recipe

GLIBC = 36
"""Debian 12 has glibc 2.36: wheels made for it and for all older ones run (PEP 600)."""

LAB_EXTENSION = REPOSITORY / "server_extension/naas_server/labextension/package.json"
PROJECT = ("setup.py", "pyproject.toml", "README.md", "LICENSE")


def digest(files: Iterable[Path], *more: str) -> str:
    """A name for these files' paths, modes and contents."""
    found = hashlib.sha256(repr(more).encode())
    for file in sorted(files):
        found.update(f"{file.relative_to(REPOSITORY)} {file.stat().st_mode & 0o111}\n".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def wheels(recipe: Recipe) -> Path:
    """Folder with all wheels of an image's lock, downloaded if they are not here yet."""
    assert recipe.lock
    here = CACHE / "wheels" / f"{recipe.name}-{digest([recipe.lock])[:12]}"
    if here.exists():
        return here
    argv = [
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        f"--python-version={PYTHON}",
        "--implementation=cp",
    ]
    argv += [f"--platform={name}" for name in _platforms()]
    with _made_whole(here) as folder:
        _pip([*argv, "--dest", str(folder), "--requirement", str(recipe.lock)])
    for old in here.parent.glob(f"{recipe.name}-*"):
        if old != here:
            shutil.rmtree(old)
    return here


def own_wheel() -> Path:
    """Folder with the wheel of this checkout; the same sources give the same wheel, byte for byte."""
    if not LAB_EXTENSION.exists():
        raise BuildFailed("The Lab extension is not built. Run `make install` first.")
    here = CACHE / "own" / own_digest()[:12]
    if here.exists():
        return here
    with tempfile.TemporaryDirectory(prefix="naas-wheel-") as name:
        # From a copy: setuptools leaves `build/` behind and would take deleted modules from there next time.
        copy = Path(name)
        for file in _own_files():
            (target := copy / file.relative_to(REPOSITORY)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        with _made_whole(here) as folder:
            _pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(copy)], SOURCE_DATE_EPOCH="315532800")
    for old in here.parent.iterdir():
        if old != here:
            shutil.rmtree(old)
    return here


def own_digest() -> str:
    """Changes with the sources of the product."""
    return digest(_own_files())


def _own_files() -> Iterator[Path]:
    yield from (REPOSITORY / name for name in PROJECT)
    for package in sorted(REPOSITORY.glob("*/naas_*")):
        if package.name != "naas_images":
            yield from (f for f in package.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    yield from (f for f in (REPOSITORY / "server_extension").iterdir() if f.is_file())


def _platforms() -> list[str]:
    machine = platform.machine()
    return [
        *(f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)),
        *(f"manylinux{n}_{machine}" for n in (2014, 2010, 1)),
    ]


class _made_whole:  # noqa: N801 - a context manager
    """A folder that appears under its name only when the block has ended well."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._made = Path(tempfile.mkdtemp(prefix=".", dir=self._target.parent))
        return self._made

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._made.rename(self._target)
        else:
            shutil.rmtree(self._made)


def _pip(argv: list[str], **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *argv],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise BuildFailed(f"pip {argv[0]} failed:\n" + "\n".join(done.stdout.strip().splitlines()[-10:]))
