"""A Healthchecks server that is spoken to as its documentation says: the embedded one, or any by its address and key."""

from __future__ import annotations

import functools
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

LIMIT = 20
BUSY = 70
"""Seconds after which a limit of requests in a minute is over for certain."""
NOBODY = "00000000-0000-4000-8000-000000000000"


@functools.cache
def _http() -> httpx.Client:
    """One client for all: each new one reads the certificates again, which takes longer than most requests."""
    return httpx.Client(timeout=LIMIT, limits=httpx.Limits(keepalive_expiry=1))


@dataclass
class HealthchecksSite:
    """A project of a server. Parameters: ``read_key``, ``ping_key``, empty where they are not known."""

    url: str
    key: str
    read_key: str = ""
    ping_key: str = ""
    embedded: bool = False
    made: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        """A call of the management API; waits where the server limits how often it is asked."""
        headers = {"X-Api-Key": self.key if key is None else key, **more.pop("headers", {})}
        url = path if "://" in path else f"{self.url}/api/v3{path}"
        end = time.monotonic() + BUSY
        while True:
            answer = _http().request(method, url, headers=headers, **more)
            if answer.status_code != 429 or time.monotonic() > end:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 5)))

    def create(self, **fields: Any) -> dict[str, Any]:
        """A new check; it is deleted when the test is over."""
        answer = self.call("POST", "/checks/", json=fields)
        assert answer.status_code == 201, answer.text
        return self.mine(answer)

    def mine(self, answer: httpx.Response) -> dict[str, Any]:
        """The check in an answer, which is deleted when the test is over."""
        check: dict[str, Any] = answer.json()
        self.made.append(check["update_url"])
        return check

    def show(self, check: dict[str, Any]) -> dict[str, Any]:
        """A check as it is now."""
        answer = self.call("GET", check["update_url"])
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def pings(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        """What has come, newest first."""
        found: list[dict[str, Any]] = self.call("GET", f"{check['update_url']}/pings/").json()["pings"]
        return found

    def flips(self, check: dict[str, Any], query: str = "") -> list[int]:
        """Whether each change was to "up", newest first."""
        return [flip["up"] for flip in self.call("GET", f"{check['update_url']}/flips/{query}").json()["flips"]]

    def by_slug(self, slug: str) -> str:
        """The address that pings a check by its slug."""
        parts = urlsplit(self.create()["ping_url"])
        base = parts.path.rpartition("/")[0]
        return f"{parts.scheme}://{parts.netloc}{base}/{self.ping_key}/{slug}"

    def clean(self) -> None:
        """Delete what was made."""
        while self.made:
            self.call("DELETE", self.made.pop())


def ping(address: str, method: str = "GET", **more: Any) -> httpx.Response:
    """A ping."""
    return _http().request(method, address, **more)


def new_name() -> str:
    """A name, slug or tag that no other test has."""
    return f"conformance-{secrets.token_hex(6)}"
