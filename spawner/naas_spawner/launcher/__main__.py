"""``python -m naas_spawner.launcher``: import, listen, fork."""

from __future__ import annotations

from pathlib import Path

import click
from naas_client import logs

from naas_spawner.launcher.loop import Launcher
from naas_spawner.launcher.preload import preload


@click.command()
@click.option("--socket", required=True, type=click.Path(path_type=Path), help="control socket, made with mode 0600")
@click.option("--state", required=True, type=click.Path(path_type=Path), help="file that remembers what runs")
@click.option(
    "--agent-grace", default=60.0, show_default=True, help="seconds for the last uploads at the launcher's end"
)
def main(socket: Path, state: Path, agent_grace: float) -> None:
    """Start people's servers and mount agents from one pre-imported process."""
    logs.configure("launcher")
    preload()
    if (task := Launcher(socket, state, agent_grace).serve()) is not None:
        task()


if __name__ == "__main__":
    main()
