"""Folders that a site gives to groups: buckets (``storage.folders``) and folders of the host (``hub.host_folders``)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from naas_client.errors import InvalidInput
from naas_client.names import FOLDER_NAME, bucket_problem
from naas_client.section import Section

LOWEST_GID = 1000
"""Below are the system's own groups (`shadow`, `docker`, …): no server is ever made a member of one."""

_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""No wildcard of a store's policies, no part that begins with a dot."""
_HOME_NAMES = frozenset({"cloud-storage", "examples", "local"})


def _folder_name(name: str) -> str:
    if not FOLDER_NAME.fullmatch(name):
        raise ValueError("use 1 to 63 lower-case letters, digits and hyphens, and no hyphen in front")
    return name


def _cloud_name(name: str) -> str:
    if name == "scratch" or name.startswith("scratch-"):
        raise ValueError("scratch and scratch-… are folders that everybody has. Choose another name")
    return name


def _home_name(name: str) -> str:
    if name in _HOME_NAMES or name.startswith("cloud-storage-"):
        raise ValueError(f"{name} is a folder that every home has. Choose another name")
    return name


def _bucket(name: str) -> str:
    if problem := bucket_problem(name):
        raise ValueError(f"a bucket cannot be called so: {problem}. Name another bucket")
    if "--" in name:
        raise ValueError("names with two hyphens in a row are for the buckets that people make. Name another bucket")
    return name


def _prefix(prefix: str) -> str:
    if prefix and not (_PREFIX.fullmatch(prefix) and len(prefix) <= 500):
        raise ValueError(
            "use letters, digits, hyphens, underscores and dots, with single slashes between parts and none at the ends, "
            "for example `runs/2026`"
        )
    return prefix


def _group(name: str) -> str:
    if not name.strip("/") or name.startswith("/"):
        raise ValueError("name a group as IAM does, without a slash in front, for example `experiments/cygno`")
    return name


def host_path(path: Path) -> Path:
    """A path of the host. Raises ValueError unless it is absolute and plain."""
    if not path.is_absolute() or ".." in path.parts or path == Path("/") or not str(path).isprintable():
        raise ValueError("give the absolute path of a folder of the host, without `..`, for example `/srv/naas/shared`")
    return path


FolderName = Annotated[str, AfterValidator(_folder_name)]
Group = Annotated[str, AfterValidator(_group)]
Description = Annotated[
    str,
    Field(
        max_length=60, description="what is in it, for the page on which people start a server", examples=["raw data"]
    ),
]


class GroupFolder(Section):
    """A bucket, or a prefix of one, that members of a group have as a folder."""

    name: Annotated[FolderName, AfterValidator(_cloud_name)] = Field(
        description="the folder is `cloud-storage/<name>`", examples=["cygno"]
    )
    bucket: Annotated[str, AfterValidator(_bucket)] = Field(
        description="made when it is missing, where the provisioner is `rgw` or the store is the embedded one. One that belongs to "
        "somebody else is never changed, and nobody gets it",
        examples=["cygno-data"],
    )
    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="only what is below it; empty: the whole bucket", examples=["runs/2026"]
    )
    groups: list[Group] = Field(
        min_length=1, description="members of any of these have the folder", examples=[["experiments/cygno"]]
    )
    read_only: bool = Field(False, description="members read; only others (another folder's members, the site) write")
    description: Description = ""

    def is_open_to(self, groups: Iterable[str]) -> bool:
        """Whether a member of these groups has the folder."""
        return not set(self.groups).isdisjoint(groups)

    @property
    def below(self) -> str:
        """What keys of the folder begin with: the prefix with its slash, or nothing."""
        return f"{self.prefix}/" if self.prefix else ""


class HostFolder(Section):
    """A folder of the machine that people find in their homes."""

    name: Annotated[FolderName, AfterValidator(_home_name)] = Field(
        description="the folder is `~/<name>`", examples=["shared", "private"]
    )
    path: Annotated[Path, AfterValidator(host_path)] = Field(
        description="an existing folder of the host where servers run", examples=["/srv/naas/shared"]
    )
    kind: Literal["shared", "private"] = Field(
        "shared", description="`shared`: everybody has the same folder; `private`: everybody their own folder in it"
    )
    groups: list[Group] = Field(
        default_factory=list,
        description="members of any of these have the folder; empty: everybody. With groups, the folder on the host must be "
        "closed to others (mode 2770, say) and belong to a Unix group of its own, which members' servers get",
    )
    read_only: bool = Field(False, description="nobody writes there from a server")
    description: Description = ""

    @property
    def private(self) -> bool:
        """Whether everybody has their own folder in it."""
        return self.kind == "private"

    def is_open_to(self, groups: Iterable[str]) -> bool:
        """Whether a member of these groups has the folder."""
        return not self.groups or not set(self.groups).isdisjoint(groups)

    def of(self, username: str) -> Path:
        """The folder on the host that a person has."""
        return self.path / username if self.private else self.path


Named = TypeVar("Named", GroupFolder, HostFolder)


def different_names(folders: list[Named]) -> list[Named]:
    """The folders. Raises ValueError when two have one name."""
    seen: set[str] = set()
    for folder in folders:
        if folder.name in seen:
            raise ValueError(f"two folders are called {folder.name}. Give each its own name")
        seen.add(folder.name)
    return folders


def kept_names(folders: Sequence[GroupFolder]) -> frozenset[str]:
    """What no new person is called: the folders of groups and their buckets, or their bucket would be that person's."""
    return frozenset(name for folder in folders for name in (folder.name, folder.bucket))


def apart(folders: list[HostFolder]) -> list[HostFolder]:
    """The folders. Raises ValueError when one lies in another: rights of the outer would hold in the inner one."""
    for one in different_names(folders):
        for other in folders:
            if one is not other and one.path.is_relative_to(other.path):
                raise ValueError(
                    f"{one.name} ({one.path}) lies in {other.name} ({other.path}). Use folders side by side"
                )
    return folders


HostFolders = Annotated[list[HostFolder], AfterValidator(apart)]


def host_problem(folder: HostFolder) -> str:
    """Why a folder of this host cannot be given to people as the settings say, with the remedy; empty: it can."""
    path = folder.path
    try:
        found = path.stat()
    except OSError as error:
        return f"{path} cannot be used ({error.strerror}). Make the folder, or correct the path"
    if not stat.S_ISDIR(found.st_mode):
        return f"{path} is not a folder. Name a folder"
    if folder.private and found.st_mode & 0o022:
        return f"others could take people's places in {path}. Run `chmod go-w {path}`"
    if os.geteuid() != 0 or not folder.groups:
        return ""
    if found.st_gid < LOWEST_GID:
        return (
            f"{path} belongs to a system group, so members cannot be let in by it. Give it a group of its own: "
            f"`groupadd naas-{folder.name} && chgrp naas-{folder.name} {path}`"
        )
    if found.st_mode & 0o007 or not found.st_mode & 0o010:
        mode = "0710" if folder.private else "2750" if folder.read_only else "2770"
        return f"{path} must be open to its Unix group and closed to others. Run `chmod {mode} {path}`"
    return ""


def check_host_folders(folders: Sequence[HostFolder]) -> None:
    """Raise InvalidInput with a line for each folder that this host does not have as the settings say."""
    problems = ((folder.name, host_problem(folder)) for folder in folders)
    if lines := [f"hub.host_folders: {name}: {problem}." for name, problem in problems if problem]:
        raise InvalidInput("\n".join(lines), code="bad-settings")
