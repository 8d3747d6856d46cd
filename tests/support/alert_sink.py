"""Where alerts arrive: a real SMTP server and a web server on loopback that keep what they are given."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from naas_local.ports import LOOPBACK, free_port


class MailSink:
    """E-mails as they came. ``refuse``: what is answered instead of taking them, for so many."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: list[str] = []
        self.port = free_port()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 taken"

    def subjects(self) -> list[str]:
        """What the e-mails are about, in the order they came."""
        return [mail["Subject"] for mail in self.mails]


@contextlib.contextmanager
def mail_sink() -> Iterator[MailSink]:
    """An SMTP server."""
    sink = MailSink()
    controller = Controller(sink, hostname=LOOPBACK, port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


class WebSink:
    """What was posted, per path. ``answers``: statuses of the next answers, then 200."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        self.url = ""


@contextlib.contextmanager
def web_sink(port: int = 0) -> Iterator[WebSink]:
    """A web server."""
    sink = WebSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = sink.answers.pop(0) if sink.answers else 200
            sink.posted.append((self.path, json.loads(body)))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{sink.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    sink.url = f"http://{LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
