"""The Jupyter server extension: storage state, events, and the platform's API for the Lab panel.

Importing this package is cheap: JupyterLab does so only to find our translations (entry point ``jupyterlab.locale``).
"""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyterlab-naas"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from naas_server.extension import NaasServer

    return [{"module": "naas_server", "app": NaasServer}]
