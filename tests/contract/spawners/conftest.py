"""Each kind of spawner, in the whole product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from engine import images
from hub_session import HubSession
from product import Product, naas_up
from spawner_worlds import DockerWorld, LocalWorld, World

PROFILES = [
    {
        "slug": "small",
        "name": "Small",
        "groups": ["users/naas"],
        "cores": [1],
        "memory": ["512M"],
        "environment": {"OMP_NUM_THREADS": "1"},
        "default": True,
    },
    {"slug": "wide", "name": "Wide", "groups": ["developers"], "cores": [2], "memory": ["1G"]},
]


@dataclass
class Served:
    """A product with one kind of spawner."""

    product: Product
    world: World
    sign_in: Callable[[str], HubSession]

    def stored(self, path: str) -> bytes | None:
        """An object in the store, as the store's own disk has it."""
        file = self.product.data / "store" / "buckets" / path
        return file.read_bytes() if file.is_file() else None


@pytest.fixture(scope="module", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Product, World]]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "docker":
        images("lab", "agent")
    settings: dict[str, Any] = {"profiles": PROFILES}
    with naas_up(folder, settings, options=("--spawner", request.param)) as product:
        yield product, {"local": LocalWorld, "docker": DockerWorld}[request.param](product)


@pytest.fixture
def served(running: tuple[Product, World]) -> Iterator[Served]:
    """The product; everybody's server is stopped after each test."""
    product, world = running
    sessions: list[HubSession] = []

    def sign_in(name: str) -> HubSession:
        session = HubSession(product.url, name)
        sessions.append(session)
        assert session.sign_in().status_code == 200
        return session

    yield Served(product, world, sign_in)
    for session in sessions:
        if session.hub("GET", f"/users/{session.name}").json().get("servers"):
            session.stop_server()
        session.http.close()
