"""What fetching every kind of source has in common."""

from __future__ import annotations

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
