"""Folders of the host in people's homes: what a person gets of ``hub.host_folders`` where servers are processes of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naas_client.errors import InvalidInput
from naas_client.folders import LOWEST_GID, HostFolder, host_problem

from naas_spawner.uids import make_folder


@dataclass
class HostPlaces:
    """A person's folders of the host.

    Parameters: ``links``, name in the home → folder; ``withdrawn``, links of the same kind that the person may not have;
    ``gids``, Unix groups that let the person in; ``troubles``, a sentence for each folder that cannot be given.
    """

    links: dict[str, Path] = field(default_factory=dict)
    withdrawn: dict[str, Path] = field(default_factory=dict)
    gids: list[int] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def host_places(
    folders: Sequence[HostFolder], opened: Collection[HostFolder], username: str, uid: int | None
) -> HostPlaces:
    """Find (and for `private` ones make) the folders that are open to a person; trouble with one leaves the others alone.

    Parameters: ``opened``, those of ``folders`` that the person's groups open; ``uid``, the person's, None: one's own.
    """
    found = HostPlaces()
    for folder in folders:
        place = folder.of(username)
        if folder not in opened:
            found.withdrawn[folder.name] = place
            continue
        try:
            _give(folder, place, uid)
            gid = folder.path.stat().st_gid
        except (InvalidInput, OSError) as error:
            found.troubles.append(f"{folder.name} is not there: {error}")
            continue
        found.links[folder.name] = place
        if uid is not None and gid >= LOWEST_GID and gid not in found.gids:
            found.gids.append(gid)
    return found


def _give(folder: HostFolder, place: Path, uid: int | None) -> None:
    """Raises InvalidInput, or OSError, when the person cannot have the folder; what is there is never changed."""
    if problem := host_problem(folder):
        raise InvalidInput(f"{problem}.")
    if not folder.private:
        return
    if not os.path.lexists(place):
        make_folder(place, uid)
        return
    there = place.lstat()
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != (os.geteuid() if uid is None else uid):
        raise InvalidInput(f"{place} is no folder of this person. Give it to uid {uid}, or move it away.")
