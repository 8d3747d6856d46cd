"""What may be printed: names of files and sentences of a service are somebody else's text, and a terminal obeys escape codes."""

from __future__ import annotations

import click


def plain(text: str) -> str:
    """The text with everything replaced that is neither printed nor a line end (control functions of ECMA-48, marks
    of direction, lone surrogates)."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def say(text: str, *, err: bool = False) -> None:
    """Print a line (or several) that others had a part in. Parameters: ``err``, to standard error."""
    click.echo(plain(text), err=err)
