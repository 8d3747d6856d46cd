"""Where the catalogue of services comes from (``catalogue`` of the settings)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from naas_client.addresses import safe_address
from naas_client.errors import InvalidInput
from naas_client.section import Section

LARGEST_INPUTS = 512 * 1024
"""Bytes of all inputs of one deployment together, as JSON."""
LARGEST_CHECK = LARGEST_INPUTS + 64 * 1024
"""Bytes of a request with inputs: theirs, and what is sent beside them."""


def _https(url: str) -> str:
    try:
        return safe_address(url, "url", loopback=False)
    except InvalidInput as error:
        raise ValueError(error.message) from None


def _inside(folder: str) -> str:
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("write a folder inside the source, for example config/catalogue")
    return folder


class CatalogueSource(Section):
    """One place with catalogue files."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="how problems and logs call it", examples=["infn-templates"]
    )


class FolderSource(CatalogueSource):
    """A folder of the gateway's machine."""

    kind: Literal["folder"]
    path: Path = Field(description="absolute path", examples=["/etc/naas/catalogue"])


class RemoteSource(CatalogueSource):
    """One that is fetched over the network."""

    url: Annotated[str, AfterValidator(_https)] = Field(
        description="https address, without name and password in it", examples=["https://git.example.org/catalogue.git"]
    )
    folder: Annotated[str, AfterValidator(_inside)] = Field(
        default="", description="folder inside it that holds the catalogue"
    )


class GitSource(RemoteSource):
    """A branch or tag of a git repository."""

    kind: Literal["git"]
    ref: str = Field(
        default="HEAD",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$",
        description="branch or tag",
        examples=["v3.4.0"],
    )


class ArchiveSource(RemoteSource):
    """A .tar.gz or .zip; a single folder at its top is left out of the paths."""

    kind: Literal["archive"]
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", description="refuse any other content")


Source = Annotated[FolderSource | GitSource | ArchiveSource, Field(discriminator="kind")]


def _different(sources: list[Source]) -> list[Source]:
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise ValueError("two sources have the same name; give each its own")
    return sources


class CatalogueSection(Section):
    """The services that people find in the notebook."""

    sources: Annotated[list[Source], AfterValidator(_different)] = Field(
        default_factory=list, description="where services come from; the first one counts where names meet"
    )
    own: bool = Field(
        True, description="whether the services that come with this product are offered, after all sources"
    )
    reload_interval: float = Field(300, ge=5, le=86400, description="seconds between two looks at the sources")
    cache: Path = Field(Path("naas-catalogue"), description="folder for what is fetched, of each gateway alone")
