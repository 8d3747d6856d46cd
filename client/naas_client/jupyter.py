"""What Jupyter programs of the platform need before their first import: a quick start, and a place for kernels' sockets."""

from __future__ import annotations

import os
import sys
import tempfile

LONGEST_RUNTIME = 50
"""Characters of a runtime folder in which kernels' Unix sockets (limit 107, unix(7)) still fit beside their long names."""


def skip_slow_import() -> None:
    """Keep jsonschema from building its grammars of international addresses (1.7 s); only that format then goes unchecked.

    Call it before anything imports jsonschema, as Jupyter Server and JupyterHub do.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]


def before_server_import() -> None:
    """Set up this process for `jupyterhub.singleuser.extension`; call it before that is imported."""
    skip_slow_import()
    os.environ["JUPYTERHUB_SINGLEUSER_EXTENSION"] = "1"


def short_runtime_dir(usual: str) -> str | None:
    """Put the kernels' sockets into a new folder, when the path of the usual runtime folder is too long for Unix sockets.

    Returns the folder, which the caller deletes in the end; None when the usual one will do.
    """
    if len(usual) <= LONGEST_RUNTIME:
        return None
    os.environ["JUPYTER_RUNTIME_DIR"] = short = tempfile.mkdtemp(prefix="naas-")
    return short
