"""``python -m naas_gateway.sign_in_proxy``: serve on ``healthchecks.sign_in.listen``; the settings file is named by ``NAAS_CONFIG``."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import uvicorn
from naas_client import logs
from naas_client.errors import InvalidInput, NaasError
from naas_client.settings import SharedSettings, load

from naas_gateway.__main__ import BAD_SETTINGS, GRACE, listen_on
from naas_gateway.sign_in_proxy.app import SignInProxy

LARGEST_HEAD = 32 * 1024
"""Bytes of request line and headers together; Django's servers take less."""

AT_ONCE = 500
"""Connections and requests at a time; more are answered 503."""

log = logging.getLogger("naas_gateway.sign_in_proxy")


def main() -> int:
    """Read the settings and serve until a signal; the exit status."""
    logs.configure("sign-in")
    config = os.environ.get("NAAS_CONFIG")
    try:
        settings = load(Path(config) if config else None, SharedSettings)
        proxy = settings.healthchecks.sign_in
        if proxy is None:
            raise InvalidInput("healthchecks.sign_in: missing. Add it; `naas config schema` describes it.")
        app = SignInProxy(settings, proxy).app()
    except NaasError as error:
        log.critical("the sign-in proxy does not start: %s", error.message)
        return BAD_SETTINGS
    host, port = listen_on(proxy.listen)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",  # strict about framing
            ws="none",
            log_config=None,
            access_log=False,  # paths and queries are not ours to log
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=GRACE,
        )
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
