"""The room's fixtures: a real IAM, a real store, real gateways; the hub is a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_local.iam import EmbeddedIam, embedded_iam
from waiting import wait_for

SCRATCH, OBJECT = "scratch", "object"


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    return wait_for


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


@pytest.fixture(scope="module")
def signed_in(gateway: Gateway) -> Gateway:
    for name in ("alice", "bob", "carol", "dana"):
        gateway.sign_in(name)
    return gateway
