"""What a person's server talks to, as real sockets and real http, with answers that a test decides."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from naas_client.models import Event, FolderState, FolderStatus, StorageStatus, Upload
from naas_client.sockets import listen
from naas_local.ports import LOOPBACK

HUB_TOKEN = secrets.token_hex(16)


def folder(root: Path, name: str, **changes: Any) -> FolderStatus:
    """A folder that is well."""
    now = dt.datetime.now(dt.UTC)
    bucket, prefix = ("scratch", "alice") if name == "scratch-alice" else (name, "")
    values = {"state": FolderState.OK, "checked_at": now, "bucket": bucket, "prefix": prefix, **changes}
    return FolderStatus(name=name, path=str(root / "cloud-storage" / name), **values)


def status(root: Path, **changes: Any) -> StorageStatus:
    """alice's storage on a good day, with what a test changes."""
    now = dt.datetime.now(dt.UTC)
    values: dict[str, Any] = {
        "state": "mounted",
        "mode": "fusermount",
        "engine": "rclone v1.75.2",
        "folders": [folder(root, "alice"), folder(root, "scratch", read_only=True), folder(root, "scratch-alice")],
        "credentials_expire_at": now + dt.timedelta(minutes=38, seconds=30),
        "updated_at": now,
    }
    return StorageStatus(**{**values, **changes})


def uploads(*items: tuple[str, int, str]) -> dict[str, Any]:
    """The upload part of a status."""
    listed = [Upload(folder="alice", name=name, size=size, state=state) for name, size, state in items]
    return {
        "uploads": listed,
        "uploads_total": len(listed),
        "bytes_pending": sum(u.size for u in listed),
    }


class AgentSocket:
    """A socket that speaks the mount agent's protocol: ``status`` is answered once, ``watch`` with each change."""

    def __init__(self, path: Path, first: StorageStatus) -> None:
        self._now = first
        self._changed = threading.Condition()
        self._closed = False
        self.watchers = 0
        self.words: list[str] = []
        self._socket = listen(path)
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, new: StorageStatus) -> None:
        """Change the status; watchers are told."""
        with self._changed:
            self._now = new
            self._changed.notify_all()

    def wait_watchers(self, number: int, seconds: float = 10) -> bool:
        """Wait until that many watch."""
        with self._changed:
            return self._changed.wait_for(lambda: self.watchers == number, seconds)

    def close(self) -> None:
        """End like an agent whose process is gone."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rw") as channel:
            word = channel.readline().strip()
            self.words.append(word)
            self._say(channel, self._now)
            if word == "watch":
                self._watch(connection, channel)

    def _watch(self, connection: Any, channel: Any) -> None:
        with self._changed:
            self.watchers += 1
            self._changed.notify_all()
            last = self._now
        try:
            while not self._closed and not self._left(connection):
                with self._changed:
                    self._changed.wait(0.05)
                    new = self._now
                if new is not last:
                    self._say(channel, new)
                    last = new
        finally:
            with self._changed:
                self.watchers -= 1
                self._changed.notify_all()

    @staticmethod
    def _left(connection: Any) -> bool:
        connection.setblocking(False)
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        finally:
            connection.setblocking(True)

    @staticmethod
    def _say(channel: Any, document: StorageStatus) -> None:
        channel.write(document.model_dump_json() + "\n")
        channel.flush()


Reply = Callable[["Asked"], tuple[int, dict[str, str], bytes]]


@dataclass
class Asked:
    """A request as the gateway saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class GatewayStandIn:
    """A small http server in the gateway's place, for what is passed through to it."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)
    news: threading.Condition = field(default_factory=threading.Condition)

    def says(self, path: str, document: Any, status_code: int = 200) -> None:
        """Answer a path with JSON."""
        body = json.dumps(document).encode()
        self.replies[path] = lambda _asked: (status_code, {"Content-Type": "application/json"}, body)

    def emit(self, event: Event) -> None:
        """Add an event; open streams get it."""
        with self.news:
            self.events.append(event)
            self.news.notify_all()


def _handler(gateway: GatewayStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0].removeprefix("/api/v1/")
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
            gateway.asked.append(asked)
            if path == "events":
                self._stream(int(self.headers.get("Last-Event-ID") or 0))
                return
            reply = gateway.replies.get(path)
            code, headers, body = reply(asked) if reply else (404, {}, b"")
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names of http.server

        def _stream(self, last: int) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not gateway.closing.is_set():
                    with gateway.news:
                        gateway.news.wait(0.05)
                        fresh = [e for e in gateway.events if e.id > last]
                    for event in fresh:
                        last = event.id
                        self.wfile.write(f"id: {event.id}\ndata: {event.model_dump_json()}\n\n".encode())
                    self.wfile.write(b": heartbeat\n\n")
                    self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def stand_in_gateway() -> Iterator[GatewayStandIn]:
    """The stand-in, listening."""
    stand_in = GatewayStandIn()
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(stand_in))
    server.daemon_threads = True
    stand_in.url = f"http://{LOOPBACK}:{server.server_address[1]}/api/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield stand_in
    finally:
        stand_in.closing.set()
        server.shutdown()
        server.server_close()
