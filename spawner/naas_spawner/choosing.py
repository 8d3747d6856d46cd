"""What a person may choose, and how: profiles, the form of the spawn page, one check for whatever comes back from form, API or query."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from jupyterhub.spawner import SpawnException
from naas_client.collaborations import Collaboration, Collaborations, find
from naas_client.errors import InvalidInput
from naas_client.folders import HostFolder, HostFolders
from naas_client.models import Capability, GpuState
from naas_client.names import is_collaboration
from naas_client.registries import Registries, RegistrySection
from naas_client.settings import GroupSection
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, List, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from naas_spawner.checked import checked
from naas_spawner.form import FormPage, render_options_form, request_language
from naas_spawner.options import Choice, from_form, validate_options
from naas_spawner.phases import UsualTimes
from naas_spawner.profiles import Profile, Profiles, default_profiles, opens


class Choosing(LoggingConfigurable):
    """A part of `naas_spawner.mixin.NaasSpawnerMixin`."""

    usual: ClassVar[UsualTimes] = UsualTimes()

    profiles = List(
        help="""
        What people may choose at the start of a server, and which groups may choose it.

        A list of `naas_spawner.profiles.Profile`, or of mappings with the same keys (see `naas config schema`, key `profiles`).
        Bad entries are refused with the path of each mistake. Example: `[{"slug": "standard", "name": "Standard", "cores": [1, 2]}]`.
        """
    ).tag(config=True)

    storage_groups = List(
        Unicode(),
        help="""
        Groups that have cloud storage (`capabilities.storage` in `naas.yaml`); empty: everybody.

        Only for what the spawn page says: the gateway itself decides.
        """,
    ).tag(config=True)

    scratch = Bool(
        True, help="Whether there is a shared scratch area (`storage.scratch_bucket`), for what the spawn page says."
    ).tag(config=True)

    group_folders = List(
        help="""
        The folders below `cloud-storage` that groups share (`storage.folders` in `naas.yaml`), for what the spawn page says.

        A list of `naas_client.folders.GroupFolder`; the gateway itself decides.
        """
    ).tag(config=True)

    host_folders = List(
        help="""
        Folders of the host that people find in their homes (`hub.host_folders` in `naas.yaml`).

        A list of `naas_client.folders.HostFolder`, or of mappings with the same keys; bad entries are refused with the path of each
        mistake. Example: `[{"name": "shared", "path": "/srv/naas/shared", "read_only": true}]`.
        """
    ).tag(config=True)

    collaborations = List(
        help="""
        Groups with a shared server (`collaborations` in `naas.yaml`), which belongs to a hub user of its own.

        A list of `naas_client.collaborations.Collaboration`, or of mappings with the same keys; bad entries are refused with the path of
        each mistake. Example: `[{"group": "experiments/cygno", "profile": "standard"}]`.
        """
    ).tag(config=True)

    cvmfs_notes = Dict(
        Unicode(),
        help="What to tell people about a CVMFS repository, by its name (`hub.cvmfs.repositories` in `naas.yaml`).",
    ).tag(config=True)

    registries = List(
        help="""
        The site's registries of images (`registries` in `naas.yaml`): whose proxy caches are used, and where people may have a login.

        A list of `naas_client.registries.RegistrySection`, or of mappings with the same keys. Example:
        `[{"url": "https://harbor.example.org", "proxy_caches": {"docker.io": "dockerhub-proxy"}}]`.
        """
    ).tag(config=True)

    group_notes = Dict(help="What to tell people about a group: the section `groups` of `naas.yaml`.").tag(config=True)
    join_url = Unicode(help="Where to ask for a group that has no address of its own.").tag(config=True)
    contact = Unicode(help="Address that people write to (`site.contact` in `naas.yaml`).").tag(config=True)

    choice = AnyTrait(None, allow_none=True, help="The `naas_spawner.options.Choice` of the start that runs or ran.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._last_good = dict(getattr(self.orm_spawner, "user_options", None) or {})
        self._before = self._last_good

    async def gpu_states(self) -> list[GpuState] | None:
        """What is free of the site's GPUs (`naas_spawner.leases`)."""
        raise NotImplementedError

    @default("profiles")
    def _default_profiles(self) -> list[Profile]:
        return default_profiles()

    @validate("profiles")
    def _check_profiles(self, proposal: Any) -> list[Profile]:
        """Mappings become profiles. Raises TraitError with the path of each mistake."""
        found: list[Profile] = checked("profiles", Profiles, proposal.value, type(self).__name__)
        return found

    @validate("host_folders")
    def _check_host_folders(self, proposal: Any) -> list[HostFolder]:
        """Mappings become folders. Raises TraitError with the path of each mistake."""
        found: list[HostFolder] = checked("host_folders", HostFolders, proposal.value, type(self).__name__)
        return found

    @validate("collaborations")
    def _check_collaborations(self, proposal: Any) -> list[Collaboration]:
        """Mappings become shared servers. Raises TraitError with the path of each mistake."""
        found: list[Collaboration] = checked("collaborations", Collaborations, proposal.value, type(self).__name__)
        return found

    @property
    def collaboration(self) -> Collaboration | None:
        """Whose shared server this is; None: it is a person's own."""
        return find(self.collaborations, self.user.name)

    @property
    def idle_timeout(self) -> int:
        """Seconds without activity after which the server stops; 0: never."""
        if self.collaboration is not None:
            return self.collaboration.idle_timeout
        return self.choice.profile.idle_timeout if self.choice is not None else 0

    @validate("registries")
    def _check_registries(self, proposal: Any) -> list[RegistrySection]:
        """Mappings become sections. Raises TraitError with the path of each mistake."""
        found: list[RegistrySection] = checked("registries", Registries, proposal.value, type(self).__name__)
        return found

    @property
    def open_host_folders(self) -> list[HostFolder]:
        """The folders of the host that this person's groups open; `HostFolder.of` gives a person's place on the host."""
        groups = self.groups
        return [folder for folder in self.host_folders if folder.is_open_to(groups)]

    @property
    def groups(self) -> set[str]:
        """The person's groups as the hub knows them now; a shared server has what its group opens."""
        if self.collaboration is not None:
            return {self.collaboration.group}
        return {group.name for group in self.user.groups}

    @default("options_form")
    def _default_options_form(self) -> Any:
        return type(self).render_form

    async def render_form(self) -> str:
        """The inside of the spawn page's form for this person; empty for a shared server, which has nothing to choose."""
        if self.collaboration is not None:
            return ""
        groups = self.groups
        allowed = opens(self.storage_groups, groups)
        names = " or ".join(self.storage_groups)
        reason = "" if allowed else f"Cloud storage is open to members of {names}. Ask for access there."
        page = FormPage(
            user=self.user.name,
            groups=sorted(groups),
            profiles=self.profiles,
            storage=Capability(allowed=allowed, groups=list(self.storage_groups), reason=reason),
            scratch=self.scratch,
            group_folders=[f for f in self.group_folders if f.is_open_to(groups) and f.name != self.user.name],
            host_folders=self.open_host_folders,
            cvmfs_notes=self.cvmfs_notes,
            registries=self.registries,
            images_url=f"{self.hub.base_url}naas/images" if self.registries else "",
            last=self.last_choice,
            last_at=self._last_time() if self._last_good else None,
            group_notes={name: GroupSection.model_validate(note) for name, note in self.group_notes.items()},
            join_url=self.join_url,
            contact=self.contact,
            usual_seconds={p.slug: s for p in self.profiles if (s := self.usual.median(p.slug)) is not None},
            language=request_language(self.handler),
            gpus=await self.gpu_states(),
        )
        return render_options_form(page)

    @property
    def last_choice(self) -> Choice | None:
        """The choice of the last start, if it is still open to the person."""
        if not self._last_good:
            return None
        try:
            return validate_options(self.profiles, self.groups, self._last_good)
        except InvalidInput:
            return None

    def _last_time(self) -> dt.datetime | None:
        moment = getattr(self.orm_spawner, "last_activity", None)
        return moment.replace(tzinfo=dt.UTC) if moment else None

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return self._options_from_form_fields

    def _options_from_form_fields(self, form_data: dict[str, Any]) -> dict[str, Any]:
        last = self.last_choice
        return from_form(form_data, last.as_options() if last else None)

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        return type(self).apply_choice

    def apply_choice(self, user_options: dict[str, Any]) -> None:
        """Check the options, wherever they come from, and remember their normal form; refused ones leave no trace.

        Those of a shared server are the site's, whatever the member who starts it sends.
        """
        try:
            if self.collaboration is not None:
                user_options = {"profile": self.collaboration.profile}
            elif is_collaboration(self.user.name):
                raise InvalidInput(
                    "There is no such shared server any more. Ask whoever runs this service.", code="name"
                )
            choice = validate_options(self.profiles, self.groups, user_options)
            self.check_choice(choice)
        except InvalidInput as error:
            self._remember(self._last_good)
            raise SpawnException(error.message, reason=error.code) from None
        self.choice = choice
        self.mem_limit, self.cpu_limit = choice.memory, choice.cores
        self._before = self._last_good
        self._remember(choice.as_options())

    def take_back_choice(self) -> None:
        """What cannot be started is not offered again as the last choice."""
        self._remember(self._before)

    def check_choice(self, choice: Choice) -> None:
        """For subclasses: raise InvalidInput when this kind of spawner cannot give a choice."""

    def _remember(self, options: dict[str, Any]) -> None:
        self._last_good = options
        self.user_options = options
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = options
            self.user.db.commit()
