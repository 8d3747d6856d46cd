"""``python -m naas_gateway``: serve the API on ``gateway.url``; the settings file is named by ``NAAS_CONFIG``."""

from __future__ import annotations

import ipaddress
import logging
import os
import sys
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from naas_client import logs
from naas_client.errors import NaasError
from naas_client.settings import SharedSettings, load

from naas_gateway.app import create_app

GRACE = 5
"""Seconds that answers under way may still take when the process is asked to end."""

BAD_SETTINGS = 78
"""Exit status of a start with unusable settings (``EX_CONFIG`` of sysexits.h)."""

log = logging.getLogger("naas_gateway")


class Server(uvicorn.Server):
    """Ends event streams at the first signal: they would hold the end up until the grace is over."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to end came."""
        app = self.config.app
        if isinstance(app, FastAPI):
            app.state.platform.events.close()
        super().handle_exit(sig, frame)


def listen_on(url: str) -> tuple[str, int]:
    """Host and port to listen on: the address itself, or all interfaces for the name of a machine."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = host if host == "localhost" else "0.0.0.0"
    return host, parts.port or (443 if parts.scheme == "https" else 80)


def main() -> int:
    """Read the settings and serve until a signal; the exit status."""
    logs.configure("gateway")
    config = os.environ.get("NAAS_CONFIG")
    try:
        app = create_app(load(Path(config) if config else None, SharedSettings))
    except NaasError as error:
        log.critical("the gateway does not start: %s", error.message)
        return BAD_SETTINGS
    host, port = listen_on(app.state.platform.settings.gateway.url)
    server = Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,  # paths and queries are not ours to log; see `naas_gateway.api.middleware`
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
