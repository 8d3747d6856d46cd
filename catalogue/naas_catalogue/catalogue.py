"""All sources together: services, templates, and what could not be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from naas_client.errors import NotFound
from naas_client.models import CatalogueEntry, CatalogueProblem, CatalogueVariant

from naas_catalogue import files, texts
from naas_catalogue.documents import Unreadable
from naas_catalogue.icons import read_icon
from naas_catalogue.reports import Report
from naas_catalogue.services import Service, Variant, read_services, slug, template_name
from naas_catalogue.templates import Sources, Template, read_template

PARTS = {
    "templates": ("tosca-templates", "templates"),
    "parameters": ("tosca-parameters", "parameters"),
    "metadata": ("tosca-metadata", "metadata"),
}
"""Folders of a source. One without a folder of templates is such a folder itself, as INFN's repository of templates is."""

_YAML = (".yaml", ".yml")
_SUFFIX = {"parameters": ".parameters", "metadata": ".metadata"}


@dataclass(frozen=True)
class Root:
    """A source as a folder of this machine. Parameters: ``name``, how problems call it; ``path``."""

    name: str
    path: Path


def own_root() -> Root:
    """The catalogue that comes with this product."""
    return Root("naas", Path(str(resources.files("naas_catalogue") / "data")))


@dataclass(frozen=True)
class Place:
    """A file of a source."""

    root: Root
    path: str


