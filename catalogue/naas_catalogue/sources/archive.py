"""An archive on the web (.tar.gz or .zip), unpacked file by file: no links, no devices, nothing outside, within bounds."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import httpx
from naas_client.errors import InvalidInput, Unavailable
from pydantic import Field

from naas_catalogue.catalogue import Root
from naas_catalogue.files import MAX_FILES
from naas_catalogue.sources.base import DEADLINE, RemoteSource

MAX_ARCHIVE = 32 * 1024 * 1024
MAX_UNPACKED = 128 * 1024 * 1024


class ArchiveSource(RemoteSource):
    """A .tar.gz or .zip by https; a single folder at its top is left out of the paths."""

    kind: Literal["archive"] = "archive"
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", description="refuse any other content")

    def version(self, cache: Path) -> str:  # noqa: ARG002 - it is asked over the network
        """What the server says about it, or the content's own hash."""
        if self.sha256:
            return self.sha256
        try:
            with httpx.Client(timeout=DEADLINE, follow_redirects=False) as client:
                answer = client.head(self.url)
        except httpx.HTTPError as error:
            raise Unavailable(f"Catalogue source {self.name}: {type(error).__name__} from {self.url}.") from None
        marks = [answer.headers.get(name, "") for name in ("etag", "last-modified", "content-length")]
        return "|".join(marks) if answer.is_success and any(marks[:2]) else hashlib.sha256(self._download()).hexdigest()

    def fetch(self, cache: Path) -> Root:
        """The unpacked archive in the cache, whole or not at all."""
        content = self._download()
        if self.sha256 and hashlib.sha256(content).hexdigest() != self.sha256:
            raise InvalidInput(f"Catalogue source {self.name}: the archive is not the one with this sha256.")
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.name}.", dir=cache))
        try:
            unpack(content, fresh / "new", self.name)
            target = cache / self.name
            if target.exists():
                target.rename(fresh / "old")
            _top(fresh / "new").rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return Root(self.name, target / self.folder)

    def _download(self) -> bytes:
        content = bytearray()
        try:
            with (
                httpx.Client(timeout=DEADLINE, follow_redirects=False) as client,
                client.stream("GET", self.url) as answer,
            ):
                if not answer.is_success:
                    raise Unavailable(f"Catalogue source {self.name}: status {answer.status_code} from {self.url}.")
                for part in answer.iter_raw():
                    content += part
                    if len(content) > MAX_ARCHIVE:
                        raise InvalidInput(f"Catalogue source {self.name}: larger than {MAX_ARCHIVE // 1024**2} MiB.")
        except httpx.HTTPError as error:
            raise Unavailable(f"Catalogue source {self.name}: {type(error).__name__} from {self.url}.") from None
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
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError):
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
