"""`naas-singleuser`: JupyterHub's single-user server in a container, without what makes `jupyterhub-singleuser` slow to start."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from naas_client import homes
from naas_client.jupyter import importing_server, short_runtime_dir


def main() -> int:
    """Run the server with the arguments of `jupyterhub-singleuser`; returns its exit status.

    The environment is the spawner's (https://jupyterhub.readthedocs.io, "single-user server"). The user may be any uid, with no entry
    in ``/etc/passwd``, and nothing but ``HOME`` and the folder for temporary files need be writable.
    """
    # Who shares a folder by a Unix group shares what is made in it; a person's own group has no other member.
    os.umask(0o007 if set(os.getgroups()) - {os.getgid()} else 0o077)
    examples = os.environ.pop("NAAS_EXAMPLES", "")
    homes.fill(Path.home(), ["local"], Path(examples) if examples else None)
    with importing_server():
        from jupyterhub.singleuser.extension import main as serve
    from jupyter_core.paths import jupyter_runtime_dir

    made = short_runtime_dir(jupyter_runtime_dir())
    try:
        result = serve()
    except SystemExit as end:
        result = end.code
    finally:
        if made:
            shutil.rmtree(made, ignore_errors=True)
    if isinstance(result, str):
        sys.stderr.write(f"{result}\n")
        return 1
    return int(result or 0)
