"""Where Jupyter Server learns of us: settings, addresses, and the clean end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from naas_storage.buckets import Buckets
from traitlets import Float, Unicode, default

from naas_server.backup_handlers import (
    BackupFilesHandler,
    BackupRestoreHandler,
    BackupRunsHandler,
    Backups,
    BackupSettingsHandler,
    BackupStatusHandler,
)
from naas_server.buckets_handlers import buckets_handlers
from naas_server.drive import CloudDrive
from naas_server.drive_handlers import drive_handlers
from naas_server.events import EventsHandler, Streams
from naas_server.gateway import ROUTES, Gateway
from naas_server.lab_page import only_enabled
from naas_server.members import MembersIdentityProvider
from naas_server.passthrough import PassThroughHandler, UnknownHandler
from naas_server.storage import Storage, StorageActionHandler, StorageHandler

API = "/naas/api"


class NaasServer(ExtensionApp):
    """Serves ``<base_url>naas/api``. Works, with less to say, in a Jupyter server that the platform did not start."""

    name = "naas_server"
    extension_url = f"{API}/storage"

    gateway_url = Unicode(
        help="""Address of the platform's API, for example `https://hub.example.org/services/naas/api/v1`.

        Default: the environment variable `NAAS_GATEWAY_URL`, which the spawner sets. Empty: the panel shows storage
        only and says that the platform is not connected.
        """,
    ).tag(config=True)

    run_folder = Unicode(
        help="""Run folder of this server, where its mount agent listens on `agent.sock`.

        Default: the environment variable `NAAS_STORAGE_RUN`, which the spawner sets. Empty: the panel says that this
        server has no cloud storage.
        """,
    ).tag(config=True)

    heartbeat = Float(
        15,
        min=0.1,
        help="""Seconds between two signs of life on an event stream that has nothing else to say.

        Must be shorter than the idle limit of every proxy between browser and server (60 s is usual).
        """,
    ).tag(config=True)

    @default("gateway_url")
    def _gateway_url(self) -> str:
        return os.environ.get("NAAS_GATEWAY_URL", "").rstrip("/")

    @default("run_folder")
    def _run_folder(self) -> str:
        return os.environ.get("NAAS_STORAGE_RUN", "")

    def initialize_settings(self) -> None:
        """The hub's extension, which is loaded before us, has a hook of its own."""
        self.settings["page_config_hook"] = only_enabled(self.settings.get("page_config_hook"))

    def initialize_handlers(self) -> None:
        """Our addresses; everything else below ``naas/api`` is answered with our error shape too."""
        storage = Storage(Path(self.run_folder) if self.run_folder else None, self._root())
        self.gateway = Gateway(self.gateway_url)
        self.streams = Streams(self.heartbeat)
        self.backups = Backups(Path.home(), self._root())
        self.handlers.extend(
            [
                (f"{API}/storage", StorageHandler, {"storage": storage}),
                (
                    f"{API}/events",
                    EventsHandler,
                    {"storage": storage, "gateway": self.gateway, "streams": self.streams},
                ),
                *(
                    (f"{API}/({path})", PassThroughHandler, {"gateway": self.gateway, "route": route})
                    for path, route in ROUTES.items()
                ),
                (f"{API}/storage/(retry|reconnect)", StorageActionHandler, {"storage": storage}),
                *buckets_handlers(API, Buckets(), self.gateway),
                (f"{API}/backup", BackupStatusHandler, {"backups": self.backups}),
                (f"{API}/backup/settings", BackupSettingsHandler, {"backups": self.backups}),
                (f"{API}/backup/runs", BackupRunsHandler, {"backups": self.backups}),
                (f"{API}/backup/runs/([^/]+)/files", BackupFilesHandler, {"backups": self.backups}),
                (f"{API}/backup/restore", BackupRestoreHandler, {"backups": self.backups}),
                *drive_handlers(CloudDrive(parent=self.serverapp)),
                (f"{API}/.*", UnknownHandler),
            ]
        )

    @property
    def _members(self) -> MembersIdentityProvider | None:
        """Where this is the shared server of a group, who looks after its members."""
        found = self.serverapp.identity_provider
        return found if isinstance(found, MembersIdentityProvider) else None

    def _root(self) -> Path:
        return Path(self.serverapp.contents_manager.root_dir)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Jupyter Server runs: scheduled backups may begin."""
        await super()._start_jupyter_server_extension(serverapp)
        self.backups.begin()
        if self._members is not None:
            self._members.begin(serverapp.web_app.settings["last_activity_times"])

    async def stop_extension(self) -> None:
        """End all event streams, the backup, then the connections to the gateway."""
        if self._members is not None:
            await self._members.end()
        await self.streams.close()
        await self.backups.close()
        await self.gateway.close()
