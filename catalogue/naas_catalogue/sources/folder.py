"""A folder of this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from naas_client.errors import Unavailable
from pydantic import Field

from naas_catalogue import files
from naas_catalogue.catalogue import Root
from naas_catalogue.documents import Unreadable
from naas_catalogue.sources.base import BaseSource


class FolderSource(BaseSource):
    """Files in a folder; a changed one counts with the next look."""

    kind: Literal["folder"] = "folder"
    path: Path = Field(description="absolute path", examples=["/etc/naas/catalogue"])

    def version(self, cache: Path) -> str:  # noqa: ARG002 - only fetched sources have a cache
        """Names, sizes and times of its files."""
        mark = hashlib.sha256()
        try:
            if not self.path.is_dir():
                raise NotADirectoryError(self.path)
            for path in files.walk(self.path):
                stat = (self.path / path).lstat()
                mark.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}\n".encode())
        except (OSError, Unreadable):
            raise Unavailable(f"Catalogue source {self.name}: {self.path} cannot be read.") from None
        return mark.hexdigest()

    def fetch(self, cache: Path) -> Root:  # noqa: ARG002
        """The folder itself."""
        return Root(self.name, self.path)
