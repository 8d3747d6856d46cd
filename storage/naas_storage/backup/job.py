"""One backup, and one restore."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import httpx
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.models import BackupProgress, BackupRestore, BackupRun

from naas_storage.backup.remote import Remote, StoreFailed
from naas_storage.backup.state import FOLDER, Attempt, BackupState

SKIPPED = (
    *("/cloud-storage", "/cloud-storage.rclonelink"),  # it is in the store already
    "/examples/**",  # comes with every start
    f"/{FOLDER}/**",
    *("/.cache/**", "/.local/share/Trash/**", "/.local/share/jupyter/runtime/**", "/.npm/**"),
    *("__pycache__/**", ".ipynb_checkpoints/**", "node_modules/**"),
    *("/.conda/**", "/miniconda3/**", "/miniforge3/**", ".venv/**"),  # made again from a list of packages
    *("/.ssh/**", "/.gnupg/**", "/.aws/**", "/.config/naas/**", "/.config/rclone/**"),  # keys do not leave the machine
    *("/.netrc", "/.pgpass", "/.git-credentials", "/.pypirc", "/.docker/config.json", "/.config/gh/**"),
)
"""Left out of every backup."""
MOST_ERRORS = 20
"""Sentences about single files that a result keeps."""
PING_LIMIT = 10.0
"""Seconds for a healthcheck to answer; the backup never fails because of it."""
ID = "%Y-%m-%dT%H%M%SZ"


def back_up(state: BackupState, remote: Callable[[], Remote], now: Callable[[], dt.datetime]) -> BackupRun:
    """Make one backup and say what it saved. Raises Conflict when one is running, Unavailable when nothing could be saved.

    Parameters: ``remote``, makes the connection once the lock is held; ``now``, the aware UTC time.
    """
    with state.alone():
        started, ping = now(), state.settings.ping_url
        _ping(ping, "/start")
        try:
            run = _back_up(state, remote(), started, now)
        except (NaasError, StoreFailed) as error:
            problem = error.message if isinstance(error, NaasError) else state.note(error.text, error.sentence())
            state.ended(Attempt(at=started, problem=problem), None)
            _ping(ping, "/fail")
            raise Unavailable(f"The backup failed. {problem}", code="backup-failed") from None
        state.ended(Attempt(at=started), run)
        _ping(ping, "/fail" if run.errors else "")
        return run


def _back_up(state: BackupState, remote: Remote, started: dt.datetime, now: Callable[[], dt.datetime]) -> BackupRun:
    progress = _Progress(state, "backup", started)
    name = started.strftime(ID)
    errors: list[str] = []
    with tempfile.TemporaryDirectory(dir=state.folder) as temporary:
        filters = Path(temporary) / "filters"
        filters.write_text("".join(f"- {pattern}\n" for pattern in (*SKIPPED, *state.settings.exclude)))
        try:
            remote.sync(state.home, f"versions/{name}", filters, progress.take)
        except StoreFailed as error:
            errors = error.text.splitlines()[:MOST_ERRORS] or ["rclone gave no reason."]
        held = remote.files("home")  # raises when the store is not there at all
        if errors and not held:
            raise StoreFailed("\n".join(errors))
        run = BackupRun(
            id=name,
            started_at=started,
            ended_at=now(),
            files=len(held),
            bytes=sum(held.values()),
            sent_files=progress.now.files,
            sent_bytes=progress.now.bytes,
            errors=errors,
        )
        _keep(state, remote, Path(temporary), run, held)
    _forget_old(state, remote, started)
    return run


def _keep(state: BackupState, remote: Remote, temporary: Path, run: BackupRun, held: dict[str, int]) -> None:
    """Put the record of a backup into the bucket, the list of its files first: a record without a list is never seen."""
    state.runs.mkdir(exist_ok=True, mode=0o700)
    lines = "".join(f"{size}\t{name}\n" for name, size in sorted(held.items()) if "\n" not in name)
    for suffix, content in (("list", lines), ("json", run.model_dump_json(indent=2))):
        file = temporary / f"{run.id}.{suffix}"
        file.write_text(content)
        remote.put(file, f"runs/{file.name}")
        (state.runs / file.name).write_text(content)


def _forget_old(state: BackupState, remote: Remote, now: dt.datetime) -> None:
    """Take away what replaced files looked like before the oldest backup that is kept. Trouble with it waits for the next time."""
    limit = now - dt.timedelta(days=state.settings.keep_days)
    with contextlib.suppress(StoreFailed):
        for name in {path.partition("/")[0] for path in remote.files("versions")}:
            if name < limit.strftime(ID):
                remote.remove(f"versions/{name}")
        for run in [one for one in state.known_runs() if one.started_at < limit]:
            for suffix in ("json", "list"):
                remote.delete(f"runs/{run.id}.{suffix}")
                (state.runs / f"{run.id}.{suffix}").unlink(missing_ok=True)


def refresh(state: BackupState, remote: Remote) -> list[BackupRun]:
    """The backups there are, newest first, as the bucket knows them: also from a home that is new. Raises Unavailable."""
    state.runs.mkdir(exist_ok=True, mode=0o700)
    try:
        remote.fetch("runs", state.runs, None, None)
    except StoreFailed as error:
        if "directory not found" not in error.text:
            raise Unavailable(f"The backups cannot be listed. {error.sentence()}", code="backup-failed") from None
    return state.known_runs()


def restore(
    state: BackupState,
    remote: Callable[[], Remote],
    run: str,
    wanted: list[str],
    in_place: bool,
    now: Callable[[], dt.datetime],
) -> tuple[Path, int]:
    """Bring back files as they were after a backup; where they are now, and how many.

    Parameters: ``wanted``, files or folders below the home, empty for all; ``in_place``, where they came from (what is there
    moves into a folder of its own first), else into a new folder below ``local``. Raises InvalidInput for files that the backup
    does not hold, Conflict when one is running, Unavailable when the store fails.
    """
    with state.alone():
        started = now()
        stamp = started.strftime(ID)
        new, aside = Path("local", f"restored-{stamp}"), Path("local", f"replaced-{stamp}")
        target = state.home if in_place else state.home / new
        replaced = state.home / aside if in_place else None
        progress = _Progress(state, "restore", started)
        try:
            count = _restore(state, remote(), run, wanted, target, replaced, progress)
        except NaasError as error:
            state.restored(BackupRestore(run=run, at=started, problem=error.message))
            raise
        except StoreFailed as error:
            problem = state.note(error.text, error.sentence())
            state.restored(BackupRestore(run=run, at=started, folder="" if in_place else str(new), problem=problem))
            raise Unavailable(
                f"Not everything was brought back to {target}. {problem} Start the restore again.",
                code="restore-failed",
            ) from None
        moved = replaced is not None and replaced.exists()
        state.restored(
            BackupRestore(
                run=run,
                at=started,
                files=count,
                folder="" if in_place else str(new),
                replaced=str(aside) if moved else "",
            )
        )
        return target, count


def _restore(
    state: BackupState,
    remote: Remote,
    run: str,
    wanted: list[str],
    target: Path,
    replaced: Path | None,
    progress: _Progress,
) -> int:
    refresh(state, remote)
    chosen = _chosen(state.files_of(run), wanted)
    for source, names in _places(remote, chosen, run).items():
        with tempfile.NamedTemporaryFile("w", dir=state.folder, suffix=".names") as listed:
            listed.write("".join(f"{name}\n" for name in names))
            listed.flush()
            target.mkdir(parents=True, exist_ok=True)
            remote.fetch(source, target, Path(listed.name), replaced, progress.take)
    return len(chosen)


def _chosen(held: dict[str, int], wanted: list[str]) -> list[str]:
    if not wanted:
        return list(held)
    asked = dict.fromkeys(one.strip("/") for one in wanted)
    chosen, found = [], set()
    for name in held:
        if ways := [way for way in (name, *_folders(name)) if way in asked]:
            chosen.append(name)
            found.update(ways)
    for one in asked:
        if one not in found:
            raise InvalidInput(
                f"The backup does not hold {one!r}. `naas backup files` lists what it holds.", code="not-in-backup"
            )
    return chosen


def _folders(name: str) -> Iterable[str]:
    """The folders that a file is in, outermost last."""
    while name := name.rpartition("/")[0]:
        yield name


def _places(remote: Remote, names: Iterable[str], run: str) -> dict[str, list[str]]:
    """Where each file is as it was after a backup: what the first later one replaced, else what is in ``home/`` now.

    Also a backup that broke off, and so has no record, has moved files aside: what counts is the folders in ``versions/``.
    """
    left, places = set(names), defaultdict(list)
    for path in sorted(remote.files("versions")):
        version, _, name = path.partition("/")
        if version > run and name in left:
            places[f"versions/{version}"].append(name)
            left.discard(name)
    if left:
        places["home"] = sorted(left)
    return places


class _Progress:
    """Takes rclone's figures and says them, at most twice a second."""

    def __init__(self, state: BackupState, what: Literal["backup", "restore"], started: dt.datetime) -> None:
        self._state, self._said = state, 0.0
        self.now = BackupProgress(what=what, started_at=started)
        state.progress(self.now)

    def take(self, figures: dict[str, Any]) -> None:
        """A listener of rclone-python."""
        found = figures["rclone_output"]
        self.now = self.now.model_copy(
            update={
                "files": int(found.get("transfers", 0)),
                "files_total": int(found.get("totalTransfers", 0)),
                "bytes": int(found.get("bytes", 0)),
                "bytes_total": int(found.get("totalBytes", 0)),
            }
        )
        elapsed = float(found.get("elapsedTime", 0))
        if elapsed - self._said >= 0.5:
            self._said = elapsed
            self._state.progress(self.now)


def _ping(url: str, what: Literal["/start", "/fail", ""]) -> None:
    """Tell a healthcheck (https://healthchecks.io/docs/http_api/). It may be away: that is its own alarm."""
    if url:
        # UnicodeError: a host that DNS cannot ask for
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, UnicodeError):
            httpx.post(url + what, timeout=PING_LIMIT)
