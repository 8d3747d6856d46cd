"""What the image chooser of the spawn page asks the hub: ``/hub/naas/images`` and ``/hub/naas/images/tags``.

The hub asks the gateway as the person; a browser never speaks to a registry, and sees no secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyterhub.handlers import BaseHandler
from naas_client.errors import NaasError
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.images import LONGEST
from naas_spawner.chooser import image_rows, patterns_of, tag_rows
from naas_spawner.form import request_translator
from naas_spawner.profiles import Profile
from tornado.web import authenticated

PATH = "/naas/images"
LIMIT = 10.0
"""Seconds for an answer of the gateway; its own limit for a registry is shorter."""


class _Asking(BaseHandler):
    """A list for the chooser. What goes wrong is in it as a sentence: the page shows it beside the text field, which goes on working."""

    def initialize(self, url: str, token: str, profiles: Sequence[Profile]) -> None:
        """Parameters: ``url``, the gateway's; ``token``, the hub's for it."""
        self._url, self._token, self._profiles = url, token, profiles

    @authenticated
    async def get(self) -> None:
        """The list, for the profile in the query."""
        groups = {group.name for group in self.current_user.groups}
        patterns = patterns_of(self._profiles, self.get_query_argument("profile", "")[:LONGEST], groups)
        try:
            async with GatewayClient(self._url + API_PATH, self._token, timeout=LIMIT) as gateway:
                rows = await self.rows(gateway, patterns)
        except NaasError as error:
            rows = {"items": [], "next": None, "troubles": [error.message]}
        self.set_header("Cache-Control", "no-store")
        self.finish(rows)

    async def rows(self, gateway: GatewayClient, patterns: Sequence[str]) -> dict[str, Any]:
        """What to show. Raises NaasError."""
        raise NotImplementedError

    @property
    def _cursor(self) -> str | None:
        return self.get_query_argument("cursor", "") or None


class ImagesHandler(_Asking):
    """Images by name."""

    async def rows(self, gateway: GatewayClient, patterns: Sequence[str]) -> dict[str, Any]:
        """Those that contain what is typed."""
        if not patterns:
            return {"items": [], "next": None, "troubles": []}
        search = self.get_query_argument("search", "")
        page = await gateway.images(search=search, cursor=self._cursor, user=self.current_user.name)
        return image_rows(page, patterns)


class TagsHandler(_Asking):
    """Tags of one image."""

    async def rows(self, gateway: GatewayClient, patterns: Sequence[str]) -> dict[str, Any]:
        """With size, date and scan."""
        image, tag = self.get_query_argument("image", ""), self.get_query_argument("tag", "")
        page = await gateway.image_tags(image, tag=tag, cursor=self._cursor, user=self.current_user.name)
        return tag_rows(page, patterns, request_translator(self))


def handlers(url: str, token: str, profiles: Sequence[Profile]) -> list[tuple[str, type[BaseHandler], dict[str, Any]]]:
    """For ``c.JupyterHub.extra_handlers``."""
    settings = {"url": url, "token": token, "profiles": profiles}
    return [(PATH, ImagesHandler, settings), (f"{PATH}/tags", TagsHandler, settings)]
