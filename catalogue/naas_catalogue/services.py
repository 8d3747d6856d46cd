"""Services of the dashboard's ``metadata.yml``: cards, each with one or more templates."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from pydantic import BaseModel, ConfigDict

from naas_catalogue import documents, texts
from naas_catalogue import visibility as rules
from naas_catalogue.constraints import plain_values
from naas_catalogue.documents import Mapping, Unreadable, plain_text
from naas_catalogue.reports import Report
from naas_catalogue.visibility import Visibility

MAX_SERVICES = 2000
MAX_VARIANTS = 50

_KEYS = frozenset({"display_name", "bookmark_id", "guide_url", "icon", "visibility", "authorization_required"})


class Variant(BaseModel):
    """A template as a service offers it."""

    model_config = ConfigDict(frozen=True)

    template: str
    """Path without `.yaml`."""
    option: str = ""
    description: str = ""
    line: int = 1


class Service(BaseModel):
    """A card of the catalogue, as its file has it."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    description: str = ""
    icon: str = ""
    guide_url: str = ""
    visibility: Visibility = Visibility()
    authorization: dict[str, Any] = {}
    """`authorization_required`: what has to be done before somebody may deploy it."""
    variants: list[Variant] = []
    line: int = 1


def slug(title: str) -> str:
    """A name for addresses and commands: lower-case ASCII letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64] or "service"


def template_name(path: str) -> str:
    """A template's name: its path without extension."""
    return path.removesuffix(".yaml").removesuffix(".yml")


def read_services(text: str, report: Report) -> list[Service]:
    """Services of a metadata file; what cannot be used is reported, and the rest of a service stays."""
    try:
        document = documents.read(text)
    except Unreadable as error:
        report.error(error.message, error.line)
        return []
    raw = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(raw, list):
        report.error("There is no list of `services`.", 1)
        return []
    if len(raw) > MAX_SERVICES:
        report.error(f"Only the first {MAX_SERVICES} services are read.", 1)
    found: list[Service] = []
    for item in raw[:MAX_SERVICES]:
        if not isinstance(item, Mapping):
            report.error(
                "A service is a mapping with `description`, `metadata` and `templates`.", document.at("services")
            )
            continue
        found.append(_service(item, report, {service.name for service in found}))
    return found


def _service(item: Mapping, report: Report, taken: set[str]) -> Service:
    metadata = item.get("metadata")
    if not isinstance(metadata, Mapping):
        report.warning("This service has no `metadata`, so it has no name of its own.", item.line)
        metadata = Mapping(line=item.line)
    for key in metadata:
        if key not in _KEYS:
            report.warning(f"metadata.{key[:60]} is not used.", metadata.at(key))
    title = texts.label(metadata.get("display_name"))
    variants = _variants(item, report)
    if not title and variants:
        title = variants[0].template.rpartition("/")[2].replace("_", " ")
    guide = metadata.get("guide_url")
    if guide and not texts.web_address(guide):
        report.warning("guide_url is not a web address; it is not shown.", metadata.at("guide_url"))
    return Service(
        name=_unique(slug(title), taken),
        title=title or "Service without a name",
        description=texts.text(item.get("description")),
        icon=plain_text(metadata.get("icon") or "")[:2000],
        guide_url=texts.web_address(guide),
        visibility=rules.read(metadata.get("visibility"), report, metadata.at("visibility")),
        authorization=_authorization(metadata, report),
        variants=variants,
        line=item.line,
    )


def _unique(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[:60]}-{number}"
    return free


def _variants(item: Mapping, report: Report) -> list[Variant]:
    raw = item.get("templates")
    if not isinstance(raw, list) or not raw:
        report.error("A service has a list of `templates`.", item.at("templates"))
        return []
    found: list[Variant] = []
    for entry in raw[:MAX_VARIANTS]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            report.error(
                "A template has a `name`, its path, for example jupyter/jupyter_vm.yaml.", item.at("templates")
            )
            continue
        if len(raw) > 1 and not entry.get("option"):
            report.warning("Several templates need an `option` each, to be told apart.", entry.line)
        found.append(
            Variant(
                template=template_name(entry["name"].removeprefix("./")),
                option=texts.label(entry.get("option")),
                description=texts.text(entry.get("description")),
                line=entry.line,
            )
        )
    return found


def _authorization(metadata: Mapping, report: Report) -> dict[str, Any]:
    raw = metadata.get("authorization_required")
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        report.warning("authorization_required is a mapping; it is ignored.", metadata.at("authorization_required"))
        return {}
    plain: dict[str, Any] = plain_values(raw)
    return plain
