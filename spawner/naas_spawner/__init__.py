"""Profiles and their form, the shared spawner mixin, `NaasLocalSpawner` with its launcher, `NaasDockerSpawner`.

The classes are imported when they are first asked for: the launcher and the settings need nothing of JupyterHub's spawners.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_CLASSES = {
    "NaasDockerSpawner": "naas_spawner.docker.spawner",
    "NaasLocalSpawner": "naas_spawner.local",
    "NaasSpawnerMixin": "naas_spawner.mixin",
}
__all__ = ["NaasDockerSpawner", "NaasLocalSpawner", "NaasSpawnerMixin"]


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(_CLASSES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
