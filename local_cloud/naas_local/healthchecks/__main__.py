"""`python -m naas_local.healthchecks CONFIG`: the server in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

from aiohttp import web
from naas_client import logs
from naas_client.errors import NaasError

from naas_local.healthchecks import settings
from naas_local.healthchecks.server import application
from naas_local.healthchecks.settings import HealthchecksConfig

STOP_LIMIT = 5.0
"""Seconds that requests in progress have when the server ends."""
BACKLOG = 1024
"""Connections that may wait to be accepted: cron jobs all ping at the full minute."""


async def serve(config: HealthchecksConfig) -> None:
    """Run until a signal comes. Raises OSError when the port is taken."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with application(config) as app:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_LIMIT)
        await runner.setup()
        try:
            await web.TCPSite(runner, config.host, config.port, backlog=BACKLOG).start()
            await stopped.wait()
        finally:
            await runner.cleanup()


def main() -> int:
    """Read the settings named on the command line and serve."""
    logs.configure("healthchecks")
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m naas_local.healthchecks CONFIG\n")
        return 2
    try:
        asyncio.run(serve(settings.read(Path(sys.argv[1]))))
    except (NaasError, OSError, ValueError, sqlite3.Error) as error:
        sys.stderr.write(f"Healthchecks cannot run: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
