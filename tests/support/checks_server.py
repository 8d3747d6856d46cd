"""Checks on the embedded Healthchecks, as its management API tells them (no gateway between)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx
from naas_local.healthchecks import EmbeddedHealthchecks
from waiting import wait_for


@dataclass
class OneCheck:
    """A check on a server. ``url``: its ping address."""

    server: EmbeddedHealthchecks
    key: str
    url: str

    @classmethod
    def on(cls, server: EmbeddedHealthchecks, owner: str, name: str = "work") -> OneCheck:
        """A new check in somebody's new project."""
        key = server.project(owner)["api_key"]
        made = httpx.post(f"{server.url}/api/v3/checks/", headers={"X-Api-Key": key}, json={"name": name})
        return cls(server, key, made.json()["ping_url"])

    def _get(self, path: str) -> httpx.Response:
        code = self.url.rpartition("/")[2]
        return httpx.get(f"{self.server.url}/api/v3/checks/{code}{path}", headers={"X-Api-Key": self.key})

    @property
    def pings(self) -> list[dict[str, Any]]:
        """What arrived, the oldest first, each with its ``body``."""
        found: list[dict[str, Any]] = self._get("/pings/").json()["pings"]
        for ping in found:
            ping["body"] = self._get(f"/pings/{ping['n']}/body").text if ping["body_url"] else ""
        return sorted(found, key=lambda ping: ping["n"])

    @property
    def kinds(self) -> list[str]:
        """The kinds of pings that arrived, the oldest first."""
        return [ping["type"] for ping in self.pings]

    @property
    def status(self) -> str:
        """How the check is."""
        return str(self._get("").json()["status"])

    def wait(self, *kinds: str, limit: float = 30) -> list[dict[str, Any]]:
        """The pings, when exactly these have arrived."""
        wait_for(lambda: len(self.kinds) >= len(kinds), f"{kinds} at the check", limit)
        assert (found := self.kinds) == list(kinds), found
        return self.pings


def is_late(ping: dict[str, Any]) -> bool:
    """Whether a ping says that it is late."""
    return "late: it was meant for" in ping["body"]


def took(ping: dict[str, Any]) -> float:
    """Seconds that the run took, by its own clock; the server's duration is between two arrivals."""
    found = re.search(r"It took ([0-9.]+) s\.", ping["body"])
    assert found is not None, ping
    return float(found[1])
