"""Everything that a server or an agent would import at its start, imported once, before the first fork.

Nothing here may start a thread, an event loop or a ZMQ context: a fork would inherit it broken.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import site
import sys
from pathlib import Path

from naas_client.jupyter import importing_server

log = logging.getLogger(__name__)

SERVER = "jupyterhub.singleuser.extension"
"""Not `….app`: that patches handlers for its own world, and /lab then answers 500."""
AGENT = "naas_storage.agent.app"

MODULES = (
    "jupyterlab.labapp",
    "jupyterlab.browser_check",
    "jupyterlab.extensions.pypi",
    "jupyterlab.extensions.readonly",
    "jupyterlab.handlers.announcements",
    "jupyterlab.handlers.build_handler",
    "jupyterlab_server.handlers",
    "jupyter_server.services.contents.largefilemanager",
    "jupyter_server.services.kernels.kernelmanager",
    "jupyter_server.services.sessions.sessionmanager",
    "jupyter_server.gateway.managers",
    "jupyter_server.nbconvert.handlers",
    "jupyter_server_terminals.app",
    "nbconvert.exporters.html",
    "babel.core",
    "terminado",
    "tornado.httpserver",
    "tornado.netutil",
    "tornado.curl_httpclient",
    "tornado.simple_httpclient",
    "aiohttp",
    "httpx",
    "ipykernel.kernelspec",
    "jedi",
    "encodings.idna",
    "concurrent.futures.thread",
    "multiprocessing",
    "sqlite3",
    "zmq.eventloop.zmqstream",
)
"""Needed first, nice to have after: what is not installed is left out."""

OWN = ("naas_server", "naas_server.extension", AGENT)


def preload() -> None:
    """Import, then move all objects out of the garbage collector's sight, so that children share the memory."""
    # People's processes must not look for modules where the launcher was started or in its owner's home.
    private = {"", str(Path.cwd()), site.getusersitepackages()}
    sys.path[:] = [path for path in sys.path if path not in private]
    with importing_server():
        importlib.import_module(SERVER)
    for name in (*MODULES, *OWN):
        try:
            importlib.import_module(name)
        except ImportError as error:
            log.info("not preloaded: %s (%s)", name, error)
    gc.collect()
    gc.freeze()
