"""What is kept between two commands, in ``$XDG_CONFIG_HOME/naas`` (0700): per service a sign-in, what was got with it, a lock."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field as PydanticField
from pydantic import ValidationError

from naas_client.addresses import service_address
from naas_client.errors import NotSignedIn, Unavailable
from naas_client.files import lock, write_private, write_private_json
from naas_client.models import Document

LOCK_LIMIT = 120.0
"""Seconds; longer than any command holds the lock, which is bounded by the time limits of a few requests."""

Kept = TypeVar("Kept", bound=Document)


class Session(Document):
    """A sign-in at one service: who IAM is, and the tokens it gave. The refresh token is used once, then replaced."""

    service: str
    issuer: str
    client_id: str
    audience: str
    scopes: list[str]
    access_token: str = PydanticField(repr=False)
    refresh_token: str | None = PydanticField(default=None, repr=False)
    renew_at: dt.datetime


def base_folder(variable: str, standard: str) -> Path:
    """Our folder below an XDG base directory (XDG Base Directory Specification: a relative path there does not count)."""
    given = Path(os.environ.get(variable) or "")
    return (given if given.is_absolute() else Path.home() / standard) / "naas"


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can open. Raises Unavailable when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be used: {error.strerror}. Make it a folder of yours.", code="no-folder"
        ) from error
    return path


class Sessions:
    """The sign-ins of this account on this computer."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = private_folder(folder or base_folder("XDG_CONFIG_HOME", ".config"))

    def _file(self, service: str, kind: str) -> Path:
        host = re.sub(r"[^a-z0-9.-]", "_", urlsplit(service).netloc)[:80]
        return self.folder / f"{host}-{hashlib.sha256(service.encode()).hexdigest()[:10]}.{kind}"

    def chosen(self, given: str | None) -> str:
        """The service that a command is for: the one named, else the one signed in to last. Raises NotSignedIn, InvalidInput."""
        if given:
            return service_address(given)
        with contextlib.suppress(OSError):
            service = (self.folder / "default").read_text().strip()
            if self._file(service, "json").exists():
                return service
        known = self.services()
        if not known:
            raise NotSignedIn("You are not signed in. Run `naas login URL` with the address of the service.")
        if len(known) > 1:
            raise NotSignedIn(f"Say which service with --service: {', '.join(known)}.")
        return known[0]

    def services(self) -> list[str]:
        """Where this account is signed in."""
        found = []
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(OSError, ValidationError):
                found.append(Session.model_validate_json(path.read_text()).service)
        return sorted(found)

    def load(self, service: str) -> Session:
        """The sign-in at a service. Raises NotSignedIn."""
        try:
            return Session.model_validate_json(self._file(service, "json").read_text())
        except (OSError, ValidationError):
            raise NotSignedIn(f"You are not signed in at {service}. Run `naas login {service}`.") from None

    def save(self, session: Session) -> None:
        """Keep a sign-in. Raises Unavailable when it cannot be written."""
        with self._writing():
            write_private(self._file(session.service, "json"), session.model_dump_json())

    def choose(self, service: str) -> None:
        """Make it the one that commands without ``--service`` are for."""
        with self._writing():
            write_private(self.folder / "default", f"{service}\n")

    def forget(self, service: str) -> None:
        """Delete the sign-in and everything got with it. The lock stays: another process may wait for it."""
        for kind in ("json", "kept"):
            self._file(service, kind).unlink(missing_ok=True)

    def kept(self, service: str, name: str, model: type[Kept]) -> Kept | None:
        """Something got earlier that is still good for a while."""
        try:
            entry = self._all_kept(service)[name]
            if dt.datetime.fromisoformat(entry["renew_at"]) > dt.datetime.now(dt.UTC):
                return model.model_validate(entry["document"])
        except (KeyError, TypeError, ValueError):
            pass
        return None

    def keep(self, service: str, name: str, document: Document, renew_at: dt.datetime) -> None:
        """Keep something until it should be got anew; what is over is dropped. Call it with the lock."""
        now = dt.datetime.now(dt.UTC).isoformat()
        good = {key: entry for key, entry in self._all_kept(service).items() if str(entry.get("renew_at")) > now}
        good[name] = {"renew_at": renew_at.isoformat(), "document": document.model_dump(mode="json")}
        with self._writing():
            write_private_json(self._file(service, "kept"), good)

    def drop_kept(self, service: str) -> None:
        """Delete what was got with an earlier sign-in."""
        self._file(service, "kept").unlink(missing_ok=True)

    def _all_kept(self, service: str) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._file(service, "kept").read_text())
        except (OSError, ValueError):
            return {}
        return (
            {key: entry for key, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{self.folder} cannot be written: {error.strerror}. Make room there or mend its owner.",
                code="no-folder",
            ) from error

    @contextlib.contextmanager
    def lock(self, service: str) -> Iterator[None]:
        """Be the only process that works with a service's sign-in. Raises Unavailable after `LOCK_LIMIT`."""
        busy = Unavailable("Another `naas` has been busy for too long. End it and try again.", code="busy")
        with contextlib.ExitStack() as held:
            with self._writing():
                held.enter_context(lock(self._file(service, "lock"), LOCK_LIMIT, busy))
            yield
