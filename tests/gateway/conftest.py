"""The room's fixtures: a real IAM, a real store, real gateways; the hub is a stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_local.iam import EmbeddedIam, embedded_iam

SCRATCH, OBJECT = "scratch", "object"


def eventually(condition: Callable[[], Any], what: str, limit: float = 15.0) -> Any:
    """The first true value of a condition; fails with a sentence after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {limit:.0f} s"
        time.sleep(0.02)
    return value


@pytest.fixture(name="eventually", scope="session")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(tmp_path_factory.mktemp("iam")) as running:
        yield running


@pytest.fixture(scope="module")
def hub() -> Iterator[HubStandIn]:
    with HubStandIn().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[Gateway]:
    """A gateway with IAM and hub, without a store."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    with gateway_app(folder, iam, gateway={"hub_api_url": hub.url}) as running:
        hub.service_token = running.hub_token
        yield running
