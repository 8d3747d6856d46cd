"""Our own TOSCA types, under INFN's names. Imports of a template are never followed: these take their place."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import resources
from typing import Any

import yaml

from naas_catalogue import documents
from naas_catalogue.documents import Decimal, Mapping, Sequence

SECTIONS = (
    "data_types",
    "artifact_types",
    "capability_types",
    "relationship_types",
    "interface_types",
    "node_types",
    "policy_types",
)
NORMATIVE = (
    "tosca.nodes.Root",
    "tosca.nodes.Compute",
    "tosca.nodes.SoftwareComponent",
    "tosca.nodes.BlockStorage",
    "tosca.nodes.network.Network",
    "tosca.nodes.network.Port",
)
"""Node types of TOSCA itself that a template may use."""


@functools.cache
def ours() -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of a type → its section and its definition."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    folder = resources.files("naas_catalogue") / "data" / "types"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        document = documents.read(file.read_text())
        for section in SECTIONS:
            found |= {name: (section, body) for name, body in document.get(section, {}).items()}
    return found


def unknown(topology: Mapping) -> Iterator[tuple[str, int]]:
    """Node types that neither TOSCA nor we define, with their lines."""
    nodes = topology.get("node_templates")
    if not isinstance(nodes, Mapping):
        return
    for name, node in nodes.items():
        kind = node.get("type") if isinstance(node, Mapping) else None
        if not isinstance(kind, str) or (kind not in ours() and kind not in NORMATIVE):
            yield str(kind)[:120], node.at("type") if isinstance(node, Mapping) else nodes.at(name)


def pinned(template: str, types_url: str) -> str:
    """The template with one import in place of its own: it is the orchestrator that fetches it."""
    document = documents.read(template)
    document.pop("dsl_definitions", None)
    return _written({**document, "imports": [{"types": types_url}]})


def self_contained(template: str) -> str:
    """The template with the definitions of our types in it and without imports: it needs nothing from anywhere.

    Parameters: ``template``, text of a template that the catalogue read without errors.
    """
    document = documents.read(template)
    document.pop("imports", None)
    document.pop("dsl_definitions", None)
    wanted, todo = set[str](), list(_names(document))
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += _names(ours()[name][1])
    head = {
        key: document.pop(key) for key in ("tosca_definitions_version", "description", "metadata") if key in document
    }
    for section in SECTIONS:
        types = {name: ours()[name][1] for name in sorted(wanted) if ours()[name][0] == section}
        if types:
            head[section] = types
    return _written(head | document)


def _written(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)


class _Dumper(yaml.SafeDumper):
    """Writes numbers with the digits they had, and everything at its own place."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


_Dumper.add_representer(Decimal, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:float", data.written))
_Dumper.add_representer(Mapping, lambda dumper, data: dumper.represent_dict(data))
_Dumper.add_representer(Sequence, lambda dumper, data: dumper.represent_list(data))


def _names(value: Any) -> Iterator[str]:
    """Every name of one of our types in a definition."""
    if isinstance(value, str):
        if value in ours():
            yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _names(key)
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
