"""A man in the middle between a gateway and the embedded IAM: sees every request, and can lose or hold back answers.

The IAM is configured for the recorder's address, so it names that one in its discovery document, and listens elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from naas_client.files import write_private_json
from naas_local.iam import EmbeddedIam, embedded_iam
from naas_local.ports import free_port

LIMIT = 30.0


class Recorder:
    """What went to IAM's token endpoint, and what happens with the answers to refreshes.

    ``refreshes`` counts how often each refresh token was sent. ``lose``: so many next answers are lost on the way, after IAM has made
    them. ``hold``: while set, answers wait; ``held`` says that one does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.held, self.go_on = threading.Event(), threading.Event()
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, and let everything pass."""
        self.held.clear()
        self.go_on.clear()
        self.refreshes: Counter[str] = Counter()
        self.grants: Counter[str] = Counter()
        self.refused: list[str] = []
        self.lose = 0
        self.status: int | None = None
        self.hold = False

    def sent(self, form: dict[str, list[str]]) -> bool:
        """Note a token request; whether it is a refresh."""
        grant = form.get("grant_type", [""])[0].rpartition(":")[2]
        with self._lock:
            self.grants[grant] += 1
            if grant == "refresh_token":
                self.refreshes[form["refresh_token"][0]] += 1
        return grant == "refresh_token"

    def may_answer(self) -> bool:
        """Whether the answer to a refresh reaches the caller; waits while answers are held back."""
        with self._lock:
            if self.lose > 0:
                self.lose -= 1
                return False
        if self.hold:
            self.held.set()
            self.go_on.wait(LIMIT)
        return True


def _handler(recorder: Recorder, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            refresh = self.path == "/token" and recorder.sent(parse_qs(body.decode()))
            if refresh and recorder.status is not None:
                self._send(recorder.status, [], b"{}")
                return
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
            try:
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                data = answer.read()
            except OSError:
                self.close_connection = True
                return
            finally:
                upstream.close()
            if refresh and answer.status != 200:
                recorder.refused.append(data.decode())
            if refresh and not recorder.may_answer():
                self.close_connection = True
                return
            with contextlib.suppress(OSError):
                self._send(answer.status, answer.getheaders(), data)

        def _send(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "connection", "transfer-encoding", "keep-alive", "date"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _pass  # noqa: N815 - the base class's names

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A gateway that was killed left a connection; that is what the tests are about."""


@contextlib.contextmanager
def recorded_iam(folder: Path, **options: Any) -> Iterator[tuple[EmbeddedIam, Recorder]]:
    """The embedded IAM behind a recorder; ``options`` are those of `embedded_iam`."""
    recorder, behind = Recorder(), free_port()
    with embedded_iam(folder, **options) as iam:
        iam.stop()
        config = iam.data / "config.json"
        write_private_json(config, {**json.loads(config.read_text()), "port": behind})
        port = int(iam.url.rpartition(":")[2])
        server = _Server(("127.0.0.1", port), _handler(recorder, behind))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            iam.start()
            yield iam, recorder
        finally:
            recorder.go_on.set()
            server.shutdown()
            server.server_close()
            thread.join(5)
