"""A folder of this machine."""

from __future__ import annotations

import hashlib

from naas_client.catalogue import FolderSource
from naas_client.errors import Unavailable

from naas_catalogue import files
from naas_catalogue.catalogue import Root
from naas_catalogue.documents import Unreadable


class Folder:
    """Files in a folder; a changed one counts with the next look."""

    def __init__(self, source: FolderSource) -> None:
        self._source = source

    def version(self) -> str:
        """Names, sizes and times of its files."""
        mark, folder = hashlib.sha256(), self._source.path
        try:
            if not folder.is_dir():
                raise NotADirectoryError(folder)
            for path in files.walk(folder):
                stat = (folder / path).lstat()
                mark.update(
                    f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}\n".encode(errors="surrogateescape")
                )
        except (OSError, Unreadable):
            raise Unavailable(f"Catalogue source {self._source.name}: {folder} cannot be read.") from None
        return mark.hexdigest()

    def fetch(self) -> Root:
        """The folder itself."""
        return Root(self._source.name, self._source.path)
