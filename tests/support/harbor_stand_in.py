"""A stand-in for Harbor: the few calls of its API that we make, with Harbor's answers and oddities. Harbor itself cannot run here.

Its oddities: a wrong secret is answered as if nobody had signed in, a repository's name is encoded twice, lists have `X-Total-Count`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPORT = "application/vnd.security.vulnerability.report; version=1.1"


class _Handler(BaseHTTPRequestHandler):
    stand_in: HarborStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @property
    def _person(self) -> str:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        name, _, secret = base64.b64decode(value).decode().partition(":") if scheme == "Basic" else ("", "", "")
        return name if name and self.stand_in.secrets.get(name) == secret else ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.stand_in.asked.append(parts.path)
        steps = parts.path.removeprefix("/api/v2.0/").split("/")
        if parts.path == "/v2/":
            bearer = f'Bearer realm="{self.stand_in.realm}",service="harbor-registry"'
            known = self._person or self.headers.get("Authorization") in ("Bearer for-alice", "Bearer for-bob")
            self._answer(200, {}) if known else self._answer(401, {}, WWW_Authenticate=bearer)
        elif parts.path == "/service/token":
            self._answer(200, {"token": f"for-{self._person}"}) if self._person else self._answer(401, {})
        elif steps == ["projects"]:
            self._page([{"name": name} for name in self.stand_in.projects if self._sees(name)], query)
        elif steps[0] == "projects" and not self._sees(steps[1]):
            self._answer(401 if not self._person else 403, {"errors": [{"code": "FORBIDDEN"}]})
        elif steps[0] == "projects" and steps[2:] == ["repositories"]:
            self._page(self.stand_in.repositories(steps[1]), query)
        elif steps[0] == "projects" and steps[-1] == "artifacts":
            name = f"{steps[1]}/{unquote(unquote(steps[3]))}"
            found = self.stand_in.artifacts.get(name)
            newest = sorted(found or [], key=lambda one: str(one["push_time"]), reverse=True)
            only = query["q"].removeprefix("tags=")
            newest = [one for one in newest if _tagged(one, only)]
            self._page(newest, query) if found is not None else self._answer(404, {"errors": [{"code": "NOT_FOUND"}]})
        else:
            self._answer(404, {})

    def _sees(self, project: str) -> bool:
        members = self.stand_in.projects.get(project)
        return members is not None and (not members or self._person in members)

    def _page(self, rows: list[Any], query: dict[str, str]) -> None:
        page, size = int(query.get("page", 1)), int(query.get("page_size", 10))
        assert size <= 100
        self._answer(200, rows[(page - 1) * size : page * size], X_Total_Count=str(len(rows)))


class HarborStandIn:
    """``secrets``: user → CLI secret; ``projects``: project → its members (none: public); ``artifacts``: repository → what Harbor lists."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.projects: dict[str, list[str]] = {}
        self.artifacts: dict[str, list[dict[str, Any]]] = {}
        self.descriptions: dict[str, str] = {}
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self.realm = f"{self.url}/service/token"

    def put(self, repository: str, *tags: str, pushed: str = "2026-11-09T08:00:00.000Z", **counts: int) -> None:
        """An artifact. Parameters: ``counts``, what its scan found, by severity; none: it was not scanned."""
        summary = {"total": sum(counts.values()), "summary": {key.capitalize(): n for key, n in counts.items()}}
        worst = next((key.capitalize() for key in ("critical", "high", "low") if counts.get(key)), "None")
        report = {
            "scan_status": "Success",
            "severity": worst,
            "summary": summary,
            "end_time": "2026-11-09T09:00:00.000Z",
        }
        artifact = {
            "digest": f"sha256:{'0' * 64}",
            "size": 3 * 2**30,
            "push_time": pushed,
            "tags": [{"name": tag} for tag in tags],
            **({"scan_overview": {REPORT: report}} if counts else {}),
        }
        self.artifacts.setdefault(repository, []).append(artifact)

    def repositories(self, project: str) -> list[dict[str, Any]]:
        """As Harbor lists them."""
        return [
            {
                "name": name,
                "description": self.descriptions.get(name),
                "update_time": "2026-11-09T08:00:00.000Z",
                "artifact_count": len(artifacts),
            }
            for name, artifacts in sorted(self.artifacts.items())
            if name.startswith(f"{project}/")
        ]

    @contextlib.contextmanager
    def serving(self) -> Iterator[HarborStandIn]:
        """Answer for the length of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)


def _tagged(artifact: dict[str, Any], wanted: str) -> bool:
    """As Harbor's ``q=tags=…`` has it: a tag, or ``*`` for any."""
    names = [tag["name"] for tag in artifact["tags"]]
    return bool(names) if wanted == "*" else wanted in names
