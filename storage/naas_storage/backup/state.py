"""What a home remembers of its backups: the person's wishes, the newest result, and what is at work now."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from naas_client.errors import Conflict, InvalidInput
from naas_client.files import lock, try_lock, write_private
from naas_client.models import BackupProgress, BackupRestore, BackupRun, BackupSettings, BackupStatus, Document
from pydantic import ValidationError

from naas_storage.backup.remote import check_patterns

FOLDER = Path(".local/state/naas-backup")
"""Below the home; itself never part of a backup."""
LOCK = "lock"
RETRY_AFTER = dt.timedelta(minutes=30)
"""A scheduled backup that failed as a whole is tried again so much later."""

LOOK_LIMIT = 1.0
"""Seconds in which whoever only looks at the lock has let go of it."""

Kept = TypeVar("Kept", bound=Document)


class Attempt(Document):
    """The newest try: when it began, and why it failed as a whole (empty: it did not)."""

    at: dt.datetime
    problem: str = ""


class BackupState:
    """The small files of one home. Parameters: ``home``, the person's home folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def runs(self) -> Path:
        """Copies of the bucket's ``runs/``: what the list of backups is read from."""
        return self.folder / "runs"

    def _read(self, name: str, model: type[Kept]) -> Kept | None:
        try:
            return model.model_validate_json((self.folder / name).read_text())
        except (OSError, ValidationError):  # not there yet, or spoilt by its owner: the defaults hold
            return None

    def _write(self, name: str, document: Document) -> None:
        write_private(self.folder / name, document.model_dump_json(indent=2))

    @property
    def settings(self) -> BackupSettings:
        """The person's wishes."""
        return self._read("settings.json", BackupSettings) or BackupSettings()

    def change(self, settings: BackupSettings) -> None:
        """Keep new wishes. Raises InvalidInput when rclone does not understand a pattern."""
        check_patterns(settings.exclude)
        self._write("settings.json", settings)

    def ended(self, attempt: Attempt, run: BackupRun | None) -> None:
        """Keep the result of a backup."""
        self._write("attempt.json", attempt)
        if run is not None:
            self._write("last.json", run)

    def restored(self, result: BackupRestore) -> None:
        """Keep the result of a restore."""
        self._write("restored.json", result)

    def note(self, details: str, sentence: str) -> str:
        """Keep rclone's own words for whoever helps, and say where they are."""
        write_private(self.folder / "details.log", details + "\n")
        return f"{sentence} Details: ~/{FOLDER}/details.log"

    def progress(self, now: BackupProgress) -> None:
        """Say how far the work is."""
        self._write("progress.json", now)

    def status(self, now: dt.datetime) -> BackupStatus:
        """Everything together; ``now`` is an aware time."""
        settings, last = self.settings, self._read("last.json", BackupRun)
        attempt = self._read("attempt.json", Attempt)
        running = self._read("progress.json", BackupProgress) if self._locked() else None
        problem = attempt.problem if attempt else ""
        return BackupStatus(
            settings=settings,
            running=running,
            last=last,
            problem=problem,
            next_at=_next(settings, last, attempt, now),
            restored=self._read("restored.json", BackupRestore),
        )

    def due(self, now: dt.datetime) -> bool:
        """Whether a scheduled backup should begin."""
        status = self.status(now)
        return status.running is None and status.next_at is not None and status.next_at <= now

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the home's one lock: two servers of a person never back up at once. Raises Conflict when it is held."""
        busy = Conflict("A backup or a restore is running. Wait for its end.", code="backup-running")
        with lock(self.folder / LOCK, LOOK_LIMIT, busy):
            (self.folder / "progress.json").unlink(missing_ok=True)
            yield

    def _locked(self) -> bool:
        descriptor = os.open(self.folder / LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            return not try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def known_runs(self) -> list[BackupRun]:
        """The backups this home knows of, newest first."""
        names = sorted((path.stem for path in self.runs.glob("*.json")), reverse=True)
        return [run for name in names if (run := self._known(name))]

    def _known(self, name: str) -> BackupRun | None:
        run = self._read(f"{self.runs.name}/{name}.json", BackupRun)
        return run if run is not None and run.id == name else None

    def files_of(self, run: str) -> dict[str, int]:
        """The files that a backup holds: path below the home and size in bytes. Raises InvalidInput for a backup that is not known."""
        if "/" in run or self._known(run) is None:
            raise InvalidInput(
                f"There is no backup {run!r}. `naas backup list` shows those there are.", code="no-backup"
            )
        files = {}
        for line in (self.runs / f"{run}.list").read_bytes().decode().split("\n"):  # names hold every other line end
            size, _, name = line.partition("\t")
            if name and size.isdecimal() and not name.startswith("/") and ".." not in name.split("/"):
                files[name] = int(size)
        return files


def _next(
    settings: BackupSettings, last: BackupRun | None, attempt: Attempt | None, now: dt.datetime
) -> dt.datetime | None:
    if not settings.every_hours:
        return None
    due = last.started_at + dt.timedelta(hours=settings.every_hours) if last else now
    return max(due, attempt.at + RETRY_AFTER) if attempt and attempt.problem else due
