"""``GET storage``: how the folders are, as the mount agent last saw them."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Literal

import naas_storage.connect
from jupyter_server.auth.decorator import authorized
from naas_client.errors import InvalidInput, Unavailable
from naas_client.models import FolderStatus, StorageStatus
from naas_storage.client import AgentClient
from pydantic import Field
from tornado.web import authenticated

from naas_server.base import MethodNotAllowed, NaasHandler, read_document

VIEW = "cloud-storage"
"""The folder in a home that holds the mounts, or is a link to them."""

LONGEST_BODY = 4096
"""Bytes of a request; the name of a folder is the longest thing in it."""

AGENT_START = 60.0
"""Seconds for the agent's first sign of life: it starts in parallel with this server, on a busy machine later."""


class PanelFolder(FolderStatus):
    """A folder with its place in Lab's file browser."""

    browser_path: str | None = Field(
        default=None, description="relative to the server's root; null when the file browser cannot reach it"
    )


class PanelStatus(StorageStatus):
    """The agent's status as the panel gets it."""

    folders: list[PanelFolder] = Field(default_factory=list)  # type: ignore[assignment] # narrower, never changed


def browser_path(root: Path, folder: FolderStatus) -> str | None:
    """Where the file browser finds a folder.

    Only its parent is looked up on disk: touching a mount that hangs would hang this server.
    """
    path = PurePosixPath(folder.path)
    if path.is_relative_to(root) and ".." not in path.parts:
        return path.relative_to(root).as_posix()
    link = root / VIEW
    if link.is_symlink() and link.resolve() == Path(path.parent).resolve():
        return f"{VIEW}/{path.name}"
    return None


class Storage:
    """The storage of this server.

    Parameters: ``run_folder``, where the mount agent's socket is, None when the server has no storage; ``root``, the
    file browser's top folder.
    """

    def __init__(self, run_folder: Path | None, root: Path) -> None:
        self.agent = AgentClient(run_folder / "agent.sock") if run_folder else None
        self.root = root
        self._seen = False
        self._since = time.monotonic()

    async def status(self) -> PanelStatus:
        """Ask the agent; its absence is a state to show, not an error."""
        if self.agent is None:
            return self._without_agent("degraded", "This server was started without cloud storage.", "no-storage")
        try:
            return self._for_panel(await self.agent.status())
        except Unavailable as error:
            if not self._seen and time.monotonic() - self._since < AGENT_START:
                return self._without_agent("starting", "", "")
            return self._without_agent("degraded", error.message, error.code)

    async def changes(self) -> AsyncIterator[PanelStatus]:
        """The status now and after each change. Raises Unavailable when the agent is not there; ends with it."""
        if self.agent is not None:
            async for status in self.agent.watch():
                yield self._for_panel(status)

    async def retry(self) -> PanelStatus:
        """Send what could not be sent again now. Raises Unavailable when the agent is not there."""
        return self._for_panel(await self._agent().retry())

    async def reconnect(self, name: object) -> PanelStatus:
        """Mount a folder anew. Raises InvalidInput or NotFound when there is no such folder, Unavailable as `retry`."""
        if not isinstance(name, str):
            raise InvalidInput("Name the folder that is to be connected anew.")
        return self._for_panel(await self._agent().reconnect(name))

    def _agent(self) -> AgentClient:
        if self.agent is None:
            raise Unavailable("This server was started without cloud storage.", code="no-storage")
        return self.agent

    def _for_panel(self, status: StorageStatus) -> PanelStatus:
        self._seen = True
        document = status.model_dump()
        if document["endpoint"] == self._first_site():
            document["endpoint"] = ""
        document["folders"] = [{**f.model_dump(), "browser_path": browser_path(self.root, f)} for f in status.folders]
        return PanelStatus.model_validate(document)

    def _first_site(self) -> str:
        """The endpoint that the plan names first; the panel shows only another one."""
        try:
            return naas_storage.connect.plan().endpoint
        except Unavailable:
            return ""

    @staticmethod
    def _without_agent(state: Literal["starting", "degraded"], reason: str, code: str) -> PanelStatus:
        return PanelStatus(state=state, reason=reason, code=code, updated_at=dt.datetime.now(dt.UTC))


class StorageHandler(NaasHandler):
    """The state of this server's folders and uploads."""

    def initialize(self, storage: Storage) -> None:
        """Parameters: ``storage``, whose status to show."""
        self.storage = storage

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer with `PanelStatus`."""
        self.answer(await self.storage.status())


class StorageActionHandler(StorageHandler):
    """``POST storage/retry`` and ``POST storage/reconnect`` ``{"name"}``: what the agent is to do now."""

    @authenticated
    @authorized
    async def post(self, action: str) -> None:
        """Answer with `PanelStatus` after it."""
        document = read_document(self.request.body, LONGEST_BODY)
        if action == "retry":
            status = await self.storage.retry()
        else:
            status = await self.storage.reconnect(document.get("name"))
        self.answer(status)

    async def get(self, _action: str) -> None:
        """Refused."""
        raise MethodNotAllowed("This address cannot be used like that. Reload the page to get the current panel.")
