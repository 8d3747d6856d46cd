"""Where alerts arrive: a real SMTP server and a web server on loopback that keep what they are given."""

from __future__ import annotations

import contextlib
import datetime as dt
import email
import email.policy
import json
import ssl
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
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
def mail_sink(security: str = "none", context: ssl.SSLContext | None = None, password: str = "") -> Iterator[MailSink]:
    """An SMTP server; with TLS from the first byte (``tls``) or after STARTTLS, and then only for who signs in with a password."""
    sink = MailSink()

    def signs_in(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == password.encode(), handled=False)

    options: dict[str, Any] = {"authenticator": signs_in, "auth_required": security == "starttls"} if password else {}
    if security == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}  # aiosmtpd counts only what came after STARTTLS
    elif security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(sink, hostname=LOOPBACK, port=sink.port, **options)
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


def certificate(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a host that signs itself: the file that makes programs trust it, and what a server shows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, secret)
    return shown, context
