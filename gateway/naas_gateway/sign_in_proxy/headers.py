"""What of a request and of an answer passes.

The application runs behind WSGI or CGI, where headers become names like ``HTTP_X_REMOTE_EMAIL`` (PEP 3333, RFC 3875 §4.1.18):
several spellings are one name there. So only plain spellings pass, and none that would become ours.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from naas_client.addresses import is_loopback
from naas_client.errors import InvalidInput
from naas_client.sign_in import SignInSection

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""RFC 9110 §7.6.1; those that ``Connection`` names are added."""

SET_HERE = frozenset({b"host", b"content-length", b"expect", b"cookie", b"forwarded", b"x-real-ip"})
"""Not taken over from outside: we say them ourselves, or nobody does; like all ``X-Forwarded-…``."""

_PLAIN = re.compile(rb"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class Visitor:
    """Who a request is from. ``email``: empty for nobody in particular, who has no cookies either."""

    address: str
    email: str = ""


def folded(name: bytes) -> bytes:
    """A header's name as the most lenient server would fold it: everything but letters and digits is an underscore."""
    return re.sub(rb"[^A-Z0-9]", b"_", name.upper())


def _named_by_connection(headers: Headers) -> set[bytes]:
    values = (value for name, value in headers if name.lower() == b"connection")
    return {token.strip().lower() for value in values for token in value.split(b",")}


def check_framing(headers: Headers) -> None:
    """Refuse a request whose length two servers could read differently (RFC 9112 §6.1, §6.3). Raises InvalidInput."""
    names = [name.lower() for name, _ in headers]
    codings = [value.strip().lower() for name, value in headers if name.lower() == b"transfer-encoding"]
    if names.count(b"content-length") + len(codings) > 1 or codings not in ([], [b"chunked"]):
        raise InvalidInput("The request says its length in two ways. Send one Content-Length, or chunks.")


def for_application(headers: Headers, settings: SignInSection, visitor: Visitor, length: int | None) -> Headers:
    """The headers to send. Parameters: ``length`` of the body in bytes; None: there is no body."""
    ours = folded(settings.header.encode())
    dropped = HOP_BY_HOP | SET_HERE | _named_by_connection(headers)
    passed = [
        (name, value)
        for name, value in headers
        if _PLAIN.fullmatch(name)
        and name.lower() not in dropped
        and not name.lower().startswith(b"x-forwarded-")
        and folded(name) != ours
    ]
    public = urlsplit(settings.public_url)
    host = public.netloc.encode()
    passed += [
        (b"Host", host),
        (b"X-Forwarded-Host", host),
        (b"X-Forwarded-Proto", public.scheme.encode()),
        (b"X-Forwarded-For", visitor.address.encode()),
        (b"Connection", b"close"),
    ]
    if length is not None:
        passed.append((b"Content-Length", str(length).encode()))
    if visitor.email:
        passed.append((settings.header.encode(), visitor.email.encode("ascii")))
        if cookies := _cookies(headers, settings.cookies):
            passed.append((b"Cookie", cookies))
    return passed


def _cookies(headers: Headers, names: Iterable[str]) -> bytes:
    """The application's own cookies; those of the hub, of other servers of this host and ours are nothing to it."""
    kept = {name.encode() for name in names}
    pairs = [pair.strip() for name, value in headers if name.lower() == b"cookie" for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair.partition(b"=")[0] in kept)


def for_browser(headers: Headers, settings: SignInSection) -> Headers:
    """The headers of the application's answer that pass: cookies only its own, and only for this host."""
    dropped = HOP_BY_HOP | _named_by_connection(headers) | {b"date"}
    passed: Headers = []
    for name, value in headers:
        if name.lower() == b"set-cookie":
            if cookie := _own_cookie(value, settings.cookies):
                passed.append((b"set-cookie", cookie))
        elif name.lower() not in dropped:
            passed.append((name.lower(), value))
    return passed


def _own_cookie(value: bytes, names: Iterable[str]) -> bytes:
    """A ``Set-Cookie`` without ``Domain``; empty when the name is not one of the application's."""
    pair, *attributes = value.split(b";")
    if pair.partition(b"=")[0].strip().decode("latin-1") not in names:
        return b""
    kept = [attribute for attribute in attributes if attribute.partition(b"=")[0].strip().lower() != b"domain"]
    return b";".join([pair, *kept])


def address_of(peer: str, headers: Headers) -> str:
    """Where a request comes from: the peer, or what a proxy on this machine says about it (the last address it added)."""
    forwarded = [value for name, value in headers if name.lower() == b"x-forwarded-for"]
    if not forwarded or not is_loopback(f"http://{f'[{peer}]' if ':' in peer else peer}"):
        return peer
    last = forwarded[-1].rpartition(b",")[2].strip().decode("latin-1")
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return peer
