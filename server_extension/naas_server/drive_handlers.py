"""The addresses of the `CloudDrive`: Jupyter's own handlers of the contents API, below ``naas/api/drive``."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler, path_regex
from jupyter_server.services.contents.handlers import CheckpointsHandler, ContentsHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from naas_server.drive import CloudDrive
from naas_server.threads import send_file

DRIVE = "/naas/api/drive"


class _OnDrive:
    """Handlers that work on the drive instead of the server's own files."""

    base_url: str

    def initialize(self, drive: CloudDrive) -> None:
        """Parameters: ``drive``, whose files to serve."""
        self._drive = drive

    @property
    def contents_manager(self) -> CloudDrive:
        """The drive."""
        return self._drive

    def location_url(self, path: str) -> str:
        """The address of a file on the drive."""
        return str(url_path_join(self.base_url, DRIVE, "contents", path))


class DriveContents(_OnDrive, ContentsHandler):
    """Jupyter's contents API on the drive."""


class DriveCheckpoints(_OnDrive, CheckpointsHandler):
    """Jupyter's checkpoints API on the drive, which keeps none."""


class DriveFile(_OnDrive, JupyterHandler):
    """A file's bytes, for downloads: always as an attachment, so that no page of a bucket runs in this origin."""

    auth_resource = "contents"

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Stream the file."""
        name, file = await self._drive.open(path)
        with file:
            await send_file(self, name, file.size, file.read)


def drive_handlers(drive: CloudDrive) -> list[tuple[Any, ...]]:
    """The addresses and their handlers."""
    options = {"drive": drive}
    return [
        (rf"{DRIVE}/files{path_regex}", DriveFile, options),
        (rf"{DRIVE}/contents{path_regex}/checkpoints", DriveCheckpoints, options),
        (rf"{DRIVE}/contents{path_regex}", DriveContents, options),
    ]
