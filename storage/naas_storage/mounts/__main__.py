"""``python -m naas_storage.mounts --base DIR --socket FILE``: run the mount helper (root only).

It ends on SIGTERM and leaves the mounts alone, so that it can be started again under running servers (with ``--end-clean`` it takes
them away: for whoever ends the servers first); ``--cleanup`` (or the operation ``shutdown``) takes everything away.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from naas_client.logs import configure

from naas_storage.mounts.core import Mounts
from naas_storage.mounts.server import ControlSocket


def main(argv: Sequence[str] | None = None) -> int:
    """Run the helper until it is told to end; the exit status is 0 then, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="naas_storage.mounts", description="The mount helper of jupyterhub-naas.")
    parser.add_argument("--base", type=Path, required=True, help="folder (root's) below which it mounts")
    parser.add_argument("--socket", type=Path, help="its control socket, for root")
    parser.add_argument("--cleanup", action="store_true", help="detach and remove everything below the base, and end")
    parser.add_argument("--end-clean", action="store_true", help="take all mounts away when told to end")
    options = parser.parse_args(argv)
    configure("mounts")
    if os.geteuid() != 0:
        parser.error("run it as root; without root, folders are mounted through fusermount3 and need no helper")
    os.umask(0)  # the modes in this program are the modes on disk
    mounts = Mounts(options.base)
    mounts.recover()
    if options.cleanup:
        mounts.unpublish_all()
        return 0
    if options.socket is None:
        parser.error("give --socket, or --cleanup")
    control = ControlSocket(mounts, options.socket)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: control.end())
    control.serve()
    if options.end_clean:
        mounts.unpublish_all()
    logging.getLogger(__name__).info("ended; %d servers keep their mounts", len(mounts.servers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
