"""Wheels, gathered on this machine with its own pip, so that nothing of its mirrors and certificates gets into an image."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from naas_images.docker import BuildFailed
from naas_images.recipes import CACHE, PYTHON, REPOSITORY, Recipe

GLIBC = 36
"""Debian 12 has glibc 2.36: wheels made for it and for all older ones run (PEP 600)."""

EPOCH = "315532800"
"""Time of all files in wheels that are made here (1980, the first that ZIP knows), so that the same sources give the same wheel."""

FROM_SOURCE = ("oncalendar",)
"""Packages that are published as source alone; pure Python, so the wheel that is made of them here is any image's."""

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
    if not recipe.lock:
        raise ValueError(f"{recipe.name} has no Python packages of its own")
    here = CACHE / "wheels" / f"{recipe.name}-{digest([recipe.lock])[:12]}"
    if here.exists():
        return here
    argv = [
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        *(f"--no-binary={name}" for name in FROM_SOURCE),
        f"--python-version={PYTHON}",
        "--implementation=cp",
    ]
    argv += [f"--platform={name}" for name in _platforms()]
    with _made_whole(here) as folder:
        _pip([*argv, "--dest", str(folder), "--requirement", str(recipe.lock)])
        for source in folder.glob("*.tar.gz"):
            _pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(source)], SOURCE_DATE_EPOCH=EPOCH)
            source.unlink()
    _forget_others(here, f"{recipe.name}-*")
    return here


def requirements(recipe: Recipe, folder: Path) -> str:
    """An image's lock, with the hashes of the wheels that were made of sources. Parameters: ``folder``, of `wheels`."""
    if not recipe.lock:
        raise ValueError(f"{recipe.name} has no Python packages of its own")
    text = recipe.lock.read_text()
    for name in FROM_SOURCE:
        for wheel in folder.glob(f"{name}-*-none-any.whl"):
            made = f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
            text = re.sub(rf"^({name}==\S+ \\\n)", rf"\1    {made} \\\n", text, flags=re.MULTILINE)
    return text


def node_modules(recipe: Recipe) -> Path:
    """Folder with the npm packages of an image's lock, fetched if they are not here yet; their install scripts do not run."""
    files = [recipe.folder / "package.json", recipe.folder / "package-lock.json"]
    here = CACHE / "npm" / f"{recipe.name}-{digest(files)[:12]}"
    if here.exists():
        return here
    with _made_whole(here) as folder:
        for file in files:
            shutil.copy(file, folder)
        _run(["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder)
    _forget_others(here, f"{recipe.name}-*")
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
            _pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(copy)], SOURCE_DATE_EPOCH=EPOCH)
    _forget_others(here, "*")
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


@contextlib.contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A folder that appears under its name only when the block has ended well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        yield made
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _forget_others(kept: Path, pattern: str) -> None:
    for old in kept.parent.glob(pattern):
        if old != kept:
            shutil.rmtree(old)


def _pip(argv: list[str], **environment: str) -> None:
    _run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *argv], environment=environment)


def _run(argv: list[str], *, cwd: Path = REPOSITORY, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-10:])
        raise BuildFailed(f"{' '.join(argv[:4])} ... failed:\n{said}")
