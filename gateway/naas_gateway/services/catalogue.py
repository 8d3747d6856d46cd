"""The catalogue as people see it: who may see and deploy what, forms, checks; and what its operators have to mend."""

from __future__ import annotations

import asyncio
import logging

from naas_catalogue import Context, Template, build, own_root, validate
from naas_catalogue.catalogue import Catalogue
from naas_catalogue.sources import Keeper
from naas_client.errors import Forbidden, NotFound, Unavailable
from naas_client.models import (
    CatalogueEntry,
    CatalogueForm,
    CatalogueProblem,
    CheckedInputs,
    CheckInputs,
    Claims,
    Page,
)
from naas_client.settings import SharedSettings

from naas_gateway.services.access import Access
from naas_gateway.services.paging import part_of

log = logging.getLogger(__name__)

CAPABILITY = "catalogue"


class CatalogueService:
    """Follows the sources in a thread; answers from what is in memory."""

    def __init__(self, settings: SharedSettings, access: Access) -> None:
        self._access = access
        section = settings.catalogue
        self.every = section.reload_interval
        self._keeper = Keeper(section.sources, section.cache, *([own_root()] if section.own else []))
        self._catalogue: Catalogue | None = None

    async def tick(self) -> None:
        """Look at the sources once."""
        found = (await asyncio.to_thread(self._keeper.look)).catalogue
        if found is not self._catalogue:
            errors = sum(problem.severity == "error" for problem in found.problems)
            log.info(
                "catalogue: %d services, %d templates, %d errors", len(found.services), len(found.templates), errors
            )
        self._catalogue = found

    def page(
        self, claims: Claims, group: str, search: str, category: str, limit: int, cursor: str | None
    ) -> Page[CatalogueEntry]:
        """The services that the person sees, by title."""
        wanted, words = category.casefold(), search.casefold().split()
        found = [
            entry
            for entry in self._seen(claims).entries(self._groups(claims, group))
            if (not wanted or entry.category.casefold() == wanted) and _matches(entry, words)
        ]
        items, following = part_of(found, limit, cursor)
        return Page(items=items, total=len(found), next=following)

    def entry(self, claims: Claims, name: str, group: str) -> CatalogueEntry:
        """One service. Raises NotFound also for one that is hidden from the person."""
        catalogue = self._seen(claims)
        service = catalogue.services.get(name)
        entry = catalogue.entry(service, self._groups(claims, group)) if service else None
        if entry is None:
            raise NotFound(f"There is no service {name!r} in the catalogue for you.", code="no-service")
        return entry

    def icon(self, claims: Claims, name: str) -> tuple[str, bytes]:
        """Media type and content of a service's icon. Raises NotFound."""
        self.entry(claims, name, "")
        found = self._loaded().icons.get(name)
        if found is None:
            raise NotFound(f"The service {name!r} has no icon.", code="no-icon")
        return found

    def form(self, claims: Claims, username: str, name: str, template: str, group: str) -> CatalogueForm:
        """The form of a service's template for the person. Raises Forbidden with the reason for one that is locked."""
        return build(self._open(claims, name, template, group), _context(claims, username, group, ""))

    def check(self, claims: Claims, username: str, name: str, request: CheckInputs) -> CheckedInputs:
        """Whether inputs are good. Secrets, given or made, are left out of the answer."""
        template = self._open(claims, name, request.template, request.group)
        answer = validate(template, request.inputs, _context(claims, username, request.group, request.ssh_public_key))
        shown = {key: value for key, value in answer.inputs.items() if key not in answer.secrets}
        return answer.model_copy(update={"inputs": shown})

    def problems(self, source: str, limit: int, cursor: str | None) -> Page[CatalogueProblem]:
        """What could not be used, by source and file."""
        found = [problem for problem in self._loaded().problems if source in ("", problem.source)]
        found.sort(key=lambda problem: (problem.source, problem.file, problem.line or 0))
        items, following = part_of(found, limit, cursor)
        return Page(items=items, total=len(found), next=following)

    def _loaded(self) -> Catalogue:
        if self._catalogue is None:
            raise Unavailable("The catalogue is being read. Try again in a moment.", code="catalogue-starting")
        return self._catalogue

    def _seen(self, claims: Claims) -> Catalogue:
        allowed = self._access.capability(CAPABILITY, claims)
        if not allowed.allowed:
            raise Forbidden(allowed.reason, code="no-capability")
        return self._loaded()

    def _groups(self, claims: Claims, group: str) -> list[str]:
        """The groups that count: the active one, or all of the person's."""
        if group and group not in claims.groups:
            raise Forbidden(f"You are not in the group {group!r}. Choose one of yours.", code="not-in-group")
        return [group] if group else claims.groups

    def _open(self, claims: Claims, name: str, template: str, group: str) -> Template:
        entry = self.entry(claims, name, group)
        if entry.locked:
            raise Forbidden(entry.reason, code="service-locked")
        wanted = template.removesuffix(".yaml")
        variant = next((item for item in entry.variants if item.name == wanted or (not wanted and item.usable)), None)
        if variant is None:
            raise NotFound(f"The service {name!r} has no template {wanted[:80]!r}.", code="no-template")
        if not variant.usable:
            raise Forbidden(variant.reason, code="template-unusable")
        return self._loaded().templates[variant.name]


def _context(claims: Claims, username: str, group: str, key: str) -> Context:
    return Context(
        username=username,
        subject=claims.subject,
        name=claims.name,
        email=claims.email,
        groups=frozenset(claims.groups),
        group=group,
        ssh_public_key=key,
    )


def _matches(entry: CatalogueEntry, words: list[str]) -> bool:
    """Whether every word is somewhere in the service's texts."""
    variants = [text for variant in entry.variants for text in (variant.name, variant.title)]
    text = " ".join([entry.name, entry.title, entry.description, entry.category, *entry.tags, *variants]).casefold()
    return all(word in text for word in words)
