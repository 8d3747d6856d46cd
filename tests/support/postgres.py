"""A real PostgreSQL from Debian's packages, for the length of a `with` block."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from naas_local.ports import free_port

LIMIT = 30.0


def binaries() -> Path | None:
    """Folder of PostgreSQL's programs; None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def missing() -> str:
    """Why PostgreSQL cannot run here; empty when it can."""
    if binaries() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return "there is no user postgres" if os.geteuid() == 0 else ""
    return ""


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start one with its data in a folder that goes with it; its SQLAlchemy address. It refuses root, so there it runs as `postgres`."""
    with tempfile.TemporaryDirectory(prefix="naas-postgres-") as folder:
        user: dict[str, int] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            user = {"user": account.pw_uid, "group": account.pw_gid}
            os.chown(folder, account.pw_uid, account.pw_gid)
        with _serving(Path(folder) / "data", user) as url:
            yield url


@contextlib.contextmanager
def _serving(data: Path, user: dict[str, int]) -> Iterator[str]:
    programs, port = binaries(), free_port()
    assert programs is not None
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    initdb = [programs / "initdb", "-D", data, "-U", "naas", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, **quiet, **user)  # type: ignore[call-overload]
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", "-D", data, *options], **quiet, **user)  # type: ignore[call-overload]
    try:
        end = time.monotonic() + LIMIT
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-U", "naas"]
        while subprocess.run(ready, check=False, **quiet).returncode:  # type: ignore[call-overload]
            assert server.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < end, f"PostgreSQL did not answer within {LIMIT:.0f} s"
            time.sleep(0.05)
        yield f"postgresql+asyncpg://naas@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": SIGTERM would wait for the clients
        server.wait(20)
