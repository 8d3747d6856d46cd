"""Where a catalogue comes from: folders, git repositories, archives; each becomes a folder of this machine."""

from __future__ import annotations

from naas_catalogue.sources.keeper import Keeper, Loaded, fetcher

__all__ = ["Keeper", "Loaded", "fetcher"]
