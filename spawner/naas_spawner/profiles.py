"""Profiles: what a person may choose at the start of a server, and who may choose it. The section ``profiles`` of ``naas.yaml``.

A profile without ``groups`` is for everyone admitted. The same holds for an image and a GPU flavour, inside a profile that the person
may use. What a person may not use stays visible on the spawn page, with the groups that open it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Self

from naas_client.cvmfs import RepositoryName
from naas_client.settings import Section
from naas_client.sizes import Size, format_size
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_RESERVED_VARIABLE = re.compile(
    r"(JUPYTERHUB|JUPYTER|JPY|NAAS|LD|AWS)_.*|PATH|HOME|USER|LOGNAME|SHELL|PYTHON(HOME|PATH)"
)
_SECRET_VARIABLE = re.compile(r".*(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY).*", re.IGNORECASE)


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a variable's name has letters, digits and underscores and no digit in front. Rename it")
    if _RESERVED_VARIABLE.fullmatch(name):
        raise ValueError("this variable belongs to the platform and cannot be set by a profile. Remove it")
    if _SECRET_VARIABLE.fullmatch(name):
        raise ValueError("this looks like a secret, and every user of the profile could read it. Remove it")
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error}). Escape special characters with a backslash") from None
    return text


Variable = Annotated[str, AfterValidator(_variable)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_pattern)]


def opens(groups: Iterable[str], own: Iterable[str]) -> bool:
    """Whether something limited to ``groups`` is open to a member of ``own``; no groups: open to all."""
    wanted = set(groups)
    return not wanted or not wanted.isdisjoint(own)


class ImageChoice(Section):
    """An image offered by a profile. On one machine, without containers, there is one image: the installed Python."""

    name: Text = Field(description="what people read and what is remembered as their choice", examples=["lab 2026.11"])
    image: str = Field(
        "",
        max_length=300,
        pattern=r"^[^\s]*$",
        description="image reference; empty: the installed software (local spawner)",
        examples=["harbor.example.org/naas/lab:2026.11"],
    )
    groups: list[str] = Field(
        default_factory=list, description="who may use it; empty: everyone who may use the profile"
    )
    default: bool = Field(False, description="chosen when the person says nothing")
    size: Size | None = Field(None, description="download size, for display", examples=["3G"])


class GpuFlavour(Section):
    """A GPU, or a slice of one, that a profile can add to a server."""

    name: Text = Field(description="a flavour of `gpus`", examples=["A100 slice 1g.10gb"])
    groups: list[str] = Field(
        default_factory=list, description="who may use it; empty: everyone who may use the profile"
    )
    count: int = Field(1, ge=1, le=64, description="devices, or slices, per server")
    default: bool = Field(False, description="part of the profile: the server always has it")


class Cores(Section):
    """Numbers of cores to choose from."""

    choices: list[Annotated[float, Field(gt=0, le=1024)]] = Field([1.0, 2.0], min_length=1, max_length=20)
    default: float | None = Field(None, description="one of the choices; not given: the first")

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        if self.default is not None and self.default not in self.choices:
            given = ", ".join(f"{choice:g}" for choice in self.choices)
            raise ValueError(f"the default {self.default:g} is not among the choices {given}. Add it or choose another")
        return self

    @property
    def preferred(self) -> float:
        """The choice of a person who says nothing."""
        return self.choices[0] if self.default is None else self.default


class Memory(Section):
    """Sizes of memory to choose from."""

    choices: list[Size] = Field([2 * 2**30, 4 * 2**30, 8 * 2**30], min_length=1, max_length=20, examples=[["2G", "4G"]])
    default: Size | None = Field(None, description="one of the choices; not given: the first")
    needs_cores: dict[Size, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="least number of cores that must be chosen with a size", examples=[{"16G": 4}]
    )

    @model_validator(mode="after")
    def _only_choices_are_named(self) -> Self:
        named = [*([] if self.default is None else [self.default]), *self.needs_cores]
        if foreign := [size for size in named if size not in self.choices]:
            given = ", ".join(format_size(choice) for choice in self.choices)
            raise ValueError(f"{format_size(foreign[0])} is not among the choices {given}. Add it or choose another")
        return self

    @property
    def preferred(self) -> int:
        """The choice of a person who says nothing."""
        return self.choices[0] if self.default is None else self.default


def _choices(value: object) -> object:
    """Let ``cores: [1, 2]`` stand for ``cores: {choices: [1, 2]}``."""
    return {"choices": value} if isinstance(value, list) else value


class Profile(Section):
    """One row of the spawn page."""

    slug: Slug = Field(description="stable name in options, API and logs: a-z, 0-9 and hyphens", examples=["standard"])
    name: Text = Field(examples=["Standard"])
    description: str = Field("", max_length=300, examples=["Python with the scientific libraries, Dask and Git"])
    groups: list[str] = Field(default_factory=list, description="IAM groups that may use it; empty: everyone admitted")
    default: bool = Field(False, description="preferred for people who may use it and have no last choice")
    images: list[ImageChoice] = Field(
        default_factory=lambda: [ImageChoice(name="Installed software", default=True)], min_length=1, max_length=100
    )
    image_pattern: dict[str, Pattern] = Field(
        default_factory=dict,
        description="group → regular expression that a whole image reference of one's own must match",
        examples=[{"developers": r"harbor\.example\.org/dev/.+:[\w.-]+"}],
    )
    cores: Annotated[Cores, BeforeValidator(_choices)] = Field(default_factory=Cores)
    memory: Annotated[Memory, BeforeValidator(_choices)] = Field(default_factory=Memory)
    gpu: list[GpuFlavour] = Field(default_factory=list, max_length=50)
    cvmfs: list[RepositoryName] = Field(
        default_factory=list,
        max_length=100,
        description="CVMFS repositories to choose from",
        examples=[["sft.cern.ch"]],
    )
    environment: dict[Variable, str] = Field(
        default_factory=dict, description="variables of every server of the profile; never a secret"
    )
    idle_timeout: int = Field(
        0, ge=0, le=30 * 86400, description="seconds without activity after which the server stops; 0: never"
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for what, names in (("images", [i.name for i in self.images]), ("gpu", [g.name for g in self.gpu])):
            if double := first_double(names):
                raise ValueError(f"{what}: the name {double!r} occurs twice. Rename one")
        return self

    @model_validator(mode="after")
    def _default_can_be_started(self) -> Self:
        least = self.memory.needs_cores.get(self.memory.preferred, 0)
        if self.cores.preferred < least:
            raise ValueError(
                f"the defaults do not go together: {format_size(self.memory.preferred)} needs {least:g} cores or more. "
                "Change one of the defaults"
            )
        return self


def first_double(names: list[str]) -> str | None:
    """The first name that occurs for the second time."""
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _slugs_are_distinct(profiles: list[Profile]) -> list[Profile]:
    if double := first_double([profile.slug for profile in profiles]):
        raise ValueError(f"the slug {double!r} occurs twice. Rename one")
    return profiles


Profiles = Annotated[list[Profile], Field(min_length=1, max_length=100), AfterValidator(_slugs_are_distinct)]
"""The type of the settings key ``profiles``."""


def default_profiles() -> list[Profile]:
    """What the embedded cloud offers to its demo users; ``naas.yaml`` replaces the whole list."""
    gib = 2**30
    return [
        Profile(
            slug="standard",
            name="Standard",
            description="Python with the scientific libraries",
            groups=["users/naas", "admins"],
            default=True,
            cores=Cores(choices=[1, 2], default=1),
            memory=Memory(choices=[2 * gib, 4 * gib, 8 * gib], default=4 * gib, needs_cores={8 * gib: 2}),
            idle_timeout=7200,
        ),
        Profile(
            slug="developer",
            name="Developer",
            description="More cores and memory, for builds and tests",
            groups=["developers"],
            cores=Cores(choices=[2, 4], default=2),
            memory=Memory(choices=[4 * gib, 8 * gib, 16 * gib], default=8 * gib, needs_cores={16 * gib: 4}),
            environment={"MAKEFLAGS": "-j2"},
            idle_timeout=14400,
        ),
        Profile(
            slug="gpu-full",
            name="GPU full",
            description="A whole GPU for machine learning",
            groups=["users/ml-infn"],
            cores=Cores(choices=[16]),
            memory=Memory(choices=[120 * gib]),
            gpu=[GpuFlavour(name="A100 80 GB", default=True)],
            idle_timeout=3600,
        ),
    ]
