"""Importing JupyterHub's single-user server without the hub."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from naas_client.jupyter import importing_server
with importing_server():
    import jupyterhub.singleuser.extension as server
assert callable(server.main)
assert not {"sqlalchemy", "jupyterhub.orm", "jupyterhub.handlers"} & set(sys.modules), "the hub came along"
import jupyterhub.handlers, jupyterhub.orm, sqlalchemy.exc
assert issubclass(jupyterhub.orm.User, jupyterhub.orm.Base)
assert issubclass(sqlalchemy.exc.OperationalError, sqlalchemy.exc.SQLAlchemyError)
"""


def test_the_servers_import_brings_no_hub_and_leaves_it_importable() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_failed_import_leaves_nothing_behind() -> None:
    code = """
import sys
from naas_client.jupyter import importing_server
try:
    with importing_server():
        raise ImportError("no server")
except ImportError:
    pass
assert "sqlalchemy" not in sys.modules
import sqlalchemy
assert sqlalchemy.create_engine
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
