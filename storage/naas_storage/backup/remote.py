"""rclone as the backup uses it, through rclone-python, with the server's own credentials.

rclone-python hands one line to a shell (https://github.com/Johannes11833/rclone_python). So nothing that a person names is ever in
that line: file names go through files, and the paths that are in it are checked here.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, Unavailable

from naas_storage.agent.engine import environment, find_rclone
from naas_storage.agent.reasons import store_error
from naas_storage.plan import AgentPlan

TOP = "naas-backup"
"""Folder of the bucket with everything of the backup."""
LIMITS = ("--retries 1", "--low-level-retries 3", "--contimeout 10s", "--timeout 60s")
"""A backup that fails is made again later; nobody waits for minutes to read that the store is away."""
TRANSFER = (*LIMITS, "--fast-list", "--checkers 8", "--transfers 4")
_SAFE = re.compile(r"[\w@%+=:,./ -]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")

CHECK_LIMIT = 20.0
"""Seconds for rclone to read a few patterns; it asks nobody."""

Listener = Callable[[dict[str, Any]], None]


class Remote:
    """The backup's place in the person's own bucket. Parameters: ``plan``, of the server's mount agent.

    Raises Unavailable when the server has no storage, or no rclone. Only for a process of its own: rclone-python works with
    this process' environment and working folder.
    """

    def __init__(self, plan: AgentPlan) -> None:
        from rclone_python import rclone
        from rclone_python.utils import RcloneException

        bucket = plan.own.bucket if plan.own else ""
        if not _BUCKET.fullmatch(bucket):
            raise Unavailable(
                "There is no bucket of your own to back up to. The Storage section of the side panel says why.",
                code="no-storage",
            )
        self.top = f"s3:{bucket}/{TOP}"
        os.chdir(plan.run)
        os.environ.clear()
        here = environment(plan)
        path = f"{_program_folder(plan)}:{here['PATH']}"
        os.environ.update(here, PATH=path, RCLONE_CONFIG="rclone.conf")
        rclone.set_log_level(logging.CRITICAL)  # it would write to the terminal; errors come as exceptions
        self._rclone, self._failure = rclone, RcloneException

    def _call(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        try:
            return function(*arguments, **more)
        except self._failure as error:
            raise StoreFailed(str(error.error_msg)) from None

    def sync(self, home: Path, replaced: str, filters: Path, listener: Listener) -> None:
        """Make ``home/`` as the home is; what that replaces or deletes moves to ``replaced``. Raises StoreFailed."""
        arguments = [
            *TRANSFER,
            "--links",
            f"--backup-dir {self.top}/{replaced}",
            f"--filter-from {shlex.quote(str(filters))}",
        ]
        self._call(
            self._rclone.sync,
            shell_safe(home),
            f"{self.top}/home",
            show_progress=False,
            listener=listener,
            args=arguments,
        )

    def fetch(
        self, source: str, target: Path, names: Path | None, replaced: Path | None, listener: Listener | None = None
    ) -> None:
        """Copy what ``names`` (a file with a name a line; None: all) lists from below the backup. Raises StoreFailed."""
        arguments = [*TRANSFER, "--links"]
        if names is not None:
            arguments.append(f"--files-from-raw {shlex.quote(str(names))}")
        if replaced is not None:
            arguments.append(f"--backup-dir {shlex.quote(str(replaced))}")
        self._call(
            self._rclone.copy,
            f"{self.top}/{source}",
            shell_safe(target),
            show_progress=False,
            listener=listener,
            args=arguments,
        )

    def put(self, source: Path, target: str) -> None:
        """Copy one file of ours into the backup. Raises StoreFailed."""
        self._call(
            self._rclone.copyto, shell_safe(source), f"{self.top}/{target}", show_progress=False, args=[*TRANSFER]
        )

    def files(self, below: str) -> dict[str, int]:
        """Names and sizes below a folder of the backup; none when it is not there. Raises StoreFailed."""
        try:
            entries = self._call(
                self._rclone.ls,
                f"{self.top}/{below}",
                args=[*LIMITS, "-R", "--files-only", "--fast-list", "--no-modtime"],
            )
        except StoreFailed as error:
            if "directory not found" in error.text:
                return {}
            raise
        return {entry["Path"]: int(entry["Size"]) for entry in entries}

    def delete(self, below: str) -> None:
        """Delete a file of the backup. Raises StoreFailed."""
        self._call(self._rclone.delete, f"{self.top}/{below}", args=[*LIMITS])

    def remove(self, below: str) -> None:
        """Delete a folder of the backup. Raises StoreFailed."""
        self._call(self._rclone.purge, f"{self.top}/{below}", args=[*LIMITS])


def _program_folder(plan: AgentPlan) -> Path:
    """A folder in which the program of this site is called ``rclone``: rclone-python takes what PATH has under that name."""
    folder = plan.run / "backup-bin"
    folder.mkdir(mode=0o700, exist_ok=True)
    temporary = folder / f".{secrets.token_hex(4)}"
    temporary.symlink_to(find_rclone(plan.rclone))
    temporary.replace(folder / "rclone")
    return folder


class StoreFailed(Exception):
    """rclone's errors, a line each, and what they mean."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def sentence(self) -> str:
        """For people."""
        return store_error(self.text).reason


def shell_safe(path: Path) -> str:
    """A path that may stand between double quotes in a shell. Raises InvalidInput."""
    if not _SAFE.fullmatch(str(path)):
        raise InvalidInput(
            f"The folder {path} has characters in its name that a backup cannot take. Choose another name."
        )
    return str(path)


def check_patterns(patterns: list[str]) -> None:
    """See whether rclone understands filter patterns. Raises InvalidInput with rclone's words."""
    with tempfile.TemporaryDirectory() as empty, tempfile.NamedTemporaryFile("w") as filters:
        filters.write("".join(f"- {pattern}\n" for pattern in patterns))
        filters.flush()
        command = [str(find_rclone()), "lsf", empty, "--config", "/dev/null", "--filter-from", filters.name]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_LIMIT, check=False)
    if asked.returncode:
        reason = asked.stderr.strip().rpartition("CRITICAL: ")[2].rpartition(" options: ")[2]
        raise InvalidInput(f"A pattern to leave out cannot be used: {reason[:300]}. See https://rclone.org/filtering/.")
