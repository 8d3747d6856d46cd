"""What every source has."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from naas_client.errors import InvalidInput
from naas_client.section import Section
from pydantic import Field, field_validator

from naas_catalogue.catalogue import Root

DEADLINE = 120.0
"""Seconds for one source to be fetched."""


class BaseSource(Section):
    """One place with catalogue files."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$", description="how problems and logs call it", examples=["infn-templates"]
    )

    def version(self, cache: Path) -> str:
        """What it holds now, as a word that changes with it. Raises NaasError when it does not answer."""
        raise NotImplementedError

    def fetch(self, cache: Path) -> Root:
        """Bring it into a folder of this machine; a failed fetch leaves the one before. Raises NaasError."""
        raise NotImplementedError


class RemoteSource(BaseSource):
    """One that is fetched over the network."""

    url: str = Field(description="https address, without name and password in it")
    folder: str = Field(default="", description="folder inside it that holds the catalogue")

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        from naas_client.addresses import safe_address

        try:
            return safe_address(url, "url", loopback=False)
        except InvalidInput as error:
            raise ValueError(error.message) from None

    @field_validator("folder")
    @classmethod
    def _inside(cls, folder: str) -> str:
        path = PurePosixPath(folder)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError("write a folder inside the source, for example config/catalogue")
        return folder
