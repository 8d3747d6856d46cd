"""`python -m naas_local.ceph NAME CONFIG`: one daemon of the cluster as our child, until SIGTERM or SIGINT.

The socket that says "ready" accepts only when the daemon serves and what others expect of it is made.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from naas_client import sockets
from naas_client.errors import NaasError
from naas_client.processes import end_with_parent

from naas_local.ceph.daemons import Daemon, daemon
from naas_local.ceph.part import read
from naas_local.ceph.programs import environment

POLL = 0.1
"""Seconds between two looks at the child."""
STOP_LIMIT = 20
"""Seconds the daemon has to end; RGW answers the requests it has first."""


class Stopped(Exception):
    """A signal asked us to end."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the child is being ended already
    raise Stopped


def serve(one: Daemon) -> int:
    """Start, say when it is ready, wait for its end; its exit code."""
    one.config.socket(one.name).unlink(missing_ok=True)
    one.make()
    child = subprocess.Popen(
        one.argv(), stdin=subprocess.DEVNULL, env=environment(), umask=0o077, preexec_fn=end_with_parent
    )
    try:
        while child.poll() is None:
            with contextlib.suppress(NaasError):
                if one.serves():
                    break
            time.sleep(POLL)
        if child.returncode is None:
            one.complete()
            with sockets.listen(one.config.socket(one.name)) as ready:
                _answer_until_end(child, ready)
        return child.returncode or 1  # whoever asked it to end came through us
    finally:
        _end(child)


def _answer_until_end(child: subprocess.Popen[bytes], ready: socket.socket) -> None:
    ready.settimeout(POLL)
    while child.poll() is None:
        with contextlib.suppress(TimeoutError):
            ready.accept()[0].close()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main(name: str, config: Path) -> int:
    """Run one daemon; 0 when it was asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        return serve(daemon(name, read(config)))
    except Stopped:
        return 0
    except NaasError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2])))
