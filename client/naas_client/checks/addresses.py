"""From the name of a check to its ping address. The gateway is asked once per name; what it said is kept, so pings do without it.

Who knows a ping address can ping, so the file is private: ``$XDG_STATE_HOME/naas/checks/addresses.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, NotFound, Unavailable
from naas_client.files import lock, write_private_json
from naas_client.gateway import SyncGatewayClient
from naas_client.laptop.person import ask, service_of
from naas_client.laptop.sessions import base_folder, private_folder
from naas_client.models import CheckProject, NewCheck

LONGEST_NAME = 100
LOCK_LIMIT = 10.0


def folder() -> Path:
    """Our private folder between two programs. Raises Unavailable when it cannot be made."""
    return private_folder(private_folder(base_folder("XDG_STATE_HOME", ".local/state")) / "checks")


def checked(name: str) -> str:
    """A name of a check, or a ping address, as it is used. Raises InvalidInput."""
    name = name.strip()
    if not name or not name.isprintable():
        raise InvalidInput("Name a check in one line, for example: nightly calibration.")
    if not is_address(name) and len(name) > LONGEST_NAME:
        raise InvalidInput(f"The name of a check has at most {LONGEST_NAME} characters. Shorten it.")
    return name


def is_address(name: str) -> bool:
    """Whether a check is named by its ping address."""
    return name.startswith(("https://", "http://"))


def find(name: str, project: int | None = None) -> str:
    """The ping address of a check; a check of a new name is made. Raises NaasError."""
    if is_address(name):
        return name
    service, key = service_of(None), _key(name, project)
    known = _read().get(service, {}).get(key)
    if known:
        return str(known)
    address = ask(None, lambda gateway: _make(gateway, name, project))
    _change(service, key, address)
    return address


def forget(name: str, project: int | None = None) -> bool:
    """Forget a kept address, which has proved wrong; whether there was one."""
    if is_address(name):
        return False
    service, key = service_of(None), _key(name, project)
    known = key in _read().get(service, {})
    _change(service, key, None)
    return known


def _make(gateway: SyncGatewayClient, name: str, project: int | None) -> str:
    chosen = choose(gateway.checks.projects().items, project)
    check = gateway.checks.create(chosen.id, NewCheck(name=name, unique=["name"]))
    return check.ping_url


def choose(projects: list[CheckProject], wanted: int | None) -> CheckProject:
    """The project that is meant: the one of this number, else one's own. Raises NotFound."""
    writable = [one for one in projects if one.writable and wanted in (None, one.id)]
    own = sorted(writable, key=lambda one: (not one.provisioned, bool(one.group), one.id))
    if not own:
        what = f"no project {wanted} in which you may" if wanted else "no project in which you may"
        raise NotFound(
            f"There is {what} make checks. Add one in the panel, Healthchecks, by its API key.", code="no-project"
        )
    return own[0]


def _key(name: str, project: int | None) -> str:
    return f"{project or ''}/{name}"


def _read() -> dict[str, dict[str, Any]]:
    try:
        document = json.loads((folder() / "addresses.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _change(service: str, key: str, address: str | None) -> None:
    place = folder()
    with lock(place / "addresses.lock", LOCK_LIMIT, Unavailable("Another program holds the list of checks.")):
        document = _read()
        document.setdefault(service, {})[key] = address
        if address is None:
            del document[service][key]
        write_private_json(place / "addresses.json", document)
