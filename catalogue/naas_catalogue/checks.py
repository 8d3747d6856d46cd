"""Inputs as people give them → inputs as the orchestrator gets them, or a sentence per field."""

from __future__ import annotations

import json
import re
import secrets
import string
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import jsonschema
from jsonschema import validators
from naas_client.catalogue import LARGEST_INPUTS
from naas_client.models import CheckedInputs, FilledInput, InputProblem

from naas_catalogue import forms, ports, units
from naas_catalogue.constraints import typed
from naas_catalogue.documents import plain_text
from naas_catalogue.forms import Context, Plan
from naas_catalogue.inputs import FILLED, Input
from naas_catalogue.patterns import compiled
from naas_catalogue.templates import Template

PASSWORD_LENGTH = 24
MAX_PROBLEMS = 100

_EMAIL = re.compile(r"[^@\s<>\"',;()\\]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_FORMATS = jsonschema.FormatChecker(formats=())


def validate(template: Template, given: Mapping[str, Any], context: Context) -> CheckedInputs:
    """Check and complete inputs.

    Parameters: ``given``, names → values as JSON has them, or as text (``"4"``, ``"true"``); ``context``, who deploys.
    Generated passwords are in the answer's inputs: show only what is not in `secrets`.
    """
    if problem := _too_much(given):
        return CheckedInputs(problems=[InputProblem(field="", message=problem)])
    plan = Plan(template, context)
    problems = [InputProblem(field=name[:80], message=_unknown(plan, name)) for name in given if name not in plan.asked]
    values = _completed(plan, given)
    problems += _schema_problems(plan, values)
    problems += _missing_key(plan)
    if problems:
        return CheckedInputs(problems=problems[:MAX_PROBLEMS])
    return _finished(plan, given, values)


def _too_much(given: Mapping[str, Any]) -> str:
    try:
        size = len(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return "The inputs are not JSON: use texts, numbers, true, false, lists and mappings."
    return f"The inputs are larger than {LARGEST_INPUTS // 1024} KiB together." if size > LARGEST_INPUTS else ""


def _unknown(plan: Plan, name: str) -> str:
    item = plan.inputs.get(name)
    if item is None or name in plan.referred:
        return "There is no such input. Leave it out."
    if name in plan.chosen:
        return f"It follows from {plan.chosen[name]}. Leave it out."
    return "It is filled in for you. Leave it out."


def _completed(plan: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all asked inputs: given ones in their type, then defaults; parents before what depends on them."""
    values: dict[str, Any] = {}
    for name, item in sorted(plan.asked.items(), key=lambda pair: bool(pair[1].parent)):
        counted = _active(plan, item, values)
        value = _lenient(counted, given.get(name))
        if value is None and name not in plan.chosen:
            value = plan.default(counted)
        if value is not None:
            values[name] = value
    return values


def _active(plan: Plan, item: Input, values: Mapping[str, Any]) -> Input:
    """The definition that counts for a dependent input now."""
    parent = values.get(item.parent)
    return next((alternative for value, alternative in plan.alternatives(item) if value == parent), item)


def _lenient(item: Input, value: Any) -> Any:
    """A value in its type where a text says it plainly; else unchanged, for the schema to refuse."""
    widget = item.widget
    try:
        if widget in ("integer", "number", "boolean", "toggle") and isinstance(value, str):
            return typed(value.strip(), {"number": "float", "toggle": "boolean"}.get(widget, widget))
        if widget in ("select", "radio"):
            return _choice(item, value)
        if widget == "size" and isinstance(value, str):
            return units.parsed("scalar-unit.size", value)[1]
    except ValueError:
        return value
    if widget == "ports":
        return _rules(value)
    if widget in ("text", "textarea", "password") and type(value) in (int, float):
        return plain_text(value)
    return value


def _choice(item: Input, value: Any) -> Any:
    choices = [option.value for option in item.options] or item.limits.choices or []
    if isinstance(value, dict | list) or value is None:
        return value
    if item.type in units.UNITS:
        amount = units.parsed(item.type, value)[0]
        return next((choice for choice in choices if units.parsed(item.type, choice)[0] == amount), value)
    return next((choice for choice in choices if plain_text(choice) == plain_text(value)), value)


def _rules(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: ports.canonical(rule) for name, rule in value.items()}
    return [ports.canonical(rule) for rule in value] if isinstance(value, list) else value


def _missing_key(plan: Plan) -> Iterator[InputProblem]:
    wanted = next((item.name for item in plan.inputs.values() if item.kind == "ssh_user"), None)
    if wanted and plan.template.requires_ssh_key and not plan.context.ssh_public_key:
        yield InputProblem(field=wanted, message="You have no SSH key yet. Add one, then deploy.")


def _finished(plan: Plan, given: Mapping[str, Any], values: Mapping[str, Any]) -> CheckedInputs:
    result = CheckedInputs()
    for name, value in _chosen(plan, values).items():
        if name not in given:
            result.inputs[name] = value
    for name, item in plan.inputs.items():
        if item.kind in FILLED:
            _fill(plan, item, result)
        elif not item.type:
            continue
        elif item.kind == "hidden" and item.default is not None:
            result.inputs.setdefault(name, item.default)
        elif name in values and (value := _final(_active(plan, item, values), values[name])) is not None:
            result.inputs[name] = value
        if item.secret:
            result.secrets.append(name)
    result.missing += _passphrase(result.inputs)
    declared = {name for name, item in plan.inputs.items() if item.type or item.kind in FILLED}
    result.inputs = {name: result.inputs[name] for name in plan.inputs if name in result.inputs and name in declared}
    return result


def _passphrase(inputs: Mapping[str, Any]) -> list[FilledInput]:
    """A volume that is to be encrypted needs a passphrase in a vault; the dashboard knows it by the input's name."""
    wanted = [name for name, value in inputs.items() if name == "storage_encryption" and value]
    return [FilledInput(name=name, source="platform", kind="vault_passphrase") for name in wanted]


def _chosen(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """What combined choices set, in the type that TOSCA declares."""
    found: dict[str, Any] = {}
    for item in plan.asked.values():
        if item.kind == "combined" and item.name in values:
            option = next(option for option in item.options if option.value == values[item.name])
            for name, value in option.sets.items():
                if (target := plan.inputs.get(name)) and target.type:
                    found[name] = _typed(value, target.type)
    return found


def _typed(value: Any, kind: str) -> Any:
    try:
        return typed(value, kind)
    except ValueError:
        return value


def _final(item: Input, value: Any) -> Any:
    if item.widget == "toggle":
        return item.options[0].value if value and item.options else None
    if item.kind == "multiselect" and item.delimiter is not None:
        return item.delimiter.join(value)
    if item.ports and isinstance(value, Mapping):
        return {**item.required_ports, **value}
    if item.ports:
        return [*item.required_ports.values(), *value]
    return _typed(value, item.type) if item.type in ("integer", "float", "boolean") else value


def _fill(plan: Plan, item: Input, result: CheckedInputs) -> None:
    """Bring what nobody is asked for, or say that the platform has to."""
    context = plan.context
    if item.kind == "ssh_user":
        user = {"os_user_name": context.username, "os_user_add_to_sudoers": True}
        result.inputs[item.name] = (
            [{**user, "os_user_ssh_public_key": context.ssh_public_key}] if context.ssh_public_key else []
        )
    elif item.kind == "userinfo":
        known = {"sub": context.subject, "email": context.email, "name": context.name}
        result.inputs[item.name] = known.get(item.details.get("attribute", "sub"), context.username)
    elif item.kind == "random_password":
        letters = string.ascii_letters + string.digits
        result.inputs[item.name] = "".join(secrets.choice(letters) for _ in range(PASSWORD_LENGTH))
    elif item.kind in ("uuidgen", "swift_autouuid"):
        result.inputs[item.name] = f"{item.details.get('prefix', '')}{uuid.uuid4()}{item.details.get('suffix', '')}"
    else:
        result.missing.append(FilledInput(name=item.name, source="platform", kind=item.kind, details=item.details))


def _schema_problems(plan: Plan, values: dict[str, Any]) -> Iterator[InputProblem]:
    validator = _Validator(forms.schema(plan), format_checker=_FORMATS)
    seen: set[tuple[str, str]] = set()
    for error in validator.iter_errors(values):
        for problem in _described(error):
            if (problem.field, problem.path) not in seen:
                seen.add((problem.field, problem.path))
                yield problem


def _described(error: jsonschema.ValidationError) -> Iterator[InputProblem]:
    if error.validator == "required" and not error.absolute_path:
        for name in cast("list[str]", error.validator_value):
            if name not in cast("dict[str, Any]", error.instance):
                yield InputProblem(field=name, message="Give a value.")
        return
    field, *rest = [str(part) for part in error.absolute_path] or [""]
    path = "/".join([*rest, *([error.place] if isinstance(error, _PlacedError) and error.place else [])])
    yield InputProblem(field=field, path=path, message=_sentence(error))


def _sentence(error: jsonschema.ValidationError) -> str:
    """What to do; the value itself is never repeated, for it may be a secret."""
    word = str(error.validator)
    limit: Any = error.validator_value
    if word in ("naas-size", "naas-ports"):
        return error.message
    if word == "enum":
        shown = ", ".join(plain_text(item) or "nothing" for item in limit[:20])
        return f"Choose one of: {shown}{'' if len(limit) <= 20 else ', …'}."
    if word == "type":
        if error.schema is ports.SCHEMA:
            return "Write a port like 443, 8000-8010 or 53/udp."
        kinds = limit if isinstance(limit, list) else [limit]
        return f"Write {' or '.join(_KINDS.get(str(kind), str(kind)) for kind in kinds)}."
    if word == "pattern":
        return _PATTERNS.get(limit) or f"It must match {limit.removeprefix('^(?:').removesuffix(')$')}"
    return _SENTENCES[word](limit) if word in _SENTENCES else "This cannot be used."


_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
    "object": "names with values",
}
_PATTERNS = {
    forms.SIZE: "Write a number and a unit, for example 4 GB.",
    forms.SSH_KEY: "Write a public key as ssh-keygen makes it: ssh-ed25519 AAAA…",
    f"^$|{forms.SSH_KEY}": "Write a public key as ssh-keygen makes it: ssh-ed25519 AAAA…",
    forms.PORT_NAME: "Use letters, digits, `_`, `-` and `.` in a port's name.",
}
_SENTENCES: dict[str, Callable[[Any], str]] = {
    "minimum": lambda limit: f"Not below {limit}.",
    "maximum": lambda limit: f"Not above {limit}.",
    "exclusiveMinimum": lambda limit: f"More than {limit}.",
    "exclusiveMaximum": lambda limit: f"Less than {limit}.",
    "minLength": lambda limit: "Give a value." if limit == 1 else f"At least {limit} characters.",
    "maxLength": lambda limit: f"At most {limit} characters.",
    "minItems": lambda limit: f"At least {limit} entries.",
    "maxItems": lambda limit: f"At most {limit} entries.",
    "minProperties": lambda limit: f"At least {limit} entries.",
    "maxProperties": lambda limit: f"At most {limit} entries.",
    "uniqueItems": lambda _: "Choose each only once.",
    "required": lambda names: f"It needs {', '.join(names)}.",
    "additionalProperties": lambda _: "It has a part that is not known.",
    "oneOf": lambda _: "Give one port (source) or one range (source_range).",
    "format": lambda kind: f"Not {'an e-mail address' if kind == 'email' else 'a host name'}.",
    "const": lambda value: f"It must be {plain_text(value)}.",
}


class _PlacedError(jsonschema.ValidationError):
    """An error of one of our own keywords, with its place inside the field."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def _check_pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    """JSON Schema's `pattern`, by RE2. All patterns of our schemas say `^…$`."""
    if isinstance(instance, str) and not compiled(pattern, ours=True).fullmatch(instance):
        yield jsonschema.ValidationError("")


def _check_size(_: Any, bounds: Mapping[str, str], instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    try:
        amount = units.parsed("scalar-unit.size", instance)[0]
    except ValueError:
        return
    for word, bound in bounds.items():
        limit = units.parsed("scalar-unit.size", bound)[0]
        good = {
            "minimum": amount >= limit,
            "exclusiveMinimum": amount > limit,
            "maximum": amount <= limit,
            "exclusiveMaximum": amount < limit,
        }[word]
        if not good:
            yield _PlacedError(_SENTENCES[word](bound))


def _check_ports(
    validator: Any, rule: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    """What the schema of a port cannot say; silent while that schema itself has something to say."""
    plain = {key: value for key, value in schema.items() if key != "naas-ports"}
    if not isinstance(instance, dict | list) or not validator.evolve(schema=plain).is_valid(instance):
        return
    required = rule["required"]
    given = instance if isinstance(instance, dict) else {str(index): item for index, item in enumerate(instance)}
    for name, port in given.items():
        if name in required and port != required[name]:
            yield _PlacedError(f"The service needs {name} as it is. Choose another name.", name)
    rules = {**required, **{name: port for name, port in given.items() if name not in required}}
    for place, message in ports.problems(rules):
        yield _PlacedError(message, place)


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or not value or (len(value) <= 254 and bool(_EMAIL.fullmatch(value)))


@_FORMATS.checks("hostname")
def _is_hostname(value: object) -> bool:
    """RFC 1123 section 2.1."""
    if not isinstance(value, str) or not value:
        return True
    return len(value) <= 253 and all(_LABEL.fullmatch(label) for label in value.split("."))


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {"pattern": _check_pattern, "naas-size": _check_size, "naas-ports": _check_ports},
)
