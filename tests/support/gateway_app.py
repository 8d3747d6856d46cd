"""The real gateway as a process of its own, beside the embedded IAM; the hub, where a test has none, is `HubStandIn`."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import iam_login
import yaml
from naas_client.files import secret_file, write_private
from naas_client.gateway import API_PATH, SyncGatewayClient
from naas_client.models import Claims, SignIn
from naas_gateway.clock import utcnow
from naas_local.iam import EmbeddedIam
from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port
from pydantic import SecretStr


class _Handler(BaseHTTPRequestHandler):
    """The hub's answers; ``stand_in`` is set by each `HubStandIn`."""

    stand_in: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("token ")
        path = self.path.partition("?")[0]
        if path == "/hub/api/":
            self._answer(200, {"version": "6.1.1"})
        elif path == "/hub/api/user" and token in self.stand_in.tokens:
            self._answer(200, self.stand_in.tokens[token])
        elif path.startswith("/hub/api/users") and token == self.stand_in.service_token:
            self._answer(200, self._users(path.removeprefix("/hub/api/users").strip("/")))
        else:
            self._answer(403, {"status": 403, "message": "Forbidden"})

    def _users(self, name: str) -> Any:
        if name:
            return {"name": name, "servers": {server: {} for server in self.stand_in.running.get(name, [])}}
        users = [{"name": n, "servers": {s: {} for s in servers}} for n, servers in self.stand_in.running.items()]
        return users if "offset=0" in self.path else []

    def do_DELETE(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("token ")
        parts = self.path.removeprefix("/hub/api/users/").split("/")
        if token != self.stand_in.service_token:
            self._answer(403)
            return
        name, server = parts[0], parts[2] if len(parts) > 2 else ""
        if server in self.stand_in.running.get(name, []):
            self.stand_in.running[name].remove(server)
            self.stand_in.stopped.append((name, server))
        self._answer(204)


class HubStandIn:
    """The calls of the hub's REST API that the gateway makes, with the hub's answers; a stand-in for JupyterHub.

    ``tokens`` maps a token to the model that ``GET /user`` answers; ``running`` a person to their servers; ``stopped`` is what was stopped.
    """

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.running: dict[str, list[str]] = {}
        self.stopped: list[tuple[str, str]] = []
        self.service_token = ""
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hub/api"

    def user_token(self, name: str, *scopes: str, kind: str = "user") -> str:
        """A new token of a person; scopes as the hub lists them."""
        token = secrets.token_hex(16)
        self.tokens[token] = {"kind": kind, "name": name, "scopes": list(scopes or ("custom:naas:use",))}
        return token

    @contextlib.contextmanager
    def serving(self) -> Iterator[HubStandIn]:
        """Answer for the length of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)


class Gateway(RestartablePart):
    """One gateway process. ``hub`` is a client with the hub's token."""

    def __init__(self, spec: PartSpec, log: Path, hub_token: str, iam: EmbeddedIam) -> None:
        super().__init__(spec, log)
        self.hub_token, self.iam = hub_token, iam
        self.clients: list[SyncGatewayClient] = []

    def client(self, token: str) -> SyncGatewayClient:
        """A client with somebody's token; closed with the gateway."""
        client = SyncGatewayClient(self.url + API_PATH, token, timeout=30)
        self.clients.append(client)
        return client

    @property
    def hub(self) -> SyncGatewayClient:
        """A client that is the hub."""
        return self.client(self.hub_token)

    def sign_in(self, username: str, **options: Any) -> iam_login.Tokens:
        """Sign in at IAM as a browser does, and hand the grant over as the hub does."""
        tokens = iam_login.sign_in(self.iam, username, **options)
        self.hub.sign_in(sign_in_document(self.iam, username, tokens))
        return tokens


def sign_in_document(iam: EmbeddedIam, username: str, tokens: iam_login.Tokens, **claims: Any) -> SignIn:
    """What the hub sends after a sign-in. Parameters: ``claims``, those to change."""
    found = iam_login.userinfo(iam, tokens.access_token).json()
    groups = [group.lstrip("/") for group in found.get("groups") or found.get("wlcg.groups") or []]
    values = {"issuer": iam.issuer, "subject": found["sub"], "preferred_username": username, "groups": groups}
    return SignIn(
        claims=Claims.model_validate({"fetched_at": utcnow(), **values, **claims}),
        access_token=SecretStr(tokens.access_token),
        refresh_token=SecretStr(tokens.refresh_token) if tokens.refresh_token else None,
        expires_in=tokens.expires_in,
        scope=tokens.scope,
    )


def gateway_settings(folder: Path, iam: EmbeddedIam, /, **sections: Any) -> dict[str, Any]:
    """A settings document for one gateway; secrets are made in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    secret_file(folder / "hub-token")
    write_private(folder / "client-secret", iam.client_secret)
    base: dict[str, dict[str, Any]] = {
        "iam": {"issuer": iam.url, "client_id": iam.client_id, "client_secret_file": str(folder / "client-secret")},
        "gateway": {
            "url": f"http://127.0.0.1:{free_port()}",
            "database_url": f"sqlite+aiosqlite:///{folder / 'gateway.sqlite'}",
            "keys_file": str(folder / "keys"),
            "hub_token_file": str(folder / "hub-token"),
            "hub_api_url": "http://127.0.0.1:9/hub/api",
        },
    }
    return {**sections, **{name: {**given, **sections.get(name, {})} for name, given in base.items()}}


@contextlib.contextmanager
def gateway_app(folder: Path, iam: EmbeddedIam, /, *, name: str = "gateway", **sections: Any) -> Iterator[Gateway]:
    """Run the gateway; a second one with the same ``folder`` and another ``name`` shares database and keys.

    Parameters: ``sections``, settings to change, by section.
    """
    settings = gateway_settings(folder, iam, **sections)
    config = folder / f"{name}.yaml"
    write_private(config, yaml.safe_dump(settings))
    url = settings["gateway"]["url"]
    spec = PartSpec(
        name,
        (sys.executable, "-m", "naas_gateway"),
        ready=f"{url}{API_PATH}/health",
        url=url,
        environment={"NAAS_CONFIG": str(config)},
        stop_limit=20,
    )
    hub_token = (folder / "hub-token").read_text().strip()
    gateway = Gateway(spec, folder / f"{name}.log", hub_token, iam)
    try:
        gateway.start()
        yield gateway
    finally:
        for client in gateway.clients:
            client.close()
        gateway.stop()
