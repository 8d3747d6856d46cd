"""JupyterHub as this product runs it: settings in ``naas.yaml``, wired by `configure`.

A ``jupyterhub_config.py`` of one's own needs two lines::

    from naas_hub import configure
    configure(c)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CONFIG_VARIABLE = "NAAS_CONFIG"
"""Environment variable that names ``naas.yaml``."""


def configure(c: Any, path: str | Path | None = None) -> None:
    """Set JupyterHub up from ``naas.yaml``. Parameters: ``c``, the config object of ``jupyterhub_config.py``; ``path``, the file (default:
    the one that ``NAAS_CONFIG`` names, else built-in defaults).

    Raises InvalidInput with a line for each key that is unknown or wrong and for each secret that is missing, weak or open to others.
    """
    from naas_hub import configuration  # JupyterHub is imported only where a hub is configured

    settings = configuration.site_settings(path)
    configuration.apply(c, settings)
    configuration.begin_downloads(settings)
