"""An archive on the web (.tar.gz or .zip), unpacked file by file: no links, no devices, nothing outside, within bounds."""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import httpx
from naas_client.catalogue import ArchiveSource
from naas_client.errors import InvalidInput, Unavailable

from naas_catalogue.catalogue import Root
from naas_catalogue.files import MAX_FILES
from naas_catalogue.sources.base import DEADLINE, put

MAX_ARCHIVE = 32 * 1024 * 1024
MAX_UNPACKED = 128 * 1024 * 1024

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,  # names that are no text
)


class Archive:
    """Unpacked archives.

    Parameters: ``cache``, folder in which the files are kept.
    """

    def __init__(self, source: ArchiveSource, cache: Path) -> None:
        self._source = source
        self._cache = cache

    def version(self) -> str:
        """What the server says about it, or the content's own hash."""
        if self._source.sha256:
            return self._source.sha256
        try:
            with httpx.Client(timeout=DEADLINE, follow_redirects=False) as client:
                answer = client.head(self._source.url)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Catalogue source {self._source.name}: {type(error).__name__} from {self._source.url}."
            ) from None
        marks = [answer.headers.get(name, "") for name in ("etag", "last-modified", "content-length")]
        return "|".join(marks) if answer.is_success and any(marks[:2]) else hashlib.sha256(self._download()).hexdigest()

    def fetch(self) -> Root:
        """The unpacked archive in the cache, whole or not at all."""
        content = self._download()
        if self._source.sha256 and hashlib.sha256(content).hexdigest() != self._source.sha256:
            raise InvalidInput(f"Catalogue source {self._source.name}: the archive is not the one with this sha256.")
        self._cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{self._source.name}.", dir=self._cache))
        try:
            unpack(content, fresh / "new", self._source.name)
            target = self._cache / self._source.name
            put(_top(fresh / "new"), target, fresh / "old")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return Root(self._source.name, target / self._source.folder)

    def _download(self) -> bytes:
        content = bytearray()
        try:
            with (
                httpx.Client(timeout=DEADLINE, follow_redirects=False) as client,
                client.stream("GET", self._source.url) as answer,
            ):
                if not answer.is_success:
                    raise Unavailable(
                        f"Catalogue source {self._source.name}: status {answer.status_code} from {self._source.url}."
                    )
                for part in answer.iter_raw():
                    content += part
                    if len(content) > MAX_ARCHIVE:
                        raise InvalidInput(
                            f"Catalogue source {self._source.name}: larger than {MAX_ARCHIVE // 1024**2} MiB."
                        )
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Catalogue source {self._source.name}: {type(error).__name__} from {self._source.url}."
            ) from None
        return bytes(content)


def unpack(content: bytes, target: Path, name: str) -> None:
    """Write an archive's files into a new folder.

    Raises InvalidInput for links, devices, paths that leave the folder, too many files and too much content.
    """
    target.mkdir(mode=0o755)
    left = MAX_UNPACKED
    try:
        for count, (path, stream) in enumerate(_members(content)):
            if count >= MAX_FILES:
                raise InvalidInput(f"Catalogue source {name}: more than {MAX_FILES} files.")
            place = target / _safe(path, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                while part := stream.read(min(left + 1, 1024 * 1024)):
                    left -= len(part)
                    if left < 0:
                        raise InvalidInput(
                            f"Catalogue source {name}: more than {MAX_UNPACKED // 1024**2} MiB when unpacked."
                        )
                    file.write(part)
    except _BROKEN:
        raise InvalidInput(f"Catalogue source {name}: not a .tar.gz or .zip that can be unpacked.") from None
    except _LinkFound as link:
        raise InvalidInput(f"Catalogue source {name}: {link.args[0][:200]} is a link or a device.") from None


class _LinkFound(Exception):
    pass


def _members(content: bytes) -> Iterator[tuple[str, IO[bytes]]]:
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if (entry.external_attr >> 28) not in (0, 0o10, 0o4):
                    raise _LinkFound(entry.filename)
                if not entry.is_dir():
                    with archive.open(entry) as stream:
                        yield entry.filename, stream
        return
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|gz") as tar:
        for member in tar:
            if member.isdir() or member.name == "pax_global_header":
                continue
            content_of = tar.extractfile(member) if member.isreg() else None
            if content_of is None:
                raise _LinkFound(member.name)
            yield member.name, content_of


def _safe(path: str, name: str) -> PurePosixPath:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\\" in path or "\0" in path:
        raise InvalidInput(f"Catalogue source {name}: the archive holds {path[:200]!r}, which leaves it.")
    return parts


def _top(folder: Path) -> Path:
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() and entries[0].name not in _KNOWN else folder


_KNOWN = {"tosca-templates", "tosca-parameters", "tosca-metadata", "templates", "parameters", "metadata"}
