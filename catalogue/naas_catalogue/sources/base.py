"""What fetching every kind of source has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from naas_catalogue.catalogue import Root

DEADLINE = 120.0
"""Seconds for one source to be fetched."""


class Fetcher(Protocol):
    """Brings a source into a folder of this machine. Blocking."""

    def version(self) -> str:
        """What it holds now, as a word that changes with it. Raises NaasError when it does not answer."""

    def fetch(self) -> Root:
        """The folder; a failed fetch leaves the one before. Raises NaasError."""


def put(new: Path, target: Path, aside: Path) -> None:
    """Put a folder in the place of another, which is there again when that fails.

    Parameters: ``aside``, a free place on the same disk; what was at ``target`` is there afterwards. Raises OSError.
    """
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
