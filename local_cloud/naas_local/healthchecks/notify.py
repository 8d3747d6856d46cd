"""Telling people of a change: by e-mail (SMTP) and by webhook."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from naas_client.settings import MailSection, read_secret
from yarl import URL

from naas_local.healthchecks.settings import HealthchecksConfig

LIMIT = 20.0
"""Seconds for one attempt."""
MAILS_AT_ONCE = 4
LONGEST_ERROR = 200


class NotSent(Exception):
    """An alert was not delivered. Parameters: ``again``, whether another try can help."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason[:LONGEST_ERROR])
        self.again = again


@dataclass(frozen=True)
class Alert:
    """What is told: which check is "up" or "down", since when (ISO 8601), and to whom."""

    kind: str
    value: str
    code: str
    name: str
    slug: str
    tags: str
    status: str
    since: str
    reason: str
    url: str

    @property
    def title(self) -> str:
        """What people call the check."""
        return self.name or self.code

    def document(self) -> dict[str, str]:
        """What a webhook is sent."""
        names = ("code", "name", "slug", "tags", "status", "since", "reason", "url")
        return {name: str(getattr(self, name)) for name in names}


class Notifier:
    """Sends alerts. Parameters: ``config``, of the server. Raises InvalidInput when the mail server's password cannot be read."""

    def __init__(self, config: HealthchecksConfig) -> None:
        self._mail, self._private = config.mail, config.private_webhooks
        self._password = _password(self._mail) if self._mail.user else ""
        self._http: aiohttp.ClientSession | None = None
        self._threads = ThreadPoolExecutor(MAILS_AT_ONCE, "mail")

    async def __aenter__(self) -> Self:
        resolver = ThreadedResolver() if self._private else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit_per_host=4)
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=LIMIT))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._http is not None:
            await self._http.close()

    async def send(self, alert: Alert) -> None:
        """Deliver an alert. Raises NotSent."""
        if alert.kind == "email":
            await self._send_mail(alert)
        else:
            await self._call(alert)

    async def _send_mail(self, alert: Alert) -> None:
        if not self._mail.host:
            raise NotSent("This service sends no e-mail: mail.host is not set.", again=False)
        try:
            message = _message(self._mail, alert)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, _deliver, self._mail, self._password, message)
        except smtplib.SMTPRecipientsRefused as error:
            refused = next(iter(error.recipients.values()))
            raise NotSent(f"The address was refused ({refused[0]}).", again=refused[0] < 500) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotSent(f"{self._mail.host} did not take the e-mail: {type(error).__name__}.") from None

    async def _call(self, alert: Alert) -> None:
        assert self._http is not None  # noqa: S101 - inside `async with`
        if not self._private and not _is_public(alert.value):
            raise NotSent("The address is this machine's or a private network's.", again=False)
        try:
            # A redirect could lead to where the first address may not.
            async with self._http.post(alert.value, json=alert.document(), allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise NotSent(f"The address answered with status {answer.status}.", again=answer.status >= 429)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotSent(f"The address could not be called: {type(error).__name__}.") from None


def _message(mail: MailSection, alert: Alert) -> EmailMessage:
    message = EmailMessage()
    title = " ".join(alert.title.split())
    message["Subject"] = f"{alert.status.upper()} | {title}"
    message["From"], message["To"], message["Date"] = mail.sender, alert.value, formatdate()
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2] or None)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from an absent person
    why = {"timeout": "no ping came in time", "fail": "a failure was reported"}.get(alert.reason, "pings come again")
    tags = f"Tags: {alert.tags}\n" if alert.tags else ""
    message.set_content(f'"{title}" is {alert.status.upper()} since {alert.since}: {why}.\n\n{tags}{alert.url}\n')
    return message


def _password(mail: MailSection) -> str:
    return read_secret(mail.password_file, "mail.password_file", shortest=6)


def _deliver(mail: MailSection, password: str, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if mail.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=LIMIT, context=context)
    else:
        smtp = smtplib.SMTP(mail.host, mail.port, timeout=LIMIT)
    with smtp:
        if mail.security == "starttls":
            smtp.starttls(context=context)
        if mail.user:
            smtp.login(mail.user, password)
        smtp.send_message(message)


_CARRY_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""IPv6 addresses that are IPv4 ones for a gateway (RFC 6052, RFC 3056): any, also private ones."""


def _is_public(url: str) -> bool:
    """False for an address that is written as a number and not a public one; names are looked at when they are resolved."""
    host = URL(url).host or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not re.fullmatch(r"[0-9.]*", host)  # 127.1 is what inet_aton(3) takes for 127.0.0.1
    return address.is_global and not any(address in net for net in _CARRY_IPV4 if net.version == address.version)


class PublicResolver(AbstractResolver):
    """Finds the addresses of a name, and none that are loopback's or a private network's.

    The check is on the very addresses that are then connected to, so a name cannot change between the two (DNS rebinding).
    """

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a host. Raises OSError when it has none."""
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if ipaddress.ip_address(one["host"]).is_global]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Nothing to close."""
        await self._resolver.close()
