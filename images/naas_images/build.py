"""One image after the other, each only when something that goes into it has changed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from naas_images import docker
from naas_images.debian import debian
from naas_images.docker import BuildFailed
from naas_images.packages import digest, node_modules, own_digest, own_wheel, requirements, wheels
from naas_images.recipes import CACHE, PYTHON, RECIPES, REPOSITORY, SBOMS, Recipe
from naas_images.sbom import write_sbom

SOURCE = "io.infn.naas.source"
"""Label with the digest of everything that an image was built from."""


@dataclass(frozen=True)
class Built:
    """What came of one image."""

    tag: str
    size: int
    """Bytes, with all layers that it shares with others."""
    seconds: float
    unchanged: bool


def usual_tag() -> str:
    """The tag when none is given: ``NAAS_IMAGES_TAG`` (several checkouts may share an engine), else the product's version."""
    if said := os.environ.get("NAAS_IMAGES_TAG"):
        return said
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def with_parents(names: list[str]) -> list[str]:
    """The images, and those that they start from, in the order in which to build them."""
    found: list[str] = []
    for name in names:
        line: list[str] = []
        at: str | None = name
        while at and at not in found:
            line.insert(0, at)
            at = RECIPES[at].parent
        found += line
    return found


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run builds from this checkout: two would use the same folders."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Builder:
    """Builds images and remembers what was built in this run.

    Parameters: ``base``, the image to start from (empty: a Debian made here); ``tag``, of all images (empty: `usual_tag`);
    ``fresh``, take nothing from an earlier run.
    """

    def __init__(self, base: str = "", tag: str = "", *, fresh: bool = False) -> None:
        self._base = base
        self._tag = tag or usual_tag()
        self._fresh = fresh
        self._pool = ThreadPoolExecutor(1)
        self._gathering: dict[str, Future[dict[str, Path]]] = {}

    def gather(self, names: list[str]) -> None:
        """Begin to fetch the wheels of these images, while something else is built."""
        for name in names:
            if RECIPES[name].lock:
                self._gathering[name] = self._pool.submit(_gather, RECIPES[name])

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def named(self, name: str, variant: str = "") -> str:
        """The name of an image in the engine."""
        return f"naas/{name}{'-' if variant else ''}{variant}:{self._tag}"

    def build(self, name: str, variant: str = "") -> Built:
        """Build one image, whose parent must be there. Raises BuildFailed."""
        recipe, start = RECIPES[name], time.monotonic()
        if variant and variant not in recipe.variants:
            raise BuildFailed(f"{name} has no variant {variant}. It has: {', '.join(recipe.variants) or 'none'}.")
        parent = self.named(recipe.parent) if recipe.parent else self._base or debian(fresh=self._fresh)
        made = self.named(name, variant)
        source = self._source(recipe, parent, variant)
        found = docker.inspect(made)
        unchanged = bool(found and not self._fresh and (found["Config"]["Labels"] or {}).get(SOURCE) == source)
        if not unchanged:
            arguments = {"BASE": parent, **({"VARIANT": variant} if variant else {})}
            with tempfile.TemporaryDirectory(prefix="context-", dir=CACHE) as context:
                self._stage(recipe, Path(context))
                docker.build(Path(context), made, arguments, {SOURCE: source}, fresh=self._fresh)
            found = docker.inspect(made)
            if not recipe.parent:
                _check_python(made)
        bill = SBOMS / f"{made.removeprefix('naas/').replace(':', '-')}.cdx.json"
        if not unchanged or not bill.exists():
            write_sbom(made, bill)
        size = int(found["Size"]) if found else 0
        return Built(made, size, time.monotonic() - start, unchanged)

    def _source(self, recipe: Recipe, parent: str, variant: str) -> str:
        """The digest of all that goes into the image."""
        known = docker.inspect(parent)
        files = [file for file in recipe.folder.rglob("*") if file.is_file()]
        files += [recipe.lock] if recipe.lock else []
        return digest(files, known["Id"] if known else parent, variant, own_digest() if recipe.extras else "")

    def _stage(self, recipe: Recipe, context: Path) -> None:
        """Put together what the Dockerfile copies."""
        shutil.copytree(recipe.folder, context, dirs_exist_ok=True)
        if not recipe.lock:
            return
        for folder, gathered in (
            (self._gathering.get(recipe.name) or self._pool.submit(_gather, recipe)).result().items()
        ):
            shutil.copytree(gathered, context / folder, copy_function=os.link, symlinks=True)
        (context / "requirements.txt").write_text(requirements(recipe, context / "wheels"))


def _gather(recipe: Recipe) -> dict[str, Path]:
    """What the Dockerfile copies and is not in the repository: folder in the build context, and where it is here."""
    found = {"wheels": wheels(recipe)}
    if recipe.extras:
        found["own"] = own_wheel()
    if (recipe.folder / "package.json").exists():
        found["node_modules"] = node_modules(recipe) / "node_modules"
    return found


def _check_python(image: str) -> None:
    """The wheels are chosen for one version of Python: say so before pip does, in its words."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = docker.docker("run", "--rm", "--network=none", "--entrypoint=python3", image, "-c", program).strip()
    if found != PYTHON:
        raise BuildFailed(
            f"The base image has Python {found}, the images are made for {PYTHON}. Name another with --base."
        )
