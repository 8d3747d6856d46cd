"""Outputs of a template and how a parameters file has them shown."""

from __future__ import annotations

from typing import Any

from naas_client.models import CatalogueOutput

from naas_catalogue import conditions, texts
from naas_catalogue.documents import Mapping, plain_text
from naas_catalogue.inputs import usable_name
from naas_catalogue.reports import Report

MAX_OUTPUTS = 100

_FUNCTIONS = frozenset({"get_input", "get_property", "get_attribute", "concat", "token"})
"""What an output may compute (TOSCA Simple Profile 1.3 section 4); `get_artifact` and `get_operation_output` reach further."""
_KINDS: dict[str, Any] = {
    "url": "url",
    "kubeconfig": "kubeconfig",
    "ssh_user": "ssh-user",
    "node_creds": "node-credentials",
    "download": "url",
    "text": "text",
    "string": "text",
}


def read_outputs(declared: Mapping, shown: Mapping, template: Report, parameters: Report) -> list[CatalogueOutput]:
    """Outputs of a template and its parameters file, in TOSCA's order."""
    found: list[CatalogueOutput] = []
    for name in dict.fromkeys([*declared, *shown]):
        report, line = (template, declared.at(name)) if name in declared else (parameters, shown.at(name))
        base, added = declared.get(name), shown.get(name) or Mapping()
        if len(found) >= MAX_OUTPUTS:
            report.error(f"More than {MAX_OUTPUTS} outputs.", line)
            break
        if not usable_name(name) or not isinstance(added, Mapping) or not isinstance(base or Mapping(), Mapping):
            report.error(f"{name[:80]!r} cannot be an output: use letters, digits, `_` and `-`, and a mapping.", line)
        elif base is not None and (function := _foreign(base.get("value"))):
            report.error(f"Output {name}: {function} is not allowed in an output.", line)
        else:
            found.append(_read(name, {**(base or {}), **added}, parameters, shown.at(name)))
    return found


def _read(name: str, raw: dict[str, Any], report: Report, line: int) -> CatalogueOutput:
    condition = raw.get("condition")
    if condition is not None:
        try:
            conditions.parse(condition)
        except conditions.ConditionError as error:
            report.warning(f"Output {name}: its condition is not used, it is always shown: {error}.", line)
            condition = None
    return CatalogueOutput(
        name=name,
        kind=_kind(name, plain_text(raw.get("type") or "")),
        label=texts.label(raw.get("display_name")) or name.replace("_", " "),
        description=texts.text(raw.get("description")),
        warning=texts.text(raw.get("warning")),
        condition="" if condition is None else plain_text(condition).strip(),
    )


def _kind(name: str, kind: str) -> Any:
    """As the dashboard guesses it: what a name says counts where no type does."""
    if kind in _KINDS and kind not in ("text", "string"):
        return _KINDS[kind]
    if "kubeconfig" in name:
        return "kubeconfig"
    if "node_creds" in name or "cluster_creds" in name:
        return "node-credentials"
    if name == "os_users":
        return "ssh-user"
    return "url" if "endpoint" in name or "url" in name else "text"


def _foreign(value: Any) -> str:
    """The first function in a value that an output may not use."""
    if isinstance(value, Mapping):
        for name, argument in value.items():
            if name not in _FUNCTIONS:
                return name[:80]
            if function := _foreign(argument):
                return function
    if isinstance(value, list):
        for item in value:
            if function := _foreign(item):
                return function
    return ""
