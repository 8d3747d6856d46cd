"""An engine that is away, or whose answers are refusals, as sentences."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import docker
import pytest
from naas_client.errors import InvalidInput, Unavailable
from naas_spawner.docker.engine import Engine, EngineRefused, explain


def away(path: Path) -> Engine:
    return Engine(lambda: docker.APIClient(f"unix://{path}", version="1.41", timeout=2))


def test_an_engine_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="container engine does not answer") as refused:
        asyncio.run(away(tmp_path / "docker.sock").call("info"))
    assert refused.value.code == "engine"


def test_an_engine_that_goes_away_in_the_middle_is_said(tmp_path: Path) -> None:
    """It takes the request and closes."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Unavailable, match="does not answer"):
            asyncio.run(away(path).inspect("naas-alice"))
        thread.join(5)


@pytest.mark.parametrize(
    ("said", "kind", "code", "words"),
    [
        ("write /x: no space left on device", Unavailable, "disk", "no room left on the disk"),
        (
            'could not select device driver "" with capabilities: [[gpu]]',
            Unavailable,
            "gpu",
            "could not select device driver",
        ),
        ("No such image: nowhere/x:1", InvalidInput, "image", "cannot be downloaded"),
        (
            'exec: "jupyterhub-singleuser": executable file not found in $PATH',
            InvalidInput,
            "image",
            "no notebook server",
        ),
        ("network naas not found", Unavailable, "network", "docker network create"),
        ("something new", Unavailable, "engine", "something new"),
    ],
)
def test_refusals_have_a_remedy(said: str, kind: type[Exception], code: str, words: str) -> None:
    error = explain(EngineRefused(said), "nowhere/x:1")
    assert isinstance(error, kind)
    assert error.code == code
    assert words in error.message