@dataclass(frozen=True)
class Catalogue:
    """What `load` found. It never changes: a reload makes another."""

    services: dict[str, Service]
    templates: dict[str, Template]
    problems: list[CatalogueProblem] = field(default_factory=list)
    icons: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Service → media type and content, for icons that are files of a source."""

    def template(self, name: str) -> Template:
        """A template by its path without `.yaml`, or by its last part where that is unique. Raises NotFound."""
        wanted = template_name(name)
        found = self.templates.get(wanted)
        if found is None:
            same = [key for key in self.templates if key.rpartition("/")[2] == wanted]
            if len(same) > 1:
                raise NotFound(f"There are several {wanted[:80]}: {', '.join(same[:5])}. Write the whole path.")
            found = self.templates[same[0]] if same else None
        if found is None:
            raise NotFound(f"There is no template {wanted[:80]!r} in the catalogue.")
        return found

    def entries(self, groups: Collection[str]) -> list[CatalogueEntry]:
        """The services that somebody in these groups sees, open or locked, by title."""
        seen = (self.entry(service, groups) for service in self.services.values())
        return sorted((entry for entry in seen if entry), key=lambda entry: entry.title.casefold())

    def entry(self, service: Service, groups: Collection[str]) -> CatalogueEntry | None:
        """A service as somebody in these groups sees it; None when it is hidden from them."""
        sight = service.visibility.sight(groups)
        offered = [(variant, self.templates.get(variant.template)) for variant in service.variants]
        shown = [(v, t) for v, t in offered if t is None or t.visibility.sight(groups) != "hidden"]
        if sight == "hidden" or (offered and not shown):
            return None
        first = next((template for _, template in offered if template), None)
        return CatalogueEntry(
            name=service.name,
            title=service.title,
            description=service.description or (first.description if first else ""),
            category=first.category if first else "",
            tags=first.tags if first else [],
            guide_url=service.guide_url,
            icon=service.name in self.icons,
            legacy=bool(first and first.legacy),
            locked=sight == "locked",
            reason=service.visibility.why_locked() if sight == "locked" else "",
            variants=[_variant(variant, template, groups) for variant, template in shown],
        )

    def may_deploy(self, name: str, groups: Collection[str]) -> bool:
        """Whether a template is open to somebody in these groups, by itself and in a service that offers it."""
        template = self.templates.get(name)
        if template is None or not template.usable or template.visibility.sight(groups) != "open":
            return False
        return any(
            service.visibility.sight(groups) == "open" and name in {variant.template for variant in service.variants}
            for service in self.services.values()
        )


def _variant(variant: Variant, template: Template | None, groups: Collection[str]) -> CatalogueVariant:
    reason = "Its template cannot be read. Tell the people who run the service."
    if template:
        locked = template.visibility.sight(groups) == "locked"
        reason = template.visibility.why_locked() if locked else template.reason
    return CatalogueVariant(
        name=variant.template,
        title=variant.option or (template.title if template else variant.template),
        description=variant.description or (template.description if template else ""),
        usable=not reason,
        reason=reason,
    )


def load(roots: Iterable[Root]) -> Catalogue:
    """Read sources; where two have a file of the same name or a service of the same name, the first one counts.

    It never raises for what a source holds: `problems` says what could not be used, with file and line.
    """
    report = Report()
    found: dict[str, dict[str, Place]] = {part: {} for part in PARTS}
    listed: list[tuple[Root, str]] = []
    for root in roots:
        _collect(root, found, listed, report)
    templates = {
        name: template
        for name, place in sorted(found["templates"].items())
        if (template := _template(name, place, found, report))
    }
    services = _services(listed, templates, found, report)
    icons = {
        service.name: icon for service, root in services if (icon := _icon(service, root, templates, found, report))
    }
    return Catalogue({service.name: service for service, _ in services}, templates, report.problems, icons)


def _collect(root: Root, found: dict[str, dict[str, Place]], listed: list[tuple[Root, str]], report: Report) -> None:
    try:
        if not root.path.is_dir():
            raise Unreadable("There is no such folder.")
        paths = list(files.walk(root.path))
    except (Unreadable, OSError) as error:
        report.of(root.name).error(error.message if isinstance(error, Unreadable) else "The folder cannot be read.")
        return
    folders = {part: _folder(paths, names) for part, names in PARTS.items()}
    for path in paths:
        if not path.endswith(_YAML):
            continue
        try:
            path.encode()
        except UnicodeEncodeError:
            report.of(root.name).error(f"The name of {ascii(path)[:200]} is not UTF-8. Rename the file.")
            continue
        part, name = _part(path, folders)
        if part == "services":
            listed.append((root, path))
        elif part:
            found[part].setdefault(name, Place(root, path))


def _folder(paths: list[str], names: tuple[str, ...]) -> str:
    return next((f"{name}/" for name in names if any(path.startswith(f"{name}/") for path in paths)), "")


def _part(path: str, folders: dict[str, str]) -> tuple[str, str]:
    """What a file is: a part of PARTS or `services`, and the template it is about."""
    bare = template_name(path)
    if bare.removeprefix(folders["metadata"]) == "metadata":
        return "services", ""
    for part, suffix in _SUFFIX.items():
        if bare.endswith(suffix):
            return part, bare.removeprefix(folders[part]).removesuffix(suffix)
    others = [*(folders[part] for part in _SUFFIX if folders[part]), "types/"]
    inside = path.startswith(folders["templates"]) if folders["templates"] else not path.startswith(tuple(others))
    return ("templates", bare.removeprefix(folders["templates"])) if inside else ("", "")


def _read(place: Place, report: Report) -> str | None:
    try:
        return files.read_text(place.root.path, place.path)
    except Unreadable as error:
        report.of(place.root.name, place.path).error(error.message, error.line)
        return None


def _template(name: str, place: Place, found: dict[str, dict[str, Place]], report: Report) -> Template | None:
    text = _read(place, report)
    if text is None:
        return None
    beside = {}
    for part in _SUFFIX:
        other = found[part].get(name)
        if other and (words := _read(other, report)) is not None:
            beside[part] = (words, report.of(other.root.name, other.path))
    own = report.of(place.root.name, place.path)
    return read_template(
        name, Sources(text=text, template=own, parameters=beside.get("parameters"), metadata=beside.get("metadata"))
    )


def _services(
    listed: list[tuple[Root, str]],
    templates: dict[str, Template],
    found: dict[str, dict[str, Place]],
    report: Report,
) -> list[tuple[Service, Root]]:
    services: dict[str, tuple[Service, Root]] = {}
    for root, path in listed:
        text = _read(Place(root, path), report)
        own = report.of(root.name, path)
        for service in read_services(text, own) if text is not None else []:
            for variant in service.variants:
                if variant.template not in templates:
                    own.error(f"There is no template {variant.template[:200]}.yaml that can be read.", variant.line)
            services.setdefault(service.name, (service, root))
    if listed:
        return list(services.values())
    return [(_alone(name, templates[name]), found["templates"][name].root) for name in templates]


def _alone(name: str, template: Template) -> Service:
    """A template as a service of its own: what a catalogue without a list of services is made of."""
    return Service(
        name=slug(name),
        title=template.title,
        description=template.description,
        icon=template.icon,
        visibility=template.visibility,
        variants=[Variant(template=name)],
    )


def _icon(
    service: Service, root: Root, templates: dict[str, Template], found: dict[str, dict[str, Place]], report: Report
) -> tuple[str, bytes] | None:
    """The icon's file, of the service or of its first template."""
    path = service.icon
    if not path and (first := next((v.template for v in service.variants if v.template in templates), None)):
        path, root = templates[first].icon, found["templates"][first].root
    if not path or texts.web_address(path):
        return None
    try:
        return read_icon(root.path, path.removeprefix("/"))
    except Unreadable as error:
        report.of(root.name, path[:200]).warning(f"Not shown as an icon. {error.message}", error.line)
        return None
