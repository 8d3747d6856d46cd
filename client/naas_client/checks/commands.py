"""`naas checks`: see and change one's healthchecks from a terminal, of a server or of one's own computer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from naas_client.checks.addresses import choose
from naas_client.checks.sender import waiting
from naas_client.checks.words import expected, state, title
from naas_client.durations import seconds, written
from naas_client.errors import InvalidInput, NotFound
from naas_client.gateway import SyncGatewayClient
from naas_client.laptop.commands import service_option
from naas_client.laptop.person import ask
from naas_client.models import Check, CheckChanges, CheckPage, CheckPing, NewCheck
from naas_client.terminal import say

Model = TypeVar("Model", bound=BaseModel)
F = TypeVar("F", bound=Callable[..., Any])

MOST = 200
"""Checks in one table; more are found by --search and --tag."""


@click.group()
def checks() -> None:
    """Your healthchecks: list, make, change, pause and delete them, and see what arrived. `naas ping` sends pings.

    NAME is a check's name, its slug or its id.
    """


project_option = click.option(
    "--project", type=int, help="Number of the project, if not all of them, or your own for a new check."
)


def _fields(function: F) -> F:
    """The options that say what a check expects."""
    for option in reversed(
        (
            click.option("--every", metavar="TIME", help="A ping is expected so often: 90s, 30m, 2h, 1d."),
            click.option("--grace", metavar="TIME", help="It may be so late."),
            click.option("--schedule", help="Cron or OnCalendar expression, in place of --every."),
            click.option("--tz", help="Time zone of the schedule."),
            click.option("--tags", help="Separated by spaces."),
            click.option("--desc", help="Description."),
            click.option("--channels", help="Names or ids of who is told, separated by commas; * is all."),
        )
    ):
        function = option(function)
    return function


@checks.command("list")
@project_option
@click.option("--tag", default="", help="Only those with this tag.")
@click.option("--search", default="", help="Only those with this text in their name, slug or tags.")
@click.option("--state", "only", default="", help="Only those that are up, down, grace, new, paused or started.")
@service_option
def list_checks(project: int | None, tag: str, search: str, only: str, service: str | None) -> None:
    """Your checks, the ones in trouble first."""
    page = ask(service, lambda gateway: gateway.checks.list(project, tag=tag, search=search, state=only, limit=MOST))
    _table(("state", "name", "project", "expected", "last ping", "tags"), (_row(check) for check in page.items))
    if not page.items:
        say("No checks here. `naas checks create NAME` makes one, and so does `naas ping NAME`.")
    if page.next:
        say(f"{len(page.items)} of {page.total}. --search and --tag find the others.")
    _problems(page)


@checks.command()
@click.argument("name")
@project_option
@service_option
def show(name: str, project: int | None, service: str | None) -> None:
    """All about one check."""
    _show(ask(service, lambda gateway: _find(gateway, name, project)))


@checks.command()
@click.argument("name")
@project_option
@_fields
@service_option
def create(name: str, project: int | None, service: str | None, **given: str | None) -> None:
    """Make a check called NAME. Without --every and --schedule it expects a ping a day."""
    new = _checked(NewCheck, {"name": name, **_values(given)})

    def make(gateway: SyncGatewayClient) -> Check:
        return gateway.checks.create(choose(gateway.checks.projects().items, project).id, new)

    _show(ask(service, make))


@checks.command()
@click.argument("name")
@project_option
@click.option("--name", "new_name", help="Its new name.")
@_fields
@service_option
def edit(name: str, project: int | None, new_name: str | None, service: str | None, **given: str | None) -> None:
    """Change what is said about a check; the rest stays."""
    values = _values(given) | ({} if new_name is None else {"name": new_name})
    if not values:
        raise InvalidInput("Say what to change, for example --every 2h. `naas checks edit --help` shows what there is.")
    changes = _checked(CheckChanges, values)

    def change(gateway: SyncGatewayClient) -> Check:
        found = _find(gateway, name, project)
        return gateway.checks.change(found.project, found.id, changes)

    _show(ask(service, change))


@checks.command()
@click.argument("name")
@project_option
@service_option
def pause(name: str, project: int | None, service: str | None) -> None:
    """Expect nothing of a check until it is resumed, or pinged."""

    def change(gateway: SyncGatewayClient) -> Check:
        found = _find(gateway, name, project)
        return gateway.checks.pause(found.project, found.id)

    _show(ask(service, change))


@checks.command()
@click.argument("name")
@project_option
@service_option
def resume(name: str, project: int | None, service: str | None) -> None:
    """End a pause."""

    def change(gateway: SyncGatewayClient) -> Check:
        found = _find(gateway, name, project)
        return gateway.checks.resume(found.project, found.id)

    _show(ask(service, change))


@checks.command()
@click.argument("name")
@project_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@service_option
def delete(name: str, project: int | None, yes: bool, service: str | None) -> None:
    """Delete a check with all that arrived."""
    found = ask(service, lambda gateway: _find(gateway, name, project))
    if not yes:
        click.confirm(f"Delete {title(found)} with its {found.n_pings} pings?", abort=True)
    ask(service, lambda gateway: gateway.checks.delete(found.project, found.id))
    say(f"{title(found)} is deleted. A ping by its name would make it anew.")


@checks.command()
@click.argument("name")
@project_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many pings.")
@click.option("--body", type=int, metavar="N", help="What ping number N said, and nothing else.")
@service_option
def log(name: str, project: int | None, limit: int, body: int | None, service: str | None) -> None:
    """What arrived, newest first."""
    if body is not None:

        def read(gateway: SyncGatewayClient) -> str:
            found = _find(gateway, name, project)
            said = gateway.checks.ping_body(found.project, found.id, body)
            return said.base64 if said.binary else said.text

        say(ask(service, read))
        return

    def look(gateway: SyncGatewayClient) -> list[CheckPing]:
        found = _find(gateway, name, project)
        return gateway.checks.pings(found.project, found.id, limit=limit).items

    _table(("n", "at", "what", "took", "from", "body"), (_ping_row(ping) for ping in ask(service, look)))


def _find(gateway: SyncGatewayClient, name: str, project: int | None) -> Check:
    """The check of a name, slug or id. Raises NotFound, or InvalidInput when several are called so."""
    every: list[Check] = []
    cursor: str | None = None
    while True:
        page = gateway.checks.list(project, limit=MOST, cursor=cursor)
        every += page.items
        if (cursor := page.next) is None:
            break
    found = [check for check in every if name in (check.id, check.name)] or [
        check for check in every if name and name == check.slug
    ]
    if not found:
        unread = "".join(f" Project {problem.project}: {problem.message}" for problem in page.problems)
        raise NotFound(
            f"There is no check called {name}. `naas checks list` shows those there are.{unread}", code="no-such-check"
        )
    if len(found) > 1:
        ids = ", ".join(f"{check.id} (project {check.project})" for check in found[:5])
        raise InvalidInput(f"{len(found)} checks are called {name}. Name one by its id: {ids}.")
    return found[0]


def _values(given: dict[str, str | None]) -> dict[str, Any]:
    """From options to fields of a check."""
    values: dict[str, Any] = {key: given[key] for key in ("schedule", "tz", "desc") if given[key] is not None}
    if given["every"] is not None:
        values["timeout"] = seconds(given["every"], "a time between two pings")
    if given["grace"] is not None:
        values["grace"] = seconds(given["grace"], "a time")
    if given["tags"] is not None:
        values["tags"] = given["tags"].split()
    if given["channels"] is not None:
        values["channels"] = [name.strip() for name in given["channels"].split(",") if name.strip()]
    return values


def _checked(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        mistakes = [
            ": ".join([*(str(step) for step in mistake["loc"][:1]), mistake["msg"].removeprefix("Value error, ")])
            for mistake in error.errors()
        ]
        raise InvalidInput(f"{'; '.join(mistakes)}. Correct it; nothing was changed.") from None


def when(at: dt.datetime | None) -> str:
    """A moment in UTC; empty for none."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _row(check: Check) -> Sequence[str]:
    return state(check), title(check), str(check.project), expected(check), when(check.last_ping), " ".join(check.tags)


