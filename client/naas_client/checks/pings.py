"""One ping and how it is sent (https://healthchecks.io/docs/http_api/)."""

from __future__ import annotations

import datetime as dt
import re

import httpx
from pydantic import Field

from naas_client.addresses import is_loopback
from naas_client.checks import addresses
from naas_client.durations import written
from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, NotSignedIn, Unavailable
from naas_client.models.base import Document

LONGEST_TEXT = 9_000
"""Bytes of what a ping says, the last ones; Healthchecks keeps 10 000 with our line about late ones."""

LATE = 15.0
"""Seconds after which a ping says when it was meant."""

KEPT = 24 * 3600.0
"""Seconds that a ping is tried; an older one says nothing of use."""

LIMIT = httpx.Timeout(10, connect=5)
SIGNALS = re.compile(r"|start|fail|log|[0-9]{1,3}")


class GaveUp(Exception):
    """A ping that no later try would bring there; the text says why."""


class Ping(Document):
    """What to tell a check: that a run began, ended well or badly, or just something for its log."""

    check: str = Field(description="name of a check, or its ping address")
    project: int | None = None
    signal: str = Field(
        default="",
        description="empty: success; `start`, `fail`, `log`, or an exit status",
        pattern=f"^(?:{SIGNALS.pattern})$",
    )
    run: str = Field(default="", description="UUID of the run that a start and an end belong to")
    text: str = ""
    at: dt.datetime

    @property
    def age(self) -> float:
        """Seconds since it was meant."""
        return (dt.datetime.now(dt.UTC) - self.at).total_seconds()

    def body(self) -> bytes:
        """What it says, and when it was meant, if that is a while ago."""
        text = self.text.encode("utf-8", "replace")[-LONGEST_TEXT:].decode("utf-8", "ignore").encode()
        if self.age < LATE:
            return text
        return (
            f"This ping is {written(self.age)} late: it was meant for {self.at:%Y-%m-%d %H:%M:%S} UTC.\n".encode()
            + text
        )


def send(ping: Ping) -> None:
    """Send one ping, once. Raises Unavailable when a later try may succeed, GaveUp when none would."""
    if ping.age > KEPT:
        raise GaveUp(f"it is {written(ping.age)} old")
    try:
        answer = _post(ping, _address(ping))
        if answer.status_code == 404 and addresses.forget(ping.check, ping.project):
            answer = _post(ping, _address(ping))  # the check was deleted; it is made anew
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"the Healthchecks server does not answer ({type(error).__name__})") from None
    if answer.status_code == 429 or answer.status_code >= 500:
        raise Unavailable(f"the Healthchecks server answers with status {answer.status_code}")
    if not answer.is_success:
        raise GaveUp(f"the Healthchecks server refuses it: {answer.text[:100]!r}")


def _address(ping: Ping) -> str:
    try:
        return addresses.find(ping.check, ping.project)
    except (Forbidden, NotFound, NotSignedIn, InvalidInput) as error:
        raise GaveUp(error.message) from None
    except NaasError as error:
        raise Unavailable(error.message) from None


def _post(ping: Ping, address: str) -> httpx.Response:
    url = f"{address.rstrip('/')}/{ping.signal}".rstrip("/")
    params = {"rid": ping.run} if ping.run else {}
    return httpx.post(
        url,
        params=params,
        content=ping.body(),
        timeout=LIMIT,
        headers={"User-Agent": "naas"},
        trust_env=not is_loopback(url),
        verify=url.startswith("https:"),  # for plain http, no certificates need to be read
    )
