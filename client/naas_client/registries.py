"""Registries of container images that a site offers: the section ``registries`` of ``naas.yaml``, and what it makes of image names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from naas_client.errors import InvalidInput
from naas_client.folders import Group
from naas_client.images import REGISTRY, ImageName
from naas_client.section import Section

BUILT_HERE = "naas/"
"""Images of `make images`. No registry is asked for them: whoever has this name there could send people anything."""


def _origin(url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not REGISTRY.fullmatch(parts.netloc) or parts.path or parts.query:
        raise ValueError("give scheme, host and perhaps port, for example https://harbor.example.org")
    return url.rstrip("/")


def _registry(host: str) -> str:
    if not REGISTRY.fullmatch(host):
        raise ValueError("give a registry's host, and perhaps its port, for example docker.io or ghcr.io")
    return host


Origin = Annotated[str, AfterValidator(_origin)]
Host = Annotated[str, AfterValidator(_registry)]
Project = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$", max_length=255)]


class RegistrySection(Section):
    """A registry of images: Harbor, or a plain one that speaks the Docker registry's API v2."""

    url: Origin = Field(description="where it answers, without a path", examples=["https://harbor.example.org"])
    name: str = Field(
        "", max_length=60, description="what people call it; empty: its host", examples=["INFN Cloud Harbor"]
    )
    kind: Literal["harbor", "docker"] = Field(
        "harbor",
        description="`harbor`; or `docker`: any registry with API v2, which has no projects of its own and no scans",
    )
    proxy_caches: dict[Host, Project] = Field(
        default_factory=dict,
        description="other registry → the project here that is its proxy cache. Its images are pulled through that project",
        examples=[{"docker.io": "dockerhub-proxy", "ghcr.io": "ghcr-proxy"}],
    )
    projects: dict[Project, list[Group]] = Field(
        default_factory=dict,
        description="project → groups to whose members the image chooser shows it (none: to everybody). Empty: all projects that the "
        "registry shows to a person. The registry itself decides who may pull",
        examples=[{"naas": [], "ml": ["users/ml-infn"]}],
    )

    @property
    def host(self) -> str:
        """What image names of this registry begin with."""
        return urlsplit(self.url).netloc

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.host

    def shows(self, project: str, groups: Iterable[str]) -> bool:
        """Whether a project is shown to a member of these groups."""
        if not self.projects:
            return True
        opened = self.projects.get(project)
        return opened is not None and (not opened or not set(opened).isdisjoint(groups))


def _apart(registries: list[RegistrySection]) -> list[RegistrySection]:
    hosts, cached = set[str](), set[str]()
    for registry in registries:
        if registry.host in hosts:
            raise ValueError(f"{registry.host} occurs twice. Write all of it in one entry")
        if twice := cached.intersection(registry.proxy_caches):
            raise ValueError(f"{min(twice)} has two proxy caches. Name the one to use")
        hosts.add(registry.host)
        cached.update(registry.proxy_caches)
    return registries


Registries = Annotated[list[RegistrySection], AfterValidator(_apart)]


def pulled_name(reference: str, registries: Sequence[RegistrySection]) -> str:
    """What is asked of a registry for an image: the same, or its name in a proxy cache (goharbor.io, "Configure Proxy Cache").

    Who may start it is decided by ``reference``.
    """
    if not reference.startswith(BUILT_HERE):
        try:
            name = ImageName.parse(reference)
        except InvalidInput:
            return reference  # an operator's own, which the engine refuses in its words
        for registry in registries:
            if project := registry.proxy_caches.get(name.registry):
                return str(replace(name, registry=registry.host, repository=f"{project}/{name.repository}"))
    return reference


def registry_of(reference: str, registries: Sequence[RegistrySection]) -> RegistrySection | None:
    """The site's registry that an image is pulled from; None: another one."""
    return next((one for one in registries if reference.startswith(f"{one.host}/")), None)
