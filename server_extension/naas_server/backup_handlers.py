"""``naas/api/backup…``: the backup of the home, and its schedule. The work is `naas_storage.backup`, in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from jupyter_server.auth.decorator import authorized
from naas_client.errors import Conflict, NaasError, Unavailable
from naas_client.models import BackupProgress, BackupRun, BackupSettings, BackupStatus, ObjectPage, Page
from naas_storage.backup.browse import browse
from naas_storage.backup.state import BackupState
from pydantic import BaseModel, ConfigDict, Field
from tornado.web import authenticated

from naas_server.base import NaasHandler
from naas_server.threads import in_thread

SCHEDULE_LOOK = 60.0
"""Seconds between two looks at whether a backup is due; a look reads three small files."""
LIST_LIMIT = 60.0
"""Seconds for the list of backups to come from the store."""
END_LIMIT = 3.0
"""Seconds for a process that has done its work to end."""
LONGEST_BODY = 2**20
MOST_FILES = 1000
"""Entries of a page of a backup's files, and files and folders that one restore may name."""

log = logging.getLogger(__name__)


class RestoreOrder(BaseModel):
    """``POST backup/restore``; no paths: everything."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run: str = Field(max_length=40, pattern=r"^[^\x00]*$")
    paths: list[Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]] = Field(
        default_factory=list, max_length=MOST_FILES
    )
    in_place: bool = False


class PanelBackup(BackupStatus):
    """The status with where the file browser shows the home."""

    home: str | None = Field(
        default=None, description="relative to the server's root; null when the file browser cannot reach it"
    )


class Backups:
    """The backups of this server's owner. Parameters: ``home``, the owner's home folder; ``root``, the file browser's."""

    def __init__(self, home: Path, root: Path) -> None:
        self._home, self._starting = home, asyncio.Lock()
        self._browser_path = home.relative_to(root).as_posix() if home.is_relative_to(root) else None
        self._work: asyncio.subprocess.Process | None = None
        self._begun: BackupProgress | None = None
        self._schedule: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start looking for scheduled backups."""
        self._schedule = asyncio.create_task(self._keep_schedule())

    async def close(self) -> None:
        """End the schedule, and a backup that is at work: the next one sends what is missing."""
        if self._schedule is not None:
            self._schedule.cancel()
            await asyncio.gather(self._schedule, return_exceptions=True)
        if self._work is not None and self._work.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._work.pid, signal.SIGTERM)
            await self._work.wait()

    async def _keep_schedule(self) -> None:
        while True:
            await asyncio.sleep(SCHEDULE_LOOK)
            try:
                if await in_thread(lambda: self._state().due(_now())):
                    await self.start("run")
            except (NaasError, OSError) as error:
                log.warning("no scheduled backup: %s", error)

    def _state(self) -> BackupState:
        return BackupState(self._home)

    async def _kept(self) -> BackupStatus:
        return await in_thread(lambda: self._state().status(_now()))

    async def status(self) -> PanelBackup:
        """How the backup is now. A process that is starting, or has not ended yet, counts as at work."""
        kept = await self._kept()
        begun = self._begun if self._work is not None and self._work.returncode is None else None
        return PanelBackup(
            **kept.model_copy(update={"running": kept.running or begun}).model_dump(), home=self._browser_path
        )

    async def change(self, settings: BackupSettings) -> PanelBackup:
        """Keep other settings."""
        await in_thread(lambda: self._state().change(settings))
        return await self.status()

    async def start(self, command: Literal["run", "restore"], *arguments: str) -> None:
        """Begin a backup (``run``) or a restore. Raises Conflict when one is running."""
        async with self._starting:
            if (await self._kept()).running or not await self._ended():
                raise Conflict("A backup or a restore is running. Wait for its end.", code="backup-running")
            self._begun = BackupProgress(what="backup" if command == "run" else "restore", started_at=_now())
            self._work = await self._process(command, *arguments, output=asyncio.subprocess.DEVNULL)

    async def _ended(self) -> bool:
        """Whether the process before this one is gone: one whose result is there already needs another moment to end."""
        if self._work is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), END_LIMIT)
        return self._work is None or self._work.returncode is not None

    async def runs(self) -> list[BackupRun]:
        """The backups there are, newest first. Raises Unavailable when the store cannot tell."""
        process = await self._process("list", output=asyncio.subprocess.PIPE)
        try:
            _, error = await asyncio.wait_for(process.communicate(), LIST_LIMIT)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise Unavailable(
                f"The list of backups did not come within {LIST_LIMIT:.0f} s. Try again.", code="backup-failed"
            ) from None
        if process.returncode:
            raise Unavailable(error.decode(errors="replace").strip()[-500:], code="backup-failed")
        return await in_thread(lambda: self._state().known_runs())

    async def files(self, run: str, prefix: str, cursor: str, limit: int, search: str) -> ObjectPage:
        """A page of what a backup holds; parameters as `browse`. Raises InvalidInput for a backup that ``runs`` has not shown."""
        return await in_thread(lambda: browse(self._state().files_of(run), prefix, cursor, limit, search))

    async def _process(self, *arguments: str, output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            # -P: a random.py of the person's in their home is not Python's
            *(sys.executable, "-P", "-m", "naas_storage.backup", *arguments),
            cwd=self._home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class BackupHandler(NaasHandler):
    """What the handlers of the backup share."""

    def initialize(self, backups: Backups) -> None:
        """Parameters: ``backups``, of this server's owner."""
        self.backups = backups


class BackupStatusHandler(BackupHandler):
    """``GET backup``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """How it is."""
        self.answer(await self.backups.status())


class BackupSettingsHandler(BackupHandler):
    """``PUT backup/settings``."""

    @authenticated
    @authorized
    async def put(self) -> None:
        """Keep other settings; answers with the status."""
        self.answer(await self.backups.change(self.wish(BackupSettings, LONGEST_BODY)))


class BackupRunsHandler(BackupHandler):
    """``GET backup/runs``, ``POST backup/runs``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """The backups there are, newest first."""
        runs = await self.backups.runs()
        self.answer(Page[BackupRun](items=runs, total=len(runs)))

    @authenticated
    @authorized
    async def post(self) -> None:
        """Begin a backup."""
        await self.backups.start("run")
        self.answer(await self.backups.status(), 202)


class BackupFilesHandler(BackupHandler):
    """``GET backup/runs/{run}/files?prefix=&cursor=&limit=&search=``."""

    @authenticated
    @authorized
    async def get(self, run: str) -> None:
        """A page of the files of a backup."""
        limit = max(1, min(self.number("limit", 100), MOST_FILES))
        place = self.query("prefix"), self.query("cursor"), limit, self.query("search")
        self.answer(await self.backups.files(run, *place))


class BackupRestoreHandler(BackupHandler):
    """``POST backup/restore``."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Begin to bring files back."""
        order = self.wish(RestoreOrder, LONGEST_BODY)
        options = ["--in-place"] if order.in_place else []
        await self.backups.start("restore", *options, "--", order.run, *order.paths)
        self.answer(await self.backups.status(), 202)
