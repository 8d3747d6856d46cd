"""`images/lock/*.txt`: the exact Python packages of each image, with their hashes. Made by uv, which resolves for the image's Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from naas_images.docker import BuildFailed
from naas_images.packages import GLIBC
from naas_images.recipes import PYTHON, RECIPES, REPOSITORY, Recipe

HEADER = "# Made by `images/build.sh --lock`; what goes in is said by setup.py and images/{name}/requirements.in.\n"
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+).*(?:\\\n    --hash=\S+ ?)+", re.MULTILINE)
"""One package of a lock, with all its lines."""


def pins(lock: Path) -> dict[str, str]:
    """Name and version of each package of a lock."""
    return {found[1]: found[2] for found in PIN.finditer(lock.read_text())}


def lock(recipe: Recipe, *, upgrade: bool) -> None:
    """Write an image's lock. Pins that still fit stay as they are, unless all are to be the newest."""
    if not recipe.lock:
        return
    if not (uv := shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")):
        raise BuildFailed("uv is missing, which makes locks. Run `make install`, or `pip install uv`.")
    parent = RECIPES[recipe.parent].lock if recipe.parent else None
    with tempfile.TemporaryDirectory(prefix="naas-lock-") as name:
        made = Path(name) / recipe.lock.name
        if recipe.lock.exists():
            shutil.copy(recipe.lock, made)
        argv = [
            uv,
            "pip",
            "compile",
            "--quiet",
            f"--python-version={PYTHON}",
            f"--python-platform=x86_64-manylinux_2_{GLIBC}",
        ]
        argv += ["--generate-hashes", "--no-header", "--no-annotate", f"--output-file={made}"]
        argv += ["--upgrade"] if upgrade else []
        argv += [f"--constraint={parent}"] if parent else []
        argv += ["setup.py", *(f"--extra={extra}" for extra in recipe.extras)] if recipe.extras else []
        argv += [str(recipe.requirements)] if recipe.requirements else []
        done = subprocess.run(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise BuildFailed(f"There are no packages that fit together for {recipe.name}:\n{done.stdout.strip()}")
        has = pins(parent) if parent else {}
        own = [found[0].rstrip() for found in PIN.finditer(made.read_text()) if found[1] not in has]
        recipe.lock.write_text(HEADER.format(name=recipe.name) + "\n".join(own) + "\n")
