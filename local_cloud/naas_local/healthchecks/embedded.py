"""A server for the length of a `with` block: what the tests of every room use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naas_local.healthchecks.settings import ADMIN_KEY, prepare
from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port

if TYPE_CHECKING:
    import httpx


class EmbeddedHealthchecks(RestartablePart):
    """A running server and how to reach it: management API and pings are below ``url``."""

    def __init__(self, spec: PartSpec, log: Path, data: Path) -> None:
        super().__init__(spec, log)
        self.data = data

    @property
    def ping_url(self) -> str:
        """Base of the addresses of pings."""
        return f"{self.url}/ping"

    @property
    def admin_key(self) -> str:
        """The secret that projects are made with."""
        return (self.data / ADMIN_KEY).read_text().strip()

    def admin(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of the administrator."""
        import httpx  # the server itself is this package as well, and lighter without

        headers = {"Authorization": f"Bearer {self.admin_key}"}
        return httpx.request(method, f"{self.url}/api/projects{path}", headers=headers, timeout=30, **more)

    def project(self, owner: str, **more: Any) -> dict[str, Any]:
        """Make somebody's project; with its keys."""
        made: dict[str, Any] = self.admin("PUT", f"/{owner}", json=more).raise_for_status().json()
        return made


@contextlib.contextmanager
def embedded_healthchecks(tmp_path: Path, **options: Any) -> Iterator[EmbeddedHealthchecks]:
    """Start a server; ``options`` are those of `prepare`, and ``port``.

    The same ``tmp_path`` and ``port`` again is the same server after a restart. Raises PartFailed when it does not start.
    """
    data, logs = tmp_path / "healthchecks", tmp_path / "logs"
    spec = prepare(data, options.pop("port", None) or free_port(), **options)
    logs.mkdir(parents=True, exist_ok=True)
    server = EmbeddedHealthchecks(spec, logs / "healthchecks.log", data)
    try:
        server.start()
        yield server
    finally:
        server.stop()
