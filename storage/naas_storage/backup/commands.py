"""`naas backup …`: in a terminal of a server, and what the scheduled backup starts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
from naas_client.models import BackupSettings
from naas_client.sizes import format_files, format_size
from naas_client.terminal import say

from naas_storage.backup.job import back_up, refresh, restore
from naas_storage.backup.remote import Remote
from naas_storage.backup.state import BackupState
from naas_storage.connect import plan


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _state() -> BackupState:
    return BackupState(Path.home())


def _remote() -> Remote:
    return Remote(plan())


@click.group()
def backup() -> None:
    """Back up your home folder to your bucket, in versions, and bring files back."""


@backup.command()
def run() -> None:
    """Back up now."""
    state = _state()
    done = back_up(state, _remote, _now)
    click.echo(
        f"Saved, new or changed: {format_files(done.sent_files, done.sent_bytes)}. "
        f"The backup {done.id} holds {format_files(done.files, done.bytes)}."
    )
    for line in done.errors:
        say(f"Not saved: {line}", err=True)
    raise SystemExit(1 if done.errors else 0)


@backup.command("list")
def list_runs() -> None:
    """The backups there are, newest first."""
    runs = refresh(_state(), _remote())
    for one in runs:
        mark = f"  {len(one.errors)} not saved" if one.errors else ""
        click.echo(f"{one.id}  {one.files:>8} files  {format_size(one.bytes):>9}{mark}")
    if not runs:
        click.echo("There is no backup yet. Make one: naas backup run")


@backup.command()
@click.argument("backup_id")
def files(backup_id: str) -> None:
    """The files that a backup holds."""
    state = _state()
    refresh(state, _remote())
    for name, size in state.files_of(backup_id).items():
        say(f"{size:>12}  {name}")


@backup.command("restore")
@click.argument("backup_id")
@click.argument("paths", nargs=-1)
@click.option("--in-place", is_flag=True, help="Where the files came from; what is there moves to local/replaced-….")
def restore_files(backup_id: str, paths: tuple[str, ...], in_place: bool) -> None:
    """Bring back PATHS (files or folders below your home; all if none) as they were after a backup.

    They come into a new folder local/restored-…; nothing is overwritten.
    """
    target, count = restore(_state(), _remote, backup_id, list(paths), in_place, _now)
    click.echo(f"{count} files are back in {target}.")


@backup.command()
@click.option(
    "--every",
    "every_hours",
    type=click.IntRange(0, 24 * 31),
    help="Hours between two backups while a server runs; 0: never.",
)
@click.option("--keep-days", type=click.IntRange(1, 3650), help="How long replaced and deleted files are kept.")
@click.option("--exclude", multiple=True, help="Pattern to leave out, e.g. '/local/big/**'; replaces the earlier ones.")
@click.option("--ping-url", help="Address of a healthcheck; empty: none.")
def settings(every_hours: int | None, keep_days: int | None, exclude: tuple[str, ...], ping_url: str | None) -> None:
    """Show or change when your home is backed up by itself."""
    state = _state()
    given = {"every_hours": every_hours, "keep_days": keep_days, "exclude": list(exclude) or None, "ping_url": ping_url}
    changed = {name: value for name, value in given.items() if value is not None}
    if changed:
        state.change(BackupSettings.model_validate({**state.settings.model_dump(), **changed}))
    click.echo(state.settings.model_dump_json(indent=2))
