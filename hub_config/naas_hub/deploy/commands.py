"""`naas deploy`: write what runs the service from the settings file."""

from __future__ import annotations

import os
from pathlib import Path

import click
from naas_client.errors import InvalidInput

from naas_hub.deploy.compose import Compose
from naas_hub.deploy.machine import check_machine, compose_program


@click.group()
def deploy() -> None:
    """Write what runs the service on machines of your own."""


@deploy.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("naas.yaml"), show_default=True, help="Your naas.yaml."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("naas-compose"),
    show_default=True,
    help="Folder to write, or to write again.",
)
def compose(config: Path, out: Path) -> None:
    """Write a folder for `docker compose`: the whole service on this machine. Secrets in it are made once and kept."""
    if os.geteuid() != 0:
        raise InvalidInput(
            "The parts' files belong to users of their own. Run this as root, with sudo.", code="not-root"
        )
    wanted = Compose(config, out)
    program = compose_program()
    notes = check_machine(wanted.deploy.name, wanted.deploy.subnet, wanted.data, wanted.shown, wanted.images)
    changes = wanted.write()
    click.echo("\n".join(changes) if changes else "Nothing has changed.")
    for note in notes:
        click.echo(note)
    click.echo(f"\nNext: cd {wanted.folder.root} && {program} up -d\nThen: {wanted.url}")
