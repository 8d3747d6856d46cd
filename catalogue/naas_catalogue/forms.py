"""The form of a template for one person: a JSON Schema 2020-12 for what may be given, and what to show around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from naas_client.models import CatalogueForm, FilledInput, FormAlternative, FormField, FormTab
from pydantic import BaseModel, ConfigDict

from naas_catalogue import ports
from naas_catalogue.documents import plain_text
from naas_catalogue.inputs import FILLED, Input
from naas_catalogue.templates import Template

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FIRST_TAB = "Configuration"
MAX_ITEMS = 500
MAX_LINE = 2_000
MAX_WORDS = 20_000

SIZE = r"^[0-9]{1,12}(\.[0-9]{1,6})?\s{0,4}([kKmMgGtT][iI]?)?[bB]$"
_KEY_KINDS = r"ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
SSH_KEY = rf"^({_KEY_KINDS}) [A-Za-z0-9+/]{{40,1000}}={{0,3}}( [^\n]{{0,200}})?$"
PORT_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,62}$"

_USER = {
    "type": "object",
    "properties": {
        "os_user_name": {"type": "string", "pattern": "^[a-z_][a-z0-9_-]{0,31}$"},
        "os_user_guid": {"type": "integer", "minimum": 1000},
        "os_user_add_to_sudoers": {"type": "boolean"},
        "os_user_ssh_public_key": {"type": "string", "pattern": SSH_KEY},
    },
    "required": ["os_user_name"],
    "additionalProperties": False,
}


class Context(BaseModel):
    """Who fills a form."""

    model_config = ConfigDict(frozen=True)

    username: str = ""
    subject: str = ""
    name: str = ""
    email: str = ""
    groups: frozenset[str] = frozenset()
    group: str = ""
    """The active group, without a leading slash: it decides on `group_overrides`."""
    ssh_public_key: str = ""


class Plan:
    """A template's inputs as one person meets them."""

    def __init__(self, template: Template, context: Context) -> None:
        self.template = template
        self.context = context
        self.inputs = {item.name: item.for_group(context.group) for item in template.inputs}
        self.referred = {ref for item in self.inputs.values() for _, ref in item.refs}
        self.chosen = {
            name: item.name
            for item in self.inputs.values()
            if item.kind == "combined"
            for option in item.options
            for name in option.sets
        }
        self.asked = {name: item for name, item in self.inputs.items() if item.asked and name not in self.referred}

    def default(self, item: Input) -> Any:
        """What counts when nothing is given."""
        if item.widget == "toggle":
            return bool(item.options and item.default is not None and item.default == item.options[0].value)
        if item.widget == "email" and self.context.email:
            return self.context.email
        if item.widget == "radio" and item.default is None and item.options:
            return item.options[0].value
        if item.kind == "select" and item.default is None and item.options and item.required:
            return item.options[0].value
        return item.default

    def required(self, item: Input) -> bool:
        """Whether it has to be given."""
        return item.required and self.default(item) is None and item.name not in self.chosen and item.kind != "toggle"

    def alternatives(self, item: Input) -> Iterator[tuple[Any, Input]]:
        """Parent's value and definition of a dependent input."""
        parent = self.inputs.get(item.parent)
        for value, ref in item.refs:
            if ref in self.inputs and parent is not None:
                yield (
                    same_value(parent, value),
                    self.inputs[ref].model_copy(update={"name": item.name, "type": item.type}),
                )


def same_value(parent: Input, written: Any) -> Any:
    """The parent's own value that is written like this: files say `"2"` of a choice that is 2."""
    values = [option.value for option in parent.options] or parent.limits.choices or []
    if parent.widget in ("boolean", "toggle"):
        values = [True, False]
    return next((value for value in values if plain_text(value).lower() == plain_text(written).lower()), written)


def build(template: Template, context: Context) -> CatalogueForm:
    """The form of a template for this person."""
    plan = Plan(template, context)
    return CatalogueForm(
        name=template.name,
        title=template.title,
        description=template.description,
        json_schema=schema(plan),
        tabs=_tabs(plan),
        fields={name: _field(plan, item) for name, item in plan.asked.items()},
        filled=list(_filled(plan)),
        outputs=template.outputs,
        requires_ssh_key=template.requires_ssh_key,
    )


def schema(plan: Plan) -> dict[str, Any]:
    """JSON Schema of the inputs that a person may give.

    Keywords of our own, which other validators skip: `naas-size` (bounds of a size), `naas-ports` (overlaps, address ranges).
    """
    document: dict[str, Any] = {
        "$schema": DIALECT,
        "title": plan.template.title,
        "type": "object",
        "properties": {name: field_schema(plan, item) for name, item in plan.asked.items()},
        "required": [name for name, item in plan.asked.items() if plan.required(item) and not item.refs],
        "additionalProperties": False,
    }
    if any(item.ports for item in plan.asked.values()):
        document["$defs"] = {"port": ports.SCHEMA}
    if rules := [rule for item in plan.asked.values() for rule in _rules(plan, item)]:
        document["allOf"] = rules
    return document


def field_schema(plan: Plan, item: Input) -> dict[str, Any]:
    """JSON Schema of one input."""
    found: dict[str, Any] = {"title": item.label}
    if item.description:
        found["description"] = item.description
    found |= {} if item.refs else _values(plan, item)
    if (default := plan.default(item)) is not None and not item.secret:
        found["default"] = default
    if item.secret:
        found["writeOnly"] = True
    return found


