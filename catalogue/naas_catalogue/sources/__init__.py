"""Where a catalogue comes from: folders, git repositories, archives; each becomes a folder of this machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from naas_catalogue.sources.archive import ArchiveSource
from naas_catalogue.sources.folder import FolderSource
from naas_catalogue.sources.git import GitSource
from naas_catalogue.sources.keeper import Keeper, Loaded

Source = Annotated[FolderSource | GitSource | ArchiveSource, Field(discriminator="kind")]

__all__ = ["ArchiveSource", "FolderSource", "GitSource", "Keeper", "Loaded", "Source"]
