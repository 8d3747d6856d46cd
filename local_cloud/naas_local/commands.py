"""`naas up`, `naas status`, `naas doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from naas_local import table
from naas_local.data import DataFolder
from naas_local.parts import PartFailed
from naas_local.product import Product
from naas_local.supervisor import Supervisor, end_leftovers, read_state
from naas_local.view import private_namespace

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".naas"),
    show_default=True,
    help="Folder with everything that persists.",
)
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your naas.yaml; without it ./naas.yaml if there is one, else the defaults.",
)


def _config_file(given: Path | None) -> Path | None:
    standard = Path("naas.yaml")
    return given or (standard if standard.exists() else None)


@click.command()
@data_option
@config_option
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Public port; the same as last time if not given, first 8000."
)
@click.option(
    "--object-store",
    type=click.Choice(["embedded", "ceph"]),
    help="Plain files, or a Ceph RADOS Gateway on this machine; the same as last time if not given, first embedded.",
)
@click.option(
    "--spawner",
    type=click.Choice(["local", "docker"]),
    help="Servers as processes of this machine, or in containers (needs root and Docker); the same as last time if not given.",
)
@click.option("--fresh", is_flag=True, help="Delete the data folder's content first: users, files, everything.")
def up(
    data: Path, config: Path | None, port: int | None, object_store: str | None, spawner: str | None, fresh: bool
) -> None:
    """Start the whole service on this machine, with an embedded cloud, and supervise it."""
    folder = DataFolder(data)
    folder.lock()
    _end_leftovers(folder)
    if fresh:
        folder.wipe()
    folder.create()
    product = Product(folder, _config_file(config), port, object_store, spawner)
    product.write_site()
    namespace = None
    if product.as_root and product.spawner == "local":
        namespace = private_namespace(product.reachable_paths(), product.read_only_paths())
    elif product.read_only_paths() and not product.as_root:
        click.echo("Not root: nothing but their own permissions keeps read-only host folders from being written to.")
    supervisor = Supervisor(folder, product.url, product.specs(), namespace)
    try:
        _supervise(supervisor, product)
    except PartFailed as error:
        raise click.ClickException(
            f"{error}\n\nEverything was stopped again. `naas doctor` checks this machine."
        ) from None


def _end_leftovers(folder: DataFolder) -> None:
    if folder.state.exists() and (names := end_leftovers(json.loads(folder.state.read_text()))):
        click.echo(f"Ended what an earlier `naas up` left running: {', '.join(names)}.")


def _supervise(supervisor: Supervisor, product: Product) -> None:
    console = Console()

    def picture() -> Any:
        return table.whole(supervisor.document(), str(product.data.logs), product.embedded_iam, product.as_root)

    if not console.is_terminal:
        _supervise_plainly(supervisor, picture, console)
        return
    with Live(picture(), console=console, auto_refresh=False, transient=False) as live:
        supervisor.changed = lambda: live.update(picture(), refresh=True)
        supervisor.run()


def _supervise_plainly(supervisor: Supervisor, picture: Any, console: Console) -> None:
    """Without a terminal: the whole picture once, when everything is ready."""
    said = {"ready": False}

    def changed() -> None:
        if supervisor.ready and not said["ready"]:
            said["ready"] = True
            console.print(picture(), soft_wrap=True)
            sys.stdout.flush()

    supervisor.changed = changed
    supervisor.run()


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(data: Path, as_json: bool) -> None:
    """Show the parts of a running `naas up`; exit code 0 when all are ready, else 1."""
    folder = DataFolder(data)
    document = read_state(folder)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif not document["parts"]:
        raise click.ClickException(
            f"Nothing has been started with {folder.root}. Start it with `naas up --data {data}`."
        )
    else:
        Console().print(table.parts_table(document["parts"]))
        click.echo(f"\n{'Ready: ' + document['url'] if document['ready'] else 'Not ready.'}")
    raise SystemExit(0 if document["ready"] else 1)


@click.command()
@data_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(data: Path, config: Path | None, as_json: bool) -> None:
    """Check this machine and what the service depends on: ok, or why not and the remedy."""
    from naas_local.doctor import checks

    results = checks(DataFolder(data), _config_file(config))
    if as_json:
        click.echo(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        console = Console()
        for result in results:
            sign, style = {"ok": ("●", "green"), "note": ("▲", "yellow"), "bad": ("✕", "red")}[result.state]
            console.print(f"[{style}]{sign}[/] [bold]{result.name}[/]  {result.detail}", highlight=False)
            if result.remedy:
                console.print(f"  {result.remedy}", style="dim", highlight=False)
    raise SystemExit(1 if any(result.state == "bad" for result in results) else 0)
