"""Signing out: the grant is revoked at once, or, while a server runs, with the person's last server.

A sign-out ends a browser's session, not a calculation: a running server keeps its folders and its access until it stops.
"""

from __future__ import annotations

from collections.abc import Collection

from naas_client.errors import Unavailable

from naas_gateway.clients.hub import Hub
from naas_gateway.services.broker import Broker
from naas_gateway.services.grants import Grants
from naas_gateway.services.people import People


class Departures:
    """Sign-outs, begun by the hub and completed by the watcher."""

    def __init__(self, people: People, grants: Grants, broker: Broker, hub: Hub) -> None:
        self._people, self._grants, self._broker, self._hub = people, grants, broker, hub

    async def begin(self, name: str) -> None:
        """A person signs out. Raises NotFound."""
        person = await self._people.by_name(name)
        try:
            stays = await self._hub.has_server(name)
        except Unavailable:
            stays = True  # the watcher finds out when the hub answers again
        if stays:
            await self._grants.leave(person.id)
        else:
            await self._broker.sign_out(person.id)

    async def complete(self, with_server: Collection[str]) -> None:
        """End the grants of those who signed out and have no server any more. Parameters: ``with_server``, hub names."""
        for name, user_id in (await self._grants.leaving()).items():
            if name not in with_server:
                await self._broker.sign_out(user_id)
