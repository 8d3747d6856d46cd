"""A template with its parameters and metadata: what can be deployed, and how it is asked for."""

from __future__ import annotations

from typing import Any

from naas_client.models import CatalogueOutput
from pydantic import BaseModel, ConfigDict, Field

from naas_catalogue import documents, texts, types
from naas_catalogue import visibility as rules
from naas_catalogue.documents import Mapping, Unreadable, plain_text
from naas_catalogue.inputs import Input, read_inputs
from naas_catalogue.outputs import read_outputs
from naas_catalogue.reports import Report
from naas_catalogue.visibility import Visibility

MAX_TABS = 20

_VERSIONS = ("tosca_simple_yaml_1_0", "tosca_simple_yaml_1_1", "tosca_simple_yaml_1_2", "tosca_simple_yaml_1_3")


class Template(BaseModel):
    """One template, ready to be shown and deployed."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Path without `.yaml`."""
    text: str = Field(repr=False)
    title: str
    description: str = ""
    category: str = ""
    tags: list[str] = []
    icon: str = ""
    """Path inside its source or web address."""
    legacy: bool = False
    requires_ssh_key: bool = True
    provider_type: str = ""
    visibility: Visibility = Visibility()
    tabs: list[str] = []
    inputs: list[Input] = Field(default=[], repr=False)
    outputs: list[CatalogueOutput] = []
    reason: str = ""
    """Why it cannot be deployed; empty when it can."""

    @property
    def usable(self) -> bool:
        """Whether it can be deployed."""
        return not self.reason

    def deployable(self, types_url: str = "") -> str:
        """The text that an orchestrator gets: our types in it, no imports.

        Parameters: ``types_url``, the one import that the operator pinned, for an orchestrator with types of its own.
        """
        return types.pinned(self.text, types_url) if types_url else types.self_contained(self.text)


class Sources(BaseModel):
    """The texts that make up a template, and where problems with each are told."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    text: str
    template: Report
    parameters: tuple[str, Report] | None = None
    metadata: tuple[str, Report] | None = None


def read_template(name: str, sources: Sources) -> Template | None:
    """A template; None when its own file is no template at all. What cannot be used is reported."""
    report = sources.template
    document = _document(sources.text, report)
    if document is None:
        return None
    topology = document.get("topology_template")
    if not isinstance(topology, Mapping):
        report.error("There is no topology_template: not a TOSCA template.", document.at("topology_template"))
        return None
    _check(document, topology, report)
    parameters = _optional(sources.parameters)
    beside = sources.parameters[1] if sources.parameters else report
    metadata = _metadata(document, sources, report)
    template = Template(
        name=name,
        text=sources.text,
        title=texts.label(metadata.get("display_name") or metadata.get("template_name")) or name,
        description=texts.text(metadata.get("description") or document.get("description")),
        category=texts.label(metadata.get("category")),
        tags=[texts.label(tag) for tag in _list(metadata.get("tags"))[:20]],
        icon=plain_text(metadata.get("icon") or "")[:2000],
        legacy=metadata.get("legacy") is True,
        requires_ssh_key=metadata.get("require_ssh_key") is not False,
        provider_type=texts.label(metadata.get("target_provider_type")),
        visibility=rules.read(metadata.get("visibility"), report, 1),
        tabs=[texts.label(tab) for tab in _list(parameters.get("tabs"))[:MAX_TABS]],
        inputs=_buckets(topology)
        + read_inputs(_section(topology, "inputs", report), _section(parameters, "inputs", beside), report, beside),
        outputs=read_outputs(
            _section(topology, "outputs", report), _section(parameters, "outputs", beside), report, beside
        ),
    )
    first = next(report.errors(), None)
    return template.model_copy(update={"reason": first.message}) if first else template


def _document(text: str, report: Report) -> Mapping | None:
    try:
        document = documents.read(text)
    except Unreadable as error:
        report.error(error.message, error.line)
        return None
    if isinstance(document, Mapping):
        return document
    report.error("Empty, or not a mapping.")
    return None


def _optional(source: tuple[str, Report] | None) -> Mapping:
    return (_document(*source) if source else None) or Mapping()


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else list(raw) if isinstance(raw, Mapping) else []


def _section(document: Mapping, key: str, report: Report) -> Mapping:
    section = document.get(key)
    if section is not None and not isinstance(section, Mapping):
        report.error(f"{key} is a mapping from names to definitions.", document.at(key))
    return section if isinstance(section, Mapping) else Mapping(line=document.at(key))


def _metadata(document: Mapping, sources: Sources, report: Report) -> Mapping:
    """The template's own metadata and, over it, those of its file."""
    own = document.get("metadata")
    merged = Mapping(own.items() if isinstance(own, Mapping) else (), document.at("metadata"))
    if own is not None and not isinstance(own, Mapping):
        report.warning("metadata is a mapping; it is ignored.", document.at("metadata"))
    added = _optional(sources.metadata).get("metadata")
    if isinstance(added, Mapping):
        merged.update(added)
    return merged


def _check(document: Mapping, topology: Mapping, report: Report) -> None:
    """What keeps a template from being deployed."""
    version = plain_text(document.get("tosca_definitions_version") or "nothing")
    if version not in _VERSIONS:
        report.error(
            f"tosca_definitions_version is {version[:60]}; write tosca_simple_yaml_1_0 to 1_3.",
            document.at("tosca_definitions_version"),
        )
    for section in types.SECTIONS:
        if document.get(section):
            report.error(f"{section}: types are the catalogue's own; a template defines none.", document.at(section))
    for kind, line in types.unknown(topology):
        report.error(f"The type {kind} is not among the catalogue's types, so this cannot be deployed.", line)
    if not topology.get("node_templates"):
        report.error("There are no node_templates: nothing would be created.", topology.at("node_templates"))
    for line in _local_files(topology):
        report.error("It names a file of the machine that deploys it. Give a web address or leave it out.", line)


def _local_files(value: Any) -> list[int]:
    """Lines of implementations and artifacts that are read from the orchestrator's own disk."""
    found: list[int] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("implementation", "primary", "file", "dependencies") and _local(item):
                found.append(value.at(key))
            found += _local_files(item)
    elif isinstance(value, list):
        for item in value:
            found += _local_files(item)
    return found


def _local(value: Any) -> bool:
    if isinstance(value, list):
        return any(_local(item) for item in value)
    if not isinstance(value, str):
        return False
    word = value.strip().lower()
    return word.startswith(("file:", "/", "~", "\\", ".")) or ".." in word.split("/")


def _buckets(topology: Mapping) -> list[Input]:
    """Each bucket of a template needs keys of the object store, as the dashboard brings them."""
    nodes = topology.get("node_templates")
    found = []
    for name, node in nodes.items() if isinstance(nodes, Mapping) else ():
        if isinstance(node, Mapping) and node.get("type") == "tosca.nodes.indigo.S3Bucket":
            properties = node.get("properties")
            url = properties.get("s3_url") if isinstance(properties, Mapping) else None
            found.append(
                Input(
                    name=f"__{name}"[:64],
                    type="",
                    kind="openstack_ec2credentials",
                    label=name,
                    details={"url": url} if isinstance(url, str) else {},
                )
            )
    return found
