"""Real launcher, proxy and hub for the tests of the spawner."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, gateway_app
from naas_local.iam import EmbeddedIam, embedded_iam
from spawner_stack import HubUnderTest, LauncherProcess, hub_in, launcher_in


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that people's uids can reach (in the view as root; the path itself as anybody else)."""
    folder: Path = tmp_path_factory.mktemp("data")
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def launcher(data: Path) -> Iterator[LauncherProcess]:
    with launcher_in(data) as process:
        yield process


@pytest.fixture
def own_launcher(tmp_path: Path) -> Iterator[LauncherProcess]:
    """A launcher for a test that ends it."""
    tmp_path.chmod(0o711)
    with launcher_in(tmp_path) as process:
        yield process


@pytest.fixture(scope="module")
def spawner_settings() -> dict[str, Any]:
    """A module may override this to configure its hub's spawner."""
    return {}


@pytest.fixture(scope="module")
def hub(data: Path, launcher: LauncherProcess, spawner_settings: dict[str, Any]) -> Iterator[HubUnderTest]:
    with hub_in(data, launcher, spawner_settings) as running:
        yield running


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(tmp_path_factory.mktemp("iam")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam) -> Iterator[Gateway]:
    with gateway_app(tmp_path_factory.mktemp("gateway"), iam) as running:
        yield running


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of `nvidia-smi`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def put(content: str) -> None:
        path = programs / "nvidia-smi"
        path.write_text(content)
        path.chmod(0o755)

    return put
