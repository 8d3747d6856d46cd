"""A catalogue that follows its sources: looked at now and then, read again only when one has changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from naas_client.errors import NaasError
from naas_client.models import CatalogueProblem

from naas_catalogue.catalogue import Catalogue, Root, load
from naas_catalogue.sources.base import BaseSource


@dataclass(frozen=True)
class Loaded:
    """A catalogue and the versions it was made of."""

    catalogue: Catalogue
    versions: dict[str, str]


class Keeper:
    """Keeps the newest good catalogue. A source that does not answer leaves what it gave before, and the problem is told.

    Parameters: ``sources``, the first counts where names meet; ``cache``, folder for fetched ones, of this process alone. Blocking.
    """

    def __init__(self, sources: Sequence[BaseSource], cache: Path, *own: Root) -> None:
        self._sources = sources
        self._cache = cache
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
            for source in self._sources:
                self._look_at(source)
            if self._loaded is None or before != (self._versions, self._failed):
                self._loaded = self._load()
            return self._loaded

    def _look_at(self, source: BaseSource) -> None:
        try:
            version = source.version(self._cache)
            if version != self._versions.get(source.name) or source.name not in self._roots:
                self._roots[source.name] = source.fetch(self._cache)
                self._versions[source.name] = version
            self._failed.pop(source.name, None)
        except NaasError as error:
            self._failed[source.name] = error.message

    def _load(self) -> Loaded:
        roots = [self._roots[source.name] for source in self._sources if source.name in self._roots]
        found = load([*roots, *self._own])
        down = [CatalogueProblem(source=name, message=message) for name, message in self._failed.items()]
        catalogue = Catalogue(found.services, found.templates, [*down, *found.problems], found.icons)
        return Loaded(catalogue, dict(self._versions))
