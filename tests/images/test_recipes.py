"""What the images are made from: recipes, locks, Dockerfiles. No engine is needed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from naas_images.build import Builder, with_parents
from naas_images.debian import _import
from naas_images.docker import BuildFailed
from naas_images.locks import pins
from naas_images.packages import requirements
from naas_images.recipes import IMAGES, RECIPES, REPOSITORY, Recipe
from packaging.requirements import Requirement

LOCKED = [recipe for recipe in RECIPES.values() if recipe.lock]


def wanted(name: str) -> list[Requirement]:
    """What an image asks for, by the extras of the product and by its own list."""
    recipe = RECIPES[name]
    ours = [Requirement(line) for line in importlib.metadata.requires("jupyterhub-naas") or []]
    found = [
        r
        for r in ours
        if recipe.extras and (not r.marker or any(r.marker.evaluate({"extra": e}) for e in recipe.extras))
    ]
    own = recipe.requirements.read_text() if recipe.requirements else ""
    return found + [Requirement(line) for line in own.splitlines() if line and not line.startswith("#")]


def test_every_dockerfile_belongs_to_an_image() -> None:
    assert {file.parent.name for file in IMAGES.glob("*/Dockerfile")} == set(RECIPES)


def test_parents_come_first_and_once() -> None:
    assert with_parents(["ml", "agent", "lab"]) == ["base", "lab", "ml", "agent"]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_dockerfile_has_no_complaint_of_the_linter(name: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, IMAGES / name / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("recipe", LOCKED, ids=lambda recipe: recipe.name)
def test_a_lock_holds_what_its_image_asks_for(recipe: Recipe) -> None:
    name = recipe.name
    assert RECIPES[name].lock
    held = pins(RECIPES[name].lock)
    parent = RECIPES[name].parent
    inherited = pins(RECIPES[parent].lock) if parent and RECIPES[parent].lock else {}
    assert held
    assert not set(held) & set(inherited), "both in the image and in the one it starts from"
    for requirement in wanted(name):
        version = {**inherited, **held}.get(requirement.name.lower().replace("_", "-"))
        assert version, f"{requirement} is missing: images/build.sh --lock {name}"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}: images/build.sh --lock {name}"
        )


def test_a_wheel_made_of_source_is_installed_by_its_own_hash(tmp_path: Path) -> None:
    (tmp_path / "oncalendar-1.1-py3-none-any.whl").write_bytes(b"made here")
    recipe = RECIPES["hub"]
    assert recipe.lock
    text = requirements(recipe, tmp_path)
    added = f"    --hash=sha256:{hashlib.sha256(b'made here').hexdigest()} \\\n"
    assert text.count(added) == 1
    assert text.replace(added, "") == recipe.lock.read_text()
    assert re.search(r"^oncalendar==\S+ \\\n" + re.escape(added) + "    --hash=sha256:", text, re.MULTILINE)
    assert requirements(recipe, tmp_path / "empty") == recipe.lock.read_text()


@pytest.mark.parametrize("recipe", LOCKED, ids=lambda recipe: recipe.name)
def test_a_lock_names_hashes_and_no_address(recipe: Recipe) -> None:
    text = recipe.lock.read_text()
    assert len(re.findall("--hash=sha256:", text)) >= text.count("==")
    assert "://" not in text
    assert "--index" not in text


def test_the_proxy_is_the_one_that_we_test_with() -> None:
    ours = json.loads((IMAGES / "hub/package.json").read_text())["dependencies"]
    tested = json.loads((REPOSITORY / "local_cloud/package.json").read_text())["dependencies"]
    assert ours["configurable-http-proxy"] == tested["configurable-http-proxy"]


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(BuildFailed, match=r"lab has no variant julia\. It has: r\."):
        Builder().build("lab", "julia")


@pytest.mark.parametrize(
    ("names", "said"), [(["lab"], "none of lab has the variant julia; they have: r"), (["agent"], "they have: none")]
)
def test_a_variant_that_nothing_named_has_builds_nothing(names: list[str], said: str) -> None:
    done = subprocess.run(
        [REPOSITORY / "images/build.sh", *names, "--variant", "julia"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_what_docker_says_is_told_not_that_tar_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker that refuses does not read what tar sends, on which tar ends with a signal."""
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/large").write_bytes(bytes(2**20))
    with pytest.raises(BuildFailed, match="docker failed:\nno space left on device"):
        _import(tmp_path / "root")


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def licence(value: str) -> tuple[int, str]:
    """Exit status and words of MATLAB's licence check."""
    argv = [sys.executable, IMAGES / "matlab/matlab-licence"]
    done = subprocess.run(argv, env={"MLM_LICENSE_FILE": value}, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_licence_check_finds_a_server_that_answers(listener: int) -> None:
    assert licence(f"/no/such/file:{listener}@127.0.0.1")[0] == 0


def test_the_licence_check_says_what_does_not_answer(listener: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, said = licence(f"{port}@127.0.0.1:/no/such/file")
    assert code == 1
    assert f"{port}@127.0.0.1: [Errno 111] Connection refused" in said
    assert "/no/such/file: the file cannot be read" in said


def test_the_licence_check_says_what_to_set() -> None:
    code, said = licence("")
    assert code == 1
    assert "MLM_LICENSE_FILE" in said
