"""Who is in the shared server of a group: members come in through the hub's OAuth, and go out when the hub says so.

Jupyter Server asks who somebody is when a websocket is opened, and never again; documents and kernels are on websockets that stay open
for days. So the hub is asked about those, too.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from traitlets import Float

GONE = 4403
"""Close code, of the range for applications (RFC 6455 §7.4.2)."""


class MembersIdentityProvider(JupyterHubIdentityProvider):
    """The hub's own, which also keeps an eye on open websockets; `naas_server` calls `begin` and `end`."""

    check_every = Float(
        30,
        min=0.1,
        help="Seconds between two questions to the hub whether those who have a document or kernel open may still be here.",
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # jupyter_server_fileid, loaded after this, keeps its database there and makes no folder for it
        Path(jupyter_data_dir()).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._task: asyncio.Task[None] | None = None

    async def get_user(self, handler: Any) -> Any:
        """The member behind a request; that of a websocket is asked about again while it is open.

        The server's own token opens nothing here: every member can read it, and would keep it.
        """
        user = await super().get_user(handler)
        if user is not None and user.username == os.environ["JUPYTERHUB_USER"]:
            self.log.warning("Somebody came with the token of the server itself, which is nobody's")
            handler._jupyterhub_user = None
            raise HTTPError(403, "Sign in as yourself.")
        if user is not None and isinstance(handler, WebSocketHandler):
            self._sockets.add(handler)
        return user

    def begin(self, activity: dict[str, dt.datetime]) -> None:
        """Look each `check_every` seconds. Parameters: ``activity``, where Jupyter Server keeps when extensions were last active."""
        self._task = asyncio.create_task(self._look(activity))

    async def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _look(self, activity: dict[str, dt.datetime]) -> None:
        while True:
            await asyncio.sleep(self.check_every)
            try:
                if await self.check():
                    activity["naas_members"] = dt.datetime.now(dt.UTC)
            except Exception:  # the next look may succeed, and without one nobody would ever be sent away
                self.log.exception("Who may stay could not be looked at")

    async def check(self) -> bool:
        """Close the websockets of those who may not be here any more; whether somebody is left."""
        by_token: dict[tuple[str, str], list[Any]] = {}
        for socket in list(self._sockets):
            if socket.ws_connection is not None and not socket.ws_connection.is_closing():
                key = self.hub_auth.get_token(socket) or "", self.hub_auth.get_session_id(socket)
                by_token.setdefault(key, []).append(socket)
        stay = await asyncio.gather(*(self._may_stay(*key) for key in by_token))
        for may, sockets in zip(stay, by_token.values(), strict=True):
            if not may:
                self.log.info("%s may not be here any more", sockets[0].current_user.username)
                for socket in sockets:
                    with suppress(WebSocketClosedError):
                        socket.close(GONE, "You are not a member of this group any more.")
        return any(stay)

    async def _may_stay(self, token: str, session_id: str) -> bool:
        """What the hub says now; while it does not answer, everybody stays."""
        try:
            user = await self.hub_auth.user_for_token(token, use_cache=False, session_id=session_id, sync=False)
        except HTTPError:
            return True
        return user is not None and bool(self.hub_auth.check_scopes(self.hub_auth.access_scopes, user))
