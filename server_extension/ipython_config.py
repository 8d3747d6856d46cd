"""Loads our magics in every kernel of a server of the platform; installed as ``etc/ipython/ipython_config.py`` of its Python."""

import os

if os.environ.get("NAAS_STORAGE_RUN"):
    c.InteractiveShellApp.extra_extensions.append("naas_server.magics")  # noqa: F821 - IPython's configuration object
