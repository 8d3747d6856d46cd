"""The embedded IAM for the length of a `with` block: what the tests of every room use."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from naas_local.iam import users
from naas_local.iam.part import prepare
from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port


class EmbeddedIam(RestartablePart):
    """A running embedded IAM.

    ``url`` has no slash at its end; ``issuer`` is spelt as in the discovery document; ``client_id`` and ``client_secret`` are
    the hub's; ``redirect_uri`` its callback; ``data`` the IAM's folder; ``log`` its log.
    """

    def __init__(self, spec: PartSpec, data: Path, hub_url: str, client_id: str, client_secret: str) -> None:
        super().__init__(spec, data / "iam.log")
        self.data, self.issuer = data, f"{spec.url}/"
        self.hub_url, self.redirect_uri = hub_url, f"{hub_url}/hub/oauth_callback"
        self.client_id, self.client_secret = client_id, client_secret

    def set_groups(self, username: str, groups: Iterable[str]) -> None:
        """See `naas_local.iam.users.set_groups`."""
        users.set_groups(self.data, username, groups)

    def add_user(self, username: str, groups: Iterable[str] = (), *, password: str | None = None) -> str:
        """See `naas_local.iam.users.add_user`."""
        return users.add_user(self.data, username, groups, password=password)

    def set_active(self, username: str, active: bool) -> None:
        """See `naas_local.iam.users.set_active`."""
        users.set_active(self.data, username, active)


@contextlib.contextmanager
def embedded_iam(
    folder: Path,
    *,
    hub_url: str = "http://127.0.0.1:8000",
    client_id: str = "naas-hub",
    client_secret: str | None = None,
    port: int | None = None,
    **options: Any,
) -> Iterator[EmbeddedIam]:
    """Start the embedded IAM with its data in ``folder/iam``; it is stopped for certain.

    Parameters: ``client_secret``, a new one when None; ``port``, a free one when None; ``options``, those of `prepare`.
    """
    data = folder / "iam"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = client_secret or secrets.token_hex(16)
    spec = prepare(data, port or free_port(), hub_url=hub_url, client_id=client_id, client_secret=secret, **options)
    iam = EmbeddedIam(spec, data, hub_url, client_id, secret)
    try:
        iam.start()
        yield iam
    finally:
        iam.stop()
