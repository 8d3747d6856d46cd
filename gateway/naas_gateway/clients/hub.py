"""JupyterHub's REST API, as far as the gateway needs it (jupyterhub.readthedocs.io, "JupyterHub REST API")."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from naas_client.errors import NotSignedIn, Unavailable
from naas_client.settings import GatewaySection

from naas_gateway.clients.http import Answer, Service

PAGE = 200
MOST_USERS = 100_000
"""A bound for a hub that never stops sending pages."""


@dataclass(frozen=True)
class Running:
    """One running or starting server; ``server`` is empty for a person's default one; ``started``: when its start was asked for."""

    username: str
    server: str
    started: dt.datetime | None = None


class Hub:
    """The hub. Parameters: ``token``, the gateway's own service token."""

    def __init__(self, settings: GatewaySection, token: str) -> None:
        self._api, self._token = settings.hub_api_url, token
        self.service = Service("hub", "The hub", settings.hub_api_url)

    async def whoami(self, token: str) -> dict[str, Any]:
        """The owner of a hub token (``GET /user``). Raises NotSignedIn or Unavailable."""
        answer = await self.service.request("GET", f"{self._api}/user", headers={"Authorization": f"token {token}"})
        if answer.status in (401, 403):
            raise NotSignedIn("The hub does not know this token (any more). Sign in again.")
        return self._document(answer)

    async def version(self) -> None:
        """Raise Unavailable unless the hub answers."""
        self._document(await self.service.request("GET", f"{self._api}/"))

    async def running(self) -> list[Running]:
        """Everybody's running and starting servers (``GET /users?state=active``, paged). Raises Unavailable."""
        found: list[Running] = []
        for offset in range(0, MOST_USERS, PAGE):
            params = {"state": "active", "offset": str(offset), "limit": str(PAGE)}
            answer = await self.service.request("GET", f"{self._api}/users", headers=self._own, params=params)
            users = self._list(answer)
            for user in users:
                if isinstance(user, dict):
                    servers = (user.get("servers") or {}).items()
                    found += [Running(user["name"], name, _started(server)) for name, server in servers]
            if len(users) < PAGE:
                break
        return found

    async def has_server(self, username: str) -> bool:
        """Whether one of a person's servers runs or starts (``GET /users/{name}``). Raises Unavailable."""
        url = f"{self._api}/users/{quote(username, safe='')}"
        answer = await self.service.request("GET", url, headers=self._own)
        return answer.status != 404 and bool(self._document(answer).get("servers"))

    async def stop(self, server: Running) -> bool:
        """Have a server stopped; True when the hub has begun (or it was stopped). Raises Unavailable."""
        user = f"{self._api}/users/{quote(server.username, safe='')}"
        url = f"{user}/servers/{quote(server.server, safe='')}" if server.server else f"{user}/server"
        answer = await self.service.request("DELETE", url, headers=self._own)
        return answer.status in (200, 202, 204, 404)

    @property
    def _own(self) -> dict[str, str]:
        return {"Authorization": f"token {self._token}"}

    def _document(self, answer: Answer) -> dict[str, Any]:
        body = answer.json() if answer.status == 200 else None
        if not isinstance(body, dict):
            raise Unavailable(f"The hub answered with status {answer.status}. Try again later.", code="hub-down")
        return body

    def _list(self, answer: Answer) -> list[Any]:
        body = answer.json() if answer.status == 200 else None
        if not isinstance(body, list):
            raise Unavailable(f"The hub answered with status {answer.status}. Try again later.", code="hub-down")
        return body


def _started(server: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(server["started"])
    except (TypeError, ValueError, KeyError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
