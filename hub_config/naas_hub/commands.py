"""`naas config`: check the settings file, print its schema, show what is in effect."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from naas_client.errors import NaasError
from naas_client.folders import check_host_folders
from naas_client.settings import load_document
from pydantic import BaseModel

from naas_hub import CONFIG_VARIABLE
from naas_hub.reference import settings_reference
from naas_hub.settings import SiteSettings, load_site, read_secrets

FILE = click.argument("file", type=click.Path(path_type=Path), required=False, envvar=CONFIG_VARIABLE)


@click.group()
def config() -> None:
    """Check and show the settings in naas.yaml."""


@config.command()
@FILE
@click.option(
    "--no-secrets", is_flag=True, help="do not look at secret files and host folders, which may be on another machine"
)
def check(file: Path | None, no_secrets: bool) -> None:
    """Say what is wrong in FILE (default: the one NAAS_CONFIG names) and how to repair it; status 1 when something is."""
    mistakes = []
    try:
        settings = load_site(file)
        if not no_secrets:
            read_secrets(settings, only_named=True)
            if settings.hub.spawner == "local":
                check_host_folders(settings.hub.host_folders)
    except NaasError as error:
        mistakes = error.message.splitlines()
    for mistake in mistakes:
        click.echo(mistake, err=True)
    if mistakes:
        raise SystemExit(1)
    click.echo(f"{file or 'The built-in defaults'}: no mistakes found.")


@config.command()
def schema() -> None:
    """Print the JSON schema of naas.yaml: every key with its meaning and default."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **SiteSettings.model_json_schema()}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@config.command()
def reference() -> None:
    """Print the reference of naas.yaml as Markdown."""
    click.echo(settings_reference(), nl=False)


@config.command()
@FILE
def show(file: Path | None) -> None:
    """Print the settings in effect with FILE, each with its origin; of secrets, only that they are there."""
    given = load_document(file) if file else {}
    for path, value, is_given in effective(load_site(file), given):
        click.echo(f"{path} = {shown(path, value)}  # {'file' if is_given else 'default'}")


def effective(model: BaseModel, given: Any, path: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Each setting: path of its key, value, whether the file gives it. Lists and mappings count as one value."""
    for name in type(model).model_fields:
        value, key = getattr(model, name), f"{path}{name}"
        inside = given.get(name) if isinstance(given, dict) else None
        if isinstance(value, BaseModel):
            yield from effective(value, inside, f"{key}.")
        else:
            yield key, value, isinstance(given, dict) and name in given


def shown(path: str, value: Any) -> str:
    """A value as people should see it: a secret's file by mode and date, never its content."""
    if path.endswith("_file"):
        return _secret(value)
    if path.endswith("_url") and "@" in str(value):
        scheme, _, rest = str(value).partition("://")
        return json.dumps(f"{scheme}://…@{rest.rpartition('@')[2]}", ensure_ascii=False)
    return json.dumps(_plain(value), ensure_ascii=False)


def _secret(file: Path | None) -> str:
    if file is None:
        return "not set"
    try:
        found = os.stat(file)  # noqa: PTH116 - one call for mode and date
    except OSError as error:
        return f"{file}: not readable ({error.strerror})"
    changed = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC)
    return f"set ({file}, mode {found.st_mode & 0o777:04o}, {changed:%Y-%m-%d})"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
