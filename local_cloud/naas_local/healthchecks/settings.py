"""What the embedded Healthchecks must know to run: one JSON file of mode 0600, written by `prepare`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput
from naas_client.files import secret_file, write_private_json
from naas_client.settings import HttpAddress, MailSection, Section, validate
from pydantic import Field

from naas_local.parts import PartSpec
from naas_local.ports import LOOPBACK

ADMIN_KEY = "admin.key"
"""File in the server's folder with the secret that projects are made with."""

STATUS = "/api/v3/status/"
"""Answered without a key."""


class HealthchecksConfig(Section):
    """Settings of one server."""

    port: int = Field(ge=1, le=65535)
    host: str = Field(LOOPBACK, description="address it listens on")
    data: Path = Field(description="folder of the server")
    url: HttpAddress = Field(min_length=8, description="base of the addresses that answers contain")
    mail: MailSection = Field(default_factory=MailSection, description="what e-mails are sent through")
    private_webhooks: bool = Field(False, description="whether webhooks may call loopback and private addresses")
    pings_per_minute: int = Field(
        300, ge=0, description="per check, as many of them at once; more are answered 429; 0: no limit"
    )
    requests_per_minute: int = Field(
        0, ge=0, description="of the management API, per key; more are answered 429; 0: no limit"
    )
    most_checks: int = Field(1000, ge=1, description="checks of one project")
    ping_log: int = Field(500, ge=1, description="pings kept of each check")


def prepare(data: Path, port: int, *, host: str = LOOPBACK, url: str = "", **options: Any) -> PartSpec:
    """Write the server's settings below ``data`` and say how it is started.

    Parameters: see `HealthchecksConfig`; ``url`` is where it listens when it is not given. Raises InvalidInput when a value cannot
    be used.
    """
    address = f"http://{host}:{port}"
    document = {"port": port, "host": host, "data": str(data.resolve()), "url": url or address, **options}
    config = validate(document, HealthchecksConfig, "healthchecks")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = data / "config.json"
    write_private_json(file, config.model_dump(mode="json"))
    secret_file(data / ADMIN_KEY)
    argv = (sys.executable, "-m", "naas_local.healthchecks", str(file))
    return PartSpec("healthchecks", argv, ready=f"{address}{STATUS}", url=address)


def read(path: Path) -> HealthchecksConfig:
    """The settings in a file. Raises InvalidInput when it is missing, readable by others or wrong."""
    try:
        mode, document = path.stat().st_mode, json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. Start the server by `naas up`.") from error
    if mode & 0o077:
        raise InvalidInput(f"{path} is readable by others. Run `chmod 600 {path}`.", code="open-secret")
    return validate(document, HealthchecksConfig, str(path))
