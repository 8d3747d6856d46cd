"""Names of container images, as Docker reads them (https://pkg.go.dev/github.com/distribution/reference)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from naas_client.errors import InvalidInput

LONGEST = 300
"""Characters of the longest reference that can be right."""
DOCKER_HUB = "docker.io"
REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
"""Host, and perhaps port, of a registry."""
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*", re.ASCII)
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class ImageName:
    """A reference in its parts; Docker Hub's short names are written out. ``tag`` and ``digest`` may be empty."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, reference: str) -> Self:
        """The parts of a reference. Raises InvalidInput when it is none."""
        name, at, digest = reference.partition("@")
        first, slash, rest = name.partition("/")
        named = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest) if named else (DOCKER_HUB, name)
        repository, colon, tag = path.partition(":")
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        right = (
            len(reference) <= LONGEST
            and REGISTRY.fullmatch(registry)
            and REPOSITORY.fullmatch(repository)
            and (TAG.fullmatch(tag) if colon else True)
            and (DIGEST.fullmatch(digest) if at else True)
        )
        if not right:
            raise InvalidInput(
                "That is not the name of an image. Write [REGISTRY/]REPOSITORY[:TAG], for example "
                "harbor.example.org/project/lab:2026.11, or python:3.12.",
                code="image",
            )
        return cls(registry, repository, tag, digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self.tag and f':{self.tag}'}{self.digest and f'@{self.digest}'}"


def by_name(reference: str) -> str:
    """A reference that an engine cannot take for the id of an image that is on the machine: ids have no slash."""
    return reference if "/" in reference else f"{DOCKER_HUB}/library/{reference}"
