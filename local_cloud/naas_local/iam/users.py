"""The people of the embedded IAM: one private JSON file, read again by the running provider whenever it changes.

Two writers at the same moment are not expected (a test, or a person at a keyboard, and an administrator who approves a
request in the browser); each write replaces the whole file at once, so a reader never sees half of it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from naas_client.errors import Conflict, NotFound
from naas_client.files import write_private_json

USERS_FILE = "users.json"

DEMO_GROUPS: dict[str, list[str]] = {
    "alice": ["users/naas", "users/s3", "developers"],
    "bob": ["users/naas", "users/s3"],
    "erin": ["users/naas"],
    "carol": [],
    "dana": ["admins", "users/naas", "users/s3", "developers"],
}
"""Demo user → groups, without leading slash. The password of each is the name."""

Person = dict[str, Any]


def write_demo_users(data: Path) -> None:
    """Write the users' file with the demo users; an existing one is kept."""
    if (data / USERS_FILE).exists():
        return
    people = [{**_person(name, groups), "demo": True} for name, groups in DEMO_GROUPS.items()]
    groups = sorted({group for groups in DEMO_GROUPS.values() for group in groups})
    write_private_json(data / USERS_FILE, {"groups": groups, "users": people})


def add_user(data: Path, username: str, groups: Iterable[str] = (), *, password: str | None = None) -> str:
    """Add a person with any user name and return the new subject (a UUID).

    Parameters: ``data``, the IAM's data folder; ``password``, the name itself when None. Raises Conflict for a name that exists.
    """
    person = _person(username, list(groups))
    if password is not None:
        person["password"] = password

    def change(people: list[Person]) -> None:
        if any(known["username"] == username for known in people):
            raise Conflict(f"IAM already has a user {username!r}: choose another name.")
        people.append(person)

    _change(data, change)
    return str(person["sub"])


def set_groups(data: Path, username: str, groups: Iterable[str]) -> None:
    """Replace a person's groups (without leading slash); running sessions see it at their next look. Raises NotFound."""
    _update(data, username, groups=list(groups))


def set_active(data: Path, username: str, active: bool) -> None:
    """Suspend or restore a person: who is suspended cannot sign in, and a refresh answers ``invalid_grant``. Raises NotFound."""
    _update(data, username, active=active)


def _person(username: str, groups: list[str]) -> Person:
    subject = str(uuid.uuid4())
    local = username if username.isascii() and username.isalnum() else subject
    return {
        "username": username,
        "sub": subject,
        "name": username.capitalize(),
        "email": f"{local}@example.org",
        "groups": groups,
    }


def _update(data: Path, username: str, **fields: Any) -> None:
    def change(people: list[Person]) -> None:
        for person in people:
            if person["username"] == username:
                person.update(fields)
                return
        raise NotFound(f"IAM has no user {username!r}: add it first.")

    _change(data, change)


def _change(data: Path, change: Callable[[list[Person]], None]) -> None:
    document = json.loads((data / USERS_FILE).read_text())
    change(document["users"])
    write_private_json(data / USERS_FILE, document)
