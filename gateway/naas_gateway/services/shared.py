"""Which folders of groups a person has now, and which are nobody's because a person has their name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from naas_client.folders import GroupFolder
from naas_client.settings import StorageSection

from naas_gateway.services.people import People

CLASHING = (
    "The name of this folder, or of its bucket, is also a person's, so it is shared with nobody. "
    "Ask whoever runs this service to rename it."
)


@dataclass(frozen=True)
class Shared:
    """A person's folders of groups: ``open``, to be given; ``refused``, with the sentence why not."""

    open: list[GroupFolder]
    refused: list[tuple[GroupFolder, str]]


class GroupFolders:
    """The section ``storage.folders`` as it is for each person."""

    def __init__(self, settings: StorageSection, people: People) -> None:
        self._settings, self._people = settings, people

    async def of(self, groups: Collection[str]) -> Shared:
        """The folders of a member of these groups.

        New people never get a name of `StorageSection.kept_names`. Somebody may have had it before the site gave it to a group: then the
        bucket of that name is that person's, and no group gets it.
        """
        found = [folder for folder in self._settings.folders if folder.is_open_to(groups)]
        taken = await self._people.taken({name for folder in found for name in (folder.name, folder.bucket)})
        refused = [(folder, CLASHING) for folder in found if folder.name in taken or folder.bucket in taken]
        clashing = {folder.name for folder, _ in refused}
        return Shared([folder for folder in found if folder.name not in clashing], refused)
