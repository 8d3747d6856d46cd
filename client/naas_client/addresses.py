"""Addresses that tokens may be sent to: https, or http to this machine itself; and what an e-mail address looks like."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from naas_client.errors import InvalidInput

LONGEST = 2000
EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,180}")
"""An e-mail address that mail can be sent to (RFC 5321 §4.5.3.1.1), without a name and one alone."""


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own (RFC 6761 §6.3, RFC 1122 §3.2.1.3)."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def safe_address(url: str, what: str, *, loopback: bool = True) -> str:
    """The address, unchanged.

    Parameters: ``what``, its name for people; ``loopback``, whether plain http to this machine will do. Raises InvalidInput.
    """
    parts = _split(url, what)
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(f"{what}: leave name and password out of the address.")
    if parts.scheme == "https" or (loopback and parts.scheme == "http" and is_loopback(url)):
        return url
    raise InvalidInput(f"{what}: an address of another machine must start with https://.", code="not-https")


def service_address(url: str) -> str:
    """The address of a service as it is kept: of any page of its hub, in one spelling. Raises InvalidInput."""
    parts = _split(safe_address(url, "URL"), "URL")
    path = parts.path.partition("/hub/")[0].removesuffix("/hub").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _split(url: str, what: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.hostname and (parts.port or 1) and len(url) <= LONGEST and url.isascii() and url.isprintable()
    except ValueError:
        usable = None
    if not usable or " " in url or "\\" in url:
        raise InvalidInput(f"{what}: not a web address. Write it like https://hub.example.org.")
    return parts
