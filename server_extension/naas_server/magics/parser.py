"""The words of a magic's line."""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn

from naas_client.errors import InvalidInput


class _Words(argparse.ArgumentParser):
    """Says what is wrong as one of our errors instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message[:300]}. `{self.prog.partition(' ')[0]}?` shows what there is.")


class Parser:
    """Commands of one magic. Parameters: ``magic``, its name with the percent sign."""

    def __init__(self, magic: str) -> None:
        self._parser = _Words(prog=magic, add_help=False, allow_abbrev=False)
        self._commands = self._parser.add_subparsers(dest="command", parser_class=_Words)

    def command(self, name: str) -> argparse.ArgumentParser:
        """A new command of the magic."""
        return self._commands.add_parser(name, add_help=False, allow_abbrev=False)

    def read(self, line: str, otherwise: str) -> argparse.Namespace:
        """The wish in a line. Parameters: ``otherwise``, the command when nothing is said. Raises InvalidInput."""
        try:
            words = shlex.split(line)
        except ValueError:
            raise InvalidInput("A quote is not closed. Close it.") from None
        return self._parser.parse_args(words or [otherwise])
