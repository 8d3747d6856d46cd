"""All of one server: database, clock, alerts and the addresses that are answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler
from naas_client.files import secret_file
from naas_client.logs import REQUEST_ID_HEADER, new_request_id

from naas_local.healthchecks import rows
from naas_local.healthchecks.admin import Admin
from naas_local.healthchecks.alerts import Alerts
from naas_local.healthchecks.api import LARGEST, Api, refusal
from naas_local.healthchecks.badges import Badges
from naas_local.healthchecks.clock import Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.keys import Keys
from naas_local.healthchecks.notify import Notifier
from naas_local.healthchecks.pings import Pings
from naas_local.healthchecks.settings import HealthchecksConfig

log = logging.getLogger("naas.healthchecks")


@contextlib.asynccontextmanager
async def application(config: HealthchecksConfig, clock: Clock | None = None) -> AsyncIterator[web.Application]:
    """The aiohttp application, with alerts running. Raises sqlite3.Error when the database cannot be opened.

    Parameters: ``clock``, another one for a test.
    """
    clock = clock or Clock()
    keys = Keys(secret_file(config.data / "keys.key"))
    database = Database(config.data / "healthchecks.sqlite", clock.look)
    try:
        await database.write(clock.been_away)
        if config.mail.host:
            await database.write(rows.add_mail_channels)
        async with Notifier(config) as notifier:
            alerts = Alerts(config.url, database, clock, notifier)
            app = web.Application(client_max_size=LARGEST, middlewares=[_log_line])
            app.on_response_prepare.append(_own_headers)
            pings = Pings(config, database, clock, keys, alerts)
            app.router.add_route("*", "/ping/{path:.+}", pings.handle)
            Api(config, database, clock, keys, alerts).add_routes(app)
            Badges(database, clock, keys).add_routes(app)
            Admin(config, database, clock, keys, alerts).add_routes(app)
            running = asyncio.create_task(alerts.run())
            try:
                yield app
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    finally:
        await asyncio.to_thread(database.close)


@web.middleware
async def _log_line(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line per request but for pings, which are in the database; without keys, which are in addresses and headers."""
    request["id"] = new_request_id(request.headers.get(REQUEST_ID_HEADER))
    started = time.monotonic()
    try:
        response = await handler(request)
    except web.HTTPException:
        raise
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s failed", request.method)
        return refusal(503, "The server failed; its log has the reason. Try again.")
    route = request.match_info.route.resource
    if route is not None and not route.canonical.startswith("/ping/"):
        log.info("%s %s %s %.3fs", request.method, route.canonical, response.status, time.monotonic() - started)
    return response


async def _own_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[REQUEST_ID_HEADER] = request.get("id", "")
    response.headers["Server"] = "naas-healthchecks"
