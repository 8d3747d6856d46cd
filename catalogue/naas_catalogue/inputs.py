"""Inputs of a template: what TOSCA declares, with what the dashboard's parameters file adds about asking for it."""

from __future__ import annotations

import ast
import re
from typing import Any

from naas_client.models import FormOption, Widget
from pydantic import BaseModel, ConfigDict, Field

from naas_catalogue import constraints, ports, texts
from naas_catalogue.constraints import Constraints, plain_values, typed
from naas_catalogue.documents import Decimal, Mapping, plain_text
from naas_catalogue.reports import Report

MAX_INPUTS = 200
MAX_OPTIONS = 500

CHOICES = frozenset({"select", "radio", "dependent_select", "combined"})
"""Types whose constraints are options."""
FILLED = {
    "ssh_user": "user",
    "userinfo": "user",
    "swift_token": "platform",
    "swift_autouuid": "generated",
    "random_password": "generated",
    "uuidgen": "generated",
    "ldap_user": "platform",
    "openstack_ec2credentials": "platform",
}
"""Types that nobody is asked for, and where their value comes from."""
_TEXTS: dict[str, Widget] = {
    "text": "text",
    "string": "text",
    "version": "text",
    "timestamp": "text",
    "range": "text",
    "textarea": "textarea",
    "password": "password",
    "email": "email",
    "hostname": "hostname",
    "ssh_pub_key_type": "ssh-key",
    "scalar-unit.time": "text",
    "scalar-unit.frequency": "text",
    "scalar-unit.size": "size",
}
_WIDGETS: dict[str, Widget] = {
    **_TEXTS,
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "toggle": "toggle",
    "select": "select",
    "dependent_select": "select",
    "combined": "select",
    "radio": "radio",
    "multiselect": "multiselect",
    "dependent_definition": "text",
}
USERS = frozenset({"tosca.datatypes.indigo.User"})
KINDS = frozenset({*_WIDGETS, *FILLED, "hidden", "list", "map"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_FORBIDDEN = frozenset({"__proto__", "prototype", "constructor"})
"""Names that mean something else in the browser's language."""
_SENSITIVE = re.compile(r"passw|token|passphrase|secret", re.IGNORECASE)


class Input(BaseModel):
    """One input, ready to be asked for."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    type: str
    """TOSCA's type; empty for an input that only the form knows."""
    kind: str
    """The parameters file's type, or TOSCA's."""
    label: str
    description: str = ""
    default: Any = None
    required: bool = True
    tab: str = ""
    entry: str = ""
    """Type of the items of a list or map."""
    limits: Constraints = Constraints()
    options: list[FormOption] = []
    parent: str = ""
    refs: list[tuple[Any, str]] = []
    """Of a dependent definition: the parent's value and the definition that then counts."""
    updatable: bool = False
    printable: bool = True
    separator: bool = False
    placeholder: str = ""
    info: str = ""
    warning: str = ""
    required_ports: dict[str, Any] = {}
    details: dict[str, Any] = {}
    """What filled types need: `prefix`, `suffix`, `attribute`, `url`, `inputs`, …"""
    delimiter: str | None = None
    """Of a multiselect that becomes one text."""
    rows: int | None = None
    overrides: dict[str, Input] = Field(default_factory=dict)

    @property
    def asked(self) -> bool:
        """Whether a person may give it."""
        return self.kind not in FILLED and self.kind != "hidden"

    @property
    def secret(self) -> bool:
        """Whether it is never shown, logged or kept in presets."""
        return self.kind in ("password", "random_password") or bool(
            _SENSITIVE.search(self.name) and self.widget in ("text", "textarea", "password")
        )

    @property
    def ports(self) -> bool:
        """Whether it holds ports to open."""
        return self.kind in ("list", "map") and self.entry in ports.SPECS

    @property
    def widget(self) -> Widget:
        """How a field for it is shown."""
        if self.ports:
            return "ports"
        if self.kind == "list":
            if self.entry in USERS:
                return "users"
            return {"map": "list-of-maps", "string": "list", "": "list"}.get(self.entry, "document")  # type: ignore[return-value]
        if self.kind == "map":
            return "map" if self.entry in ("string", "") else "document"
        widget = _WIDGETS.get(self.kind, "document")
        if widget in ("text", "size", "integer", "number") and (self.options or self.limits.choices is not None):
            return "select"
        if widget == "text" and self.kind in ("string", "text") and _SENSITIVE.search(self.name):
            return "password"
        return widget

    def for_group(self, group: str) -> Input:
        """As a group sees it (``group_overrides``)."""
        return self.overrides.get(group.strip("/"), self)


def usable_name(name: str) -> bool:
    """Whether an input or output may have this name."""
    return bool(_NAME.fullmatch(name)) and name not in _FORBIDDEN


def read_inputs(declared: Mapping, asked: Mapping, template: Report, parameters: Report) -> list[Input]:
    """Inputs of a template and its parameters file, TOSCA's first and in their order.

    Parameters: ``declared``, ``topology_template.inputs``; ``asked``, ``inputs`` of the parameters file.
    """
    found: list[Input] = []
    for name in dict.fromkeys([*declared, *asked]):
        report, line = (parameters, asked.at(name)) if name in asked else (template, declared.at(name))
        if len(found) >= MAX_INPUTS:
            report.error(f"More than {MAX_INPUTS} inputs.", line)
            break
        base, added = declared.get(name, Mapping()), asked.get(name) or Mapping()
        if not usable_name(name):
            report.error(f"{name[:80]!r} cannot be the name of an input: use letters, digits, `_` and `-`.", line)
        elif not isinstance(base, Mapping) or not isinstance(added, Mapping):
            report.error(f"Input {name}: write a mapping with at least `type`.", line)
        else:
            found.append(_with_overrides(name, base, added, report, line))
    return found


def _with_overrides(name: str, base: Mapping, added: Mapping, report: Report, line: int) -> Input:
    tosca = str(base.get("type") or "string") if base else ""
    merged = {**base, **added}
    raw = merged.pop("group_overrides", None)
    overrides = {}
    if isinstance(raw, Mapping):
        for group, changes in raw.items():
            if isinstance(changes, Mapping):
                overrides[group.strip("/")] = _read(name, tosca, {**merged, **changes}, report, line)
            else:
                report.warning(f"Input {name}: group_overrides of {group} is no mapping; it is ignored.", raw.at(group))
    elif raw is not None:
        report.warning(f"Input {name}: group_overrides is a mapping from group to keys; it is ignored.", line)
    plain = _read(name, tosca, merged, report, line)
    return plain.model_copy(update={"overrides": overrides}) if overrides else plain


def _read(name: str, tosca: str, raw: dict[str, Any], report: Report, line: int) -> Input:
    kind = plain_text(raw.get("type") or tosca or "string").strip()
    if kind not in KINDS and not kind.startswith("tosca.datatypes."):
        report.warning(f"Input {name}: the type {kind[:80]!r} is not known; it is asked for as text.", line)
        kind = "string"
    given: dict[str, Any] = {
        "name": name,
        "type": tosca,
        "kind": "hidden" if raw.get("hidden") is True else kind,
        "label": texts.label(raw.get("display_name")) or name.strip("_").replace("_", " "),
        "description": texts.text(raw.get("description")),
        "required": raw.get("required") is not False,
        "tab": texts.label(raw.get("tab")),
        "entry": _entry(raw.get("entry_schema")),
        "parent": plain_text(raw.get("parent") or ""),
        "updatable": raw.get("updatable") is True,
        "printable": raw.get("printable") is not False,
        "separator": raw.get("show_separator") is True,
        "placeholder": texts.label(raw.get("placeholder")),
        "info": texts.text(raw.get("info_box")),
        "warning": texts.text(raw.get("warning")),
        "details": _details(raw),
        "delimiter": _delimiter(raw.get("format")),
        "rows": raw["rows"] if type(raw.get("rows")) is int and 0 < raw["rows"] <= 100 else None,
    }
    given |= _limits(name, tosca, kind, raw, report, line)
    given["default"] = _default(Input(**given), raw.get("default"), report, line)
    given["required_ports"] = _required_ports(name, raw.get("required_ports"), report, line)
    return Input(**given)


def _entry(raw: Any) -> str:
    kind = raw.get("type") if isinstance(raw, Mapping) else raw
    word = plain_text(kind or "")
    return word.lower() if word.lower() in ("string", "map", "integer", "float", "boolean") else word


def _details(raw: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: plain_values(raw[key]) for key in ("attribute", "url", "inputs", "auth") if key in raw}
    extra = raw.get("extra_specs")
    if isinstance(extra, Mapping):
        kept |= {key: texts.label(extra[key]) for key in ("prefix", "suffix") if key in extra}
    return kept


def _delimiter(raw: Any) -> str | None:
    if isinstance(raw, Mapping) and raw.get("type") == "string":
        return plain_text(raw.get("delimiter") or " ")[:10]
    return None


def _limits(name: str, tosca: str, kind: str, raw: dict[str, Any], report: Report, line: int) -> dict[str, Any]:
    """Options, dependent definitions or TOSCA's constraints, as the type has it."""
    clauses = raw.get("constraints")
    if kind == "dependent_definition":
        refs = [
            (clause["parent_value"], plain_text(clause["ref"]))
            for clause in clauses or []
            if isinstance(clause, Mapping) and "parent_value" in clause and "ref" in clause
        ]
        return {"refs": refs}
    if kind == "multiselect":
        return {"options": _multiselect(name, raw.get("options"), report, line)}
    if kind in CHOICES or kind == "toggle":
        return {"options": _options(name, clauses, tosca, report, line)}
    return {"limits": constraints.read(clauses, tosca or kind, report, line)}


def _options(name: str, clauses: Any, tosca: str, report: Report, line: int) -> list[FormOption]:
    options: list[FormOption] = []
    for clause in clauses if isinstance(clauses, list) else []:
        if isinstance(clause, Mapping) and "valid_values" in clause and isinstance(clause["valid_values"], list):
            options += [
                FormOption(value=_scalar(item, tosca), label=texts.label(item)) for item in clause["valid_values"]
            ]
        elif isinstance(clause, Mapping) and not isinstance(clause.get("value"), dict | list) and "value" in clause:
            sets = clause.get("set")
            options.append(
                FormOption(
                    value=_scalar(clause["value"], tosca),
                    label=texts.label(clause.get("label")) or texts.label(clause["value"]),
                    parent_value=_scalar(clause["parent_value"], "") if "parent_value" in clause else None,
                    sets=plain_written(sets) if isinstance(sets, Mapping) else {},
                )
            )
        else:
            report.warning(f"Input {name}: an option has `value` and `label`; this one is ignored.", line)
    if not options:
        report.warning(f"Input {name}: it offers no options; give some under `constraints`.", line)
    if len(options) > MAX_OPTIONS:
        report.warning(f"Input {name}: only its first {MAX_OPTIONS} options are offered.", line)
    return options[:MAX_OPTIONS]


def plain_written(values: Mapping) -> dict[str, Any]:
    """What a choice sets; numbers keep the digits they were written with until the input's type is known."""
    return {key: plain_text(item) if isinstance(item, Decimal) else plain_values(item) for key, item in values.items()}


def _scalar(value: Any, tosca: str) -> str | int | float | bool:
    """An option's value in TOSCA's type, or as it was written where the form alone knows the input."""
    if not tosca and isinstance(value, str | int) and not isinstance(value, Decimal):
        return value
    try:
        kept = typed(value, tosca)
    except ValueError:
        kept = None
    return kept if isinstance(kept, str | int | float | bool) else plain_text("" if value is None else value)


def _multiselect(name: str, raw: Any, report: Report, line: int) -> list[FormOption]:
    """Options of a multiselect: a list, or INFN's spelling, a Python list in a text (read as a literal, never run)."""
    if isinstance(raw, str) and len(raw) <= 20_000:
        try:
            raw = ast.literal_eval(raw)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raw = None
    if not isinstance(raw, list | tuple) or any(not isinstance(item, str | int | float) for item in raw):
        report.warning(f"Input {name}: `options` is a list of words; there is nothing to choose from.", line)
        return []
    return [FormOption(value=plain_text(item), label=texts.label(item)) for item in raw[:MAX_OPTIONS]]


def _default(found: Input, raw: Any, report: Report, line: int) -> Any:
    if raw is None:
        return None
    if isinstance(raw, Mapping) and "get_input" in raw:
        report.warning(f"Input {found.name}: a default is a value, not a function; it is ignored.", line)
        return None
    if found.ports:
        return _rules(raw)
    if found.kind == "multiselect":
        words = raw if isinstance(raw, list) else plain_text(raw).split(found.delimiter)
        return [plain_text(word) for word in words if word not in ("", None)]
    try:
        return typed(raw, found.type or found.kind)
    except ValueError as error:
        report.warning(f"Input {found.name}: the default is {error}; it is ignored.", line)
        return None


def _rules(raw: Any) -> Any:
    rules = plain_values(raw)
    if isinstance(rules, dict):
        return {name: ports.canonical(rule) for name, rule in rules.items()}
    return [ports.canonical(rule) for rule in rules] if isinstance(rules, list) else None


def _required_ports(name: str, raw: Any, report: Report, line: int) -> dict[str, Any]:
    if raw is None:
        return {}
    rules = _rules(raw)
    if isinstance(rules, dict) and all(isinstance(rule, dict) for rule in rules.values()):
        return rules
    report.warning(f"Input {name}: required_ports maps names to ports; it is ignored.", line)
    return {}