def _values(plan: Plan, item: Input) -> dict[str, Any]:
    lengths = item.limits.lengths("Items")
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "integer": lambda: {"type": "integer", **_bounds(item)},
        "number": lambda: {"type": "number", **_bounds(item)},
        "boolean": lambda: {"type": "boolean"},
        "toggle": lambda: {"type": "boolean"},
        "select": lambda: {"enum": _choices(item)},
        "radio": lambda: {"enum": _choices(item)},
        "multiselect": lambda: {"type": "array", "items": {"enum": _choices(item)}, "uniqueItems": True, **lengths},
        "size": lambda: _size(item),
        "list": lambda: _array({"type": "string", "maxLength": MAX_LINE}, lengths),
        "list-of-maps": lambda: _array(_words(), lengths),
        "map": lambda: _words() | item.limits.lengths("Properties"),
        "ports": lambda: _ports(item),
        "users": lambda: _array(_USER, lengths),
        "document": lambda: {"type": _DOCUMENTS.get(item.kind, ["object", "array", "string", "number", "boolean"])},
    }
    return made[item.widget]() if item.widget in made else _text(plan, item)


_DOCUMENTS: dict[str, Any] = {"list": "array", "map": "object"}


def _size(item: Input) -> dict[str, Any]:
    bounds = item.limits.bounds
    return {"type": "string", "pattern": SIZE, **({"naas-size": bounds} if bounds else {})}


def _text(plan: Plan, item: Input) -> dict[str, Any]:
    longest = MAX_WORDS if item.widget in ("textarea", "ssh-key") else MAX_LINE
    found: dict[str, Any] = {"type": "string", "maxLength": longest, **item.limits.lengths("Length")}
    if plan.required(item):
        found["minLength"] = max(1, found.get("minLength", 0))
    if item.limits.pattern:
        found["pattern"] = f"^(?:{item.limits.pattern})$"
    elif item.widget == "ssh-key":
        found["pattern"] = SSH_KEY if plan.required(item) else f"^$|{SSH_KEY}"
    if item.widget in ("email", "hostname"):
        found["format"] = item.widget
    return found


def _array(items: dict[str, Any], lengths: dict[str, int]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": MAX_ITEMS, **lengths}


def _words() -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"maxLength": 255, "minLength": 1},
        "additionalProperties": {"type": "string", "maxLength": MAX_LINE},
        "maxProperties": MAX_ITEMS,
    }


def _ports(item: Input) -> dict[str, Any]:
    rule = {"$ref": "#/$defs/port"}
    own: dict[str, Any] = {"required": item.required_ports}
    if item.kind == "list":
        return {**_array(rule, item.limits.lengths("Items")), "naas-ports": own}
    return {
        "type": "object",
        "propertyNames": {"pattern": PORT_NAME},
        "additionalProperties": rule,
        "naas-ports": own,
        **item.limits.lengths("Properties"),
    }


def _bounds(item: Input) -> dict[str, Any]:
    """Bounds of a number; like the dashboard's fields, a whole number is not negative unless its file says so."""
    bounds = dict(item.limits.bounds)
    negative = isinstance(item.default, int | float) and item.default < 0
    if item.widget == "integer" and not negative and not {"minimum", "exclusiveMinimum"} & set(bounds):
        bounds["minimum"] = 0
    return bounds


def _choices(item: Input) -> list[Any]:
    return [option.value for option in item.options] or list(item.limits.choices or [])


def _rules(plan: Plan, item: Input) -> Iterator[dict[str, Any]]:
    """What a parent's value says about an input that depends on it."""
    parent = plan.inputs.get(item.parent)
    if parent is None or parent.name not in plan.asked:
        return
    if item.kind == "dependent_select":
        for value in dict.fromkeys(option.parent_value for option in item.options):
            allowed = [option.value for option in item.options if option.parent_value == value]
            yield _when(parent.name, same_value(parent, value), {"properties": {item.name: {"enum": allowed}}})
    for value, alternative in plan.alternatives(item):
        then: dict[str, Any] = {"properties": {item.name: field_schema(plan, alternative)}}
        if plan.required(alternative):
            then["required"] = [item.name]
        yield _when(parent.name, value, then)


def _when(name: str, value: Any, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": then}


def _field(plan: Plan, item: Input) -> FormField:
    parent = item.parent if item.parent in plan.asked else ""
    return FormField(
        name=item.name,
        widget=item.widget,
        label=item.label,
        description=item.description,
        placeholder=item.placeholder,
        info=item.info,
        warning=item.warning,
        separator=item.separator,
        required=plan.required(item),
        secret=item.secret,
        updatable=item.updatable,
        unit=_unit(item),
        rows=item.rows,
        options=item.options,
        required_ports=item.required_ports,
        parent=parent,
        alternatives=[
            FormAlternative(parent_value=value, field=_field(plan, alternative))
            for value, alternative in (plan.alternatives(item) if parent else ())
        ],
    )


def _unit(item: Input) -> str:
    if item.widget != "size":
        return ""
    return str(item.default).rpartition(" ")[2] if item.default else "GB"


def _tabs(plan: Plan) -> list[FormTab]:
    """Tabs in their order; an input whose tab is not among them is shown in the first."""
    titles = plan.template.tabs or [FIRST_TAB]
    fields: dict[str, list[str]] = {title: [] for title in titles}
    for name, item in plan.asked.items():
        fields.get(item.tab, fields[titles[0]]).append(name)
    return [FormTab(title=title, fields=names) for title, names in fields.items() if names]


def _filled(plan: Plan) -> Iterator[FilledInput]:
    for name, item in plan.inputs.items():
        if item.kind in FILLED:
            yield FilledInput.model_validate(
                {"name": name, "source": FILLED[item.kind], "kind": item.kind, "details": item.details}
            )
        elif item.kind == "hidden" and name not in plan.referred:
            yield FilledInput(name=name, source="choice" if name in plan.chosen else "default", kind=item.kind)
