"""The reference of ``naas.yaml`` as Markdown, written from the models themselves: it cannot differ from what is accepted."""

from __future__ import annotations

import json
from typing import Any

from naas_hub.settings import SiteSettings

HEAD = """# Settings

Every key of `naas.yaml`. Written by `make reference` from the settings models; do not edit.
All keys are optional: the defaults serve the embedded cloud of `naas up`. An unknown key or a bad value stops the start,
with the path of the key and the remedy. A key that ends in `_file` names a file of mode 0600 with a secret; no secret stands
in `naas.yaml` itself.
"""


def settings_reference() -> str:
    """The whole page: the sections in the order of the file, then the models they are made of."""
    schema = SiteSettings.model_json_schema()
    models: dict[str, Any] = schema["$defs"]
    parts = [HEAD]
    shown = set()
    for name, field in schema["properties"].items():
        model = _model_name(field)
        parts.append(f"\n## `{name}`\n")
        if "$ref" in field and model:
            shown.add(model)
            parts.append(_model(models[model]))
        else:
            parts.append(f"\n{_sentence(field.get('description', ''))} Type: {_type(field)}.\n")
    for name in sorted(set(models) - shown):
        parts.append(f"\n## {name}\n")
        parts.append(_model(models[name]))
    return "".join(parts)


def _model(schema: dict[str, Any]) -> str:
    lines = [f"\n{_sentence(schema.get('description', '').splitlines()[0] if schema.get('description') else '')}\n"]
    lines += ["\n| key | type | default | meaning |\n|---|---|---|---|\n"]
    required = schema.get("required", [])
    for key, field in schema["properties"].items():
        default = "required" if key in required else _default(field)
        lines.append(f"| `{key}` | {_type(field)} | {default} | {_meaning(field)} |\n")
    return "".join(lines)


def _sentence(text: str) -> str:
    text = text.strip().replace("``", "`")
    return text if not text or text.endswith(".") else f"{text[0].upper()}{text[1:]}."


def _meaning(field: dict[str, Any]) -> str:
    examples = ", ".join(
        f"`{json.dumps(value, ensure_ascii=False, default=str)}`" for value in field.get("examples", [])
    )
    text = field.get("description", "").replace("``", "`")
    return "; ".join(part for part in (text, f"for example {examples}" if examples else "") if part).replace("|", "\\|")


def _default(field: dict[str, Any]) -> str:
    if "default" not in field or field["default"] in (None, ""):
        return "–"
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`".replace("|", "\\|")


def _model_name(field: dict[str, Any]) -> str:
    return str(field.get("$ref", "")).rpartition("/")[2]


def _type(field: dict[str, Any]) -> str:
    if name := _model_name(field):
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(choice) for choice in field["anyOf"] if choice.get("type") != "null"))
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object":
        return (
            f"mapping to {_type(field['additionalProperties'])}"
            if isinstance(field.get("additionalProperties"), dict)
            else "mapping"
        )
    bounds = [f"≥ {field['minimum']}"] if "minimum" in field else []
    bounds += [f"> {field['exclusiveMinimum']}"] if "exclusiveMinimum" in field else []
    bounds += [f"≤ {field['maximum']}"] if "maximum" in field else []
    return f"{kind} {', '.join(bounds)}".strip()
