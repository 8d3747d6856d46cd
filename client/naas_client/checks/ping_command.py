"""`naas ping`: run a command and tell a check how it goes."""

from __future__ import annotations

import sys

import click

from naas_client.checks import command
from naas_client.checks.addresses import checked
from naas_client.checks.pings import LONGEST_TEXT
from naas_client.checks.runs import Run
from naas_client.checks.runs import ping as tell
from naas_client.checks.sender import sender
from naas_client.errors import NaasError, Unavailable

END_LIMIT = 5.0
"""Seconds that the end of a command waits for its ping; then a process of its own goes on trying."""


@click.command()
@click.argument("name")
@click.option("--project", type=int, help="Number of the project, if not your own (see `naas checks list`).")
@click.option(
    "--no-output", is_flag=True, help="Do not look at what the command prints; for one that leaves a daemon behind."
)
@click.argument("argv", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
def ping(name: str, project: int | None, no_output: bool, argv: tuple[str, ...]) -> None:
    """Tell the check NAME that COMMAND begins, and how it ends: exit status, duration, the last 9 kB of what it printed.

    NAME is made at its first use; its ping address will do as well. Without COMMAND: one ping of success, now. Output, signals and exit
    status are the command's own, whatever becomes of the pings: while the server is away they are tried again in the background for an
    hour, and say that they are late. What the command prints to a terminal is not looked at.

    In a crontab:

    \b
      0 3 * * *  naas ping "nightly calibration" -- ./calibrate.sh
    """
    check = checked(name)
    if not argv:
        _ping_once(check, project)
        return
    tail = None if no_output else command.Tail(LONGEST_TEXT)
    with command.signals_held() as mask:
        run = Run(check, project)
        try:
            status = command.run(argv, tail, mask)
        except OSError as error:
            status = command.NOT_FOUND if isinstance(error, FileNotFoundError) else command.NOT_EXECUTABLE
            click.echo(f"naas: {argv[0]}: {error.strerror}", err=True)
        run.end(tail.text() if tail else "", str(status if status >= 0 else 128 - status))
        sender().close(END_LIMIT)
    sys.exit(command.end_as(status))


def _ping_once(check: str, project: int | None) -> None:
    tell(check, project=project)
    if sender().flush(END_LIMIT):
        if problems := sender().problems:
            raise NaasError(problems[-1])
        return
    waiting = sender().waiting()
    raise Unavailable(
        f"Not sent yet: {waiting[0][1] if waiting else 'no answer'}. It is tried again in the background, for an hour."
    )
