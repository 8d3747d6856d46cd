"""Shared servers of groups (``collaborations``): one server that all members of a group open, each as themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from naas_client.folders import Group
from naas_client.names import collaboration_name
from naas_client.section import Section


class Collaboration(Section):
    """A shared server, in which members of one group edit the same notebooks at the same time."""

    group: Group = Field(description="its members open, start and stop the server", examples=["experiments/cygno"])
    profile: str = Field(
        description="slug of the profile that it is started with; one that is open to the group", examples=["standard"]
    )
    idle_timeout: int = Field(
        1800,
        ge=60,
        le=30 * 86400,
        description="seconds after which it stops when nobody has it open and nothing runs",
    )

    @property
    def name(self) -> str:
        """The hub user to whom the server belongs; nobody signs in by this name."""
        return collaboration_name(self.group)


def _one_per_group(collaborations: list[Collaboration]) -> list[Collaboration]:
    seen: set[str] = set()
    for one in collaborations:
        if one.group in seen:
            raise ValueError(f"the group {one.group} has two shared servers. Remove one")
        seen.add(one.group)
    return collaborations


Collaborations = Annotated[list[Collaboration], AfterValidator(_one_per_group)]


def find(collaborations: Iterable[Collaboration], name: str) -> Collaboration | None:
    """The shared server of this hub user; None: there is none (any more)."""
    return next((one for one in collaborations if one.name == name), None)
