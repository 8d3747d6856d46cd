"""An application that believes a header, as Healthchecks does with ``REMOTE_USER_HEADER``: a stand-in for it, on a real WSGI server.

The server (wsgiref) makes names of headers into names of the environment as every WSGI server does, and joins double ones; the application
takes the person from there as Django's ``request.META`` has it. It answers with what it saw.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

REMOTE_USER_HEADER = "HTTP_X_REMOTE_EMAIL"

Start = Callable[..., Any]


class Application:
    """The application. ``seen``: the environments of all requests; ``go_on``: what slow answers wait for."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        values = {key: value for key, value in environ.items() if key.isupper() and isinstance(value, str)}
        self.seen.append({**values, "body": body})
        path, headers = environ["PATH_INFO"], [("Content-Type", "application/json")]
        if path.endswith("/slow/"):
            self.go_on.wait(30)
        if path == "/cookies/":
            headers += [
                ("Set-Cookie", "sessionid=s1; Domain=127.0.0.1; Path=/; HttpOnly"),
                ("Set-Cookie", "csrftoken=c1; Path=/"),
                ("Set-Cookie", "jupyterhub-session-id=evil; Path=/"),
                ("Set-Cookie", "naas-sign-in=evil; Path=/"),
            ]
        start_response("200 OK", headers)
        if path == "/stream/":
            return self._parts()
        user = environ.get(REMOTE_USER_HEADER, "")
        sent = {"user": user, "method": environ["REQUEST_METHOD"], "path": path, "body": body.decode("latin-1")}
        return [
            json.dumps({**sent, "environ": {key: values[key] for key in values if key.startswith("HTTP_")}}).encode()
        ]

    def _parts(self) -> Iterator[bytes]:
        yield b"first\n"
        self.go_on.wait(30)
        yield b"last\n"


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "local"

    def get_environ(self) -> dict[str, Any]:
        if not isinstance(self.client_address, tuple):  # a Unix socket has none
            self.client_address = ("local", 0)
        return super().get_environ()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SocketServer(_Server):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "application", 80
        self.setup_environ()


@contextlib.contextmanager
def serving(application: Application, port: int = 0, path: Path | None = None) -> Iterator[str]:
    """Serve for the length of the block, on a port of loopback or on a Unix socket; the upstream as settings name it."""
    server: _Server = _SocketServer(str(path), _Handler) if path else _Server(("127.0.0.1", port), _Handler)  # type: ignore[arg-type]
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"unix:{path}" if path else f"http://127.0.0.1:{server.server_port}"
    finally:
        application.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
