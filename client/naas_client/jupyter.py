"""What every Jupyter server of the platform needs before its first import: a quick start, and a place for its kernels' sockets."""

from __future__ import annotations

import os
import sys
import tempfile

LONGEST_RUNTIME = 50
"""Characters of a runtime folder in which kernels' Unix sockets (limit 107, unix(7)) still fit beside their long names."""


def before_import() -> None:
    """Set up this process for `jupyterhub.singleuser.extension`; call it before anything imports Jupyter Server."""
    # jsonschema builds a grammar for international addresses at import: 1.7 s. Without it only that format goes unchecked.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    os.environ["JUPYTERHUB_SINGLEUSER_EXTENSION"] = "1"


def short_runtime_dir(usual: str) -> str | None:
    """Put the kernels' sockets into a new folder, when the path of the usual runtime folder is too long for Unix sockets.

    Returns the folder, which the caller deletes in the end; None when the usual one will do.
    """
    if len(usual) <= LONGEST_RUNTIME:
        return None
    os.environ["JUPYTER_RUNTIME_DIR"] = short = tempfile.mkdtemp(prefix="naas-")
    return short
