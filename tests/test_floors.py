"""The house rules of docs/architecture.md, held by reading the imports of every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "naas_client": set(),
    "naas_catalogue": {"naas_client"},
    "naas_storage": {"naas_client"},
    "naas_authenticator": {"naas_client"},
    "naas_spawner": {"naas_client", "naas_storage"},
    "naas_gateway": {"naas_client", "naas_catalogue"},
    "naas_server": {"naas_client", "naas_storage"},
    "naas_hub": {"naas_client", "naas_authenticator", "naas_spawner", "naas_storage"},
    "naas_local": {"naas_client", "naas_catalogue", "naas_spawner"},
    "naas_images": set(),
}
FORBIDDEN_LIBRARIES = {
    "naas_catalogue": {"jupyterhub", "fastapi", "tornado", "sqlalchemy", "toscaparser"},
    "naas_client": {"jupyterhub", "fastapi", "tornado", "sqlalchemy"},
    "naas_storage": {"jupyterhub", "fastapi", "oauthenticator", "sqlalchemy"},
    "naas_server": {"fastapi", "oauthenticator", "dockerspawner", "kubespawner"},
    "naas_hub": {"jupyterlab", "fastapi"},
    "naas_gateway": {"jupyterlab", "oauthenticator"},
}
PACKAGES = {package.name: package for package in ROOT.glob("*/naas_*") if package.is_dir()}


def imported(package: Path) -> dict[str, set[str]]:
    """Top-level names that each module of a package imports."""
    found: dict[str, set[str]] = {}
    for module in package.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
        found[str(module.relative_to(ROOT))] = names
    return found


def test_every_room_is_known() -> None:
    assert set(PACKAGES) == set(MAY_IMPORT)


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_room_imports_only_from_lower_floors(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    for module, names in imported(PACKAGES[package]).items():
        ours = {name for name in names if name.startswith("naas_")}
        assert ours <= allowed, f"{module} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("package", sorted(FORBIDDEN_LIBRARIES))
def test_a_room_stays_free_of_the_libraries_of_other_images(package: str) -> None:
    for module, names in imported(PACKAGES[package]).items():
        assert not names & FORBIDDEN_LIBRARIES[package], module
