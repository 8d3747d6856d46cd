"""The `naas` command. Other rooms add commands by the entry point group ``naas.commands``; loaded only when used."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points, version

import click

from naas_client.errors import NaasError
from naas_client.terminal import plain


class Commands(click.Group):
    """A group whose commands are entry points, so that `naas status` does not import the hub."""

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group="naas.commands")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands that the installed extras bring."""
        return sorted({*super().list_commands(ctx), *self._entry_points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; a command whose extra is not installed says so."""
        if (own := super().get_command(ctx, cmd_name)) or (point := self._entry_points().get(cmd_name)) is None:
            return own
        try:
            command = point.load()
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`naas {cmd_name}` needs {error.name}, which is not installed. Try: pip install 'jupyterhub-naas[local]'"
            ) from error
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; our errors are shown as sentences, not as tracebacks."""
        try:
            return super().invoke(ctx)
        except NaasError as error:
            raise click.ClickException(plain(error.message)) from error


@click.group(cls=Commands)
@click.version_option(version("jupyterhub-naas"), prog_name="naas")
def main() -> None:
    """Notebook as a Service: run it, check it, use it."""
