"""A catalogue that follows its sources: looked at now and then, read again only when one has changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from naas_client.catalogue import ArchiveSource, FolderSource, GitSource
from naas_client.errors import NaasError
from naas_client.models import CatalogueProblem

from naas_catalogue.catalogue import Catalogue, Root, load
from naas_catalogue.sources.archive import Archive
from naas_catalogue.sources.base import Fetcher
from naas_catalogue.sources.folder import Folder
from naas_catalogue.sources.git import Git

log = logging.getLogger(__name__)


def fetcher(source: FolderSource | GitSource | ArchiveSource, cache: Path) -> Fetcher:
    """What brings a source to this machine."""
    if isinstance(source, FolderSource):
        return Folder(source)
    return Git(source, cache) if isinstance(source, GitSource) else Archive(source, cache)


@dataclass(frozen=True)
class Loaded:
    """A catalogue and the versions it was made of."""

    catalogue: Catalogue
    versions: dict[str, str]


class Keeper:
    """Keeps the newest good catalogue. A source that does not answer leaves what it gave before, and the problem is told.

    Parameters: ``sources``, the first counts where names meet; ``cache``, folder for fetched ones, of this process alone. Blocking.
    """

    def __init__(self, sources: Sequence[FolderSource | GitSource | ArchiveSource], cache: Path, *own: Root) -> None:
        self._sources = {source.name: fetcher(source, cache) for source in sources}
        self._own = own
        self._lock = threading.Lock()
        self._roots: dict[str, Root] = {}
        self._versions: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._loaded: Loaded | None = None

    def look(self) -> Loaded:
        """The catalogue as its sources are now; the same object while nothing has changed."""
        with self._lock:
            before = (dict(self._versions), dict(self._failed))
            for name, source in self._sources.items():
                self._look_at(name, source)
            if self._loaded is None or before != (self._versions, self._failed):
                self._loaded = self._load()
            return self._loaded

    def _look_at(self, name: str, source: Fetcher) -> None:
        try:
            version = source.version()
            if version != self._versions.get(name) or name not in self._roots:
                self._roots[name] = source.fetch()
                self._versions[name] = version
            self._failed.pop(name, None)
        except NaasError as error:
            self._failed[name] = error.message
        except OSError as error:
            self._failed[name] = (
                f"It cannot be kept: {error.strerror}. Give `catalogue.cache` a folder that can be written."
            )
        except Exception as error:  # one source's trouble must not hide the others
            log.exception("catalogue source %s", name)
            self._failed[name] = f"It cannot be read: {type(error).__name__}. The gateway's log says where."

    def _load(self) -> Loaded:
        roots = [self._roots[name] for name in self._sources if name in self._roots]
        found = load([*roots, *self._own])
        down = [CatalogueProblem(source=name, message=message) for name, message in self._failed.items()]
        catalogue = Catalogue(found.services, found.templates, [*down, *found.problems], found.icons)
        return Loaded(catalogue, dict(self._versions))