def _ping_row(ping: CheckPing) -> Sequence[str]:
    what = ping.type if ping.exit_status is None else f"exit status {ping.exit_status}"
    took = "" if ping.duration is None else written(ping.duration)
    return (
        str(ping.n),
        when(ping.at),
        what,
        took,
        f"{ping.remote_addr} {ping.user_agent}".strip(),
        "yes" if ping.has_body else "",
    )


def _show(check: Check) -> None:
    lines = {
        "name": check.name,
        "id": check.id,
        "project": str(check.project),
        "state": state(check),
        "expected": expected(check),
        "last ping": when(check.last_ping),
        "next ping": when(check.next_ping),
        "last took": "" if check.last_duration is None else written(check.last_duration),
        "pings": str(check.n_pings),
        "tags": " ".join(check.tags),
        "ping address": check.ping_url,
        "description": check.desc,
    }
    for name, value in lines.items():
        if value:
            say(f"{name:<13} {value}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    found = [list(row) for row in rows]
    if not found:
        return
    widths = [max(map(len, column)) for column in zip(head, *found, strict=True)]
    for row in [list(head), *found]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _problems(page: CheckPage) -> None:
    """What keeps the table from being the truth of now, on standard error."""
    for problem in page.problems:
        say(f"Project {problem.project}: {problem.message}", err=True)
    if late := waiting():
        say(
            f"{len(late)} pings have not arrived yet, the oldest of {when(late[0][0].at)}: {late[0][1] or 'on its way'}.",
            err=True,
        )
