"""A gateway beside the embedded Healthchecks, with a proxy between them that can fail; and people with projects there."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fault_proxy import FaultProxy
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.gateway import SyncGatewayClient
from naas_client.gateway.checks import SyncChecksClient
from naas_client.models import CheckProject, NewCheckProject
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.iam import EmbeddedIam
from pydantic import SecretStr

_names = itertools.count(1)


@dataclass
class ChecksSite:
    """``between`` is the proxy that the gateway reaches ``server`` through."""

    gateway: Gateway
    hub: HubStandIn
    server: EmbeddedHealthchecks
    between: FaultProxy

    def person(self, name: str, *scopes: str) -> SyncGatewayClient:
        """A client of somebody who has signed in."""
        self.gateway.sign_in(name)
        return self.gateway.client(self.hub.user_token(name, *scopes))

    def keys(self) -> dict[str, str]:
        """The keys of a new project on the server."""
        made: dict[str, str] = self.server.project(f"project-{next(_names)}")
        return made

    def registered(self, checks: SyncChecksClient, kind: str = "api_key", **more: Any) -> tuple[CheckProject, str]:
        """A new project of somebody, and the key it is registered by."""
        key = self.keys()[kind]
        return checks.register(new_project(key, **more)), key

    def audit(self, action: str) -> list[tuple[str, str]]:
        """Who did what kind of thing to which object, newest first."""
        admin = self.gateway.client(self.hub.user_token("dana", "custom:naas:admin"))
        return [(row.actor, row.object) for row in admin.audit(action=action, limit=200).items]

    def metric(self, name: str, **labels: str) -> float:
        """A counter of the gateway."""
        url, headers = (
            f"{self.gateway.url}/services/naas/metrics",
            {"Authorization": f"Bearer {self.gateway.hub_token}"},
        )
        inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
        for line in httpx.get(url, headers=headers).text.splitlines():
            if line.startswith(f"{name}{{{inside}}} "):
                return float(line.rpartition(" ")[2])
        return 0.0


def new_project(key: str, name: str = "Calibration", **more: Any) -> NewCheckProject:
    """What one sends to register a project."""
    return NewCheckProject(name=name, api_key=SecretStr(key), **more)


@contextlib.contextmanager
def checks_site(
    folder: Path,
    iam: EmbeddedIam,
    hub: HubStandIn,
    /,
    *,
    server: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> Iterator[ChecksSite]:
    """Parameters: ``server``, options of the embedded Healthchecks; ``sections``, settings of the gateway to change."""
    with (
        embedded_healthchecks(folder, **(server or {})) as running,
        FaultProxy(running.url).running() as between,
    ):
        healthchecks = {"url": between.url, "ping_url": running.ping_url, **sections.pop("healthchecks", {})}
        with gateway_app(
            folder / "gateway", iam, healthchecks=healthchecks, gateway={"hub_api_url": hub.url}, **sections
        ) as gateway:
            hub.service_token = gateway.hub_token
            yield ChecksSite(gateway, hub, running, between)
