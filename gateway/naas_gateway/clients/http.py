"""The one way to call another service: time limit, bounded tries, bounded answer, circuit, metrics.

What matters to the token broker is whether a failed request may have reached the other side: `NeverSent` says surely not,
`NoAnswer` says perhaps.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from naas_client.addresses import is_loopback
from naas_client.errors import Unavailable
from naas_client.logs import REQUEST_ID_HEADER, request_id

from naas_gateway.clients.circuit import Circuit
from naas_gateway.metrics import CIRCUIT_OPEN, OUTSIDE_SECONDS

CONNECT_TIMEOUT = 2.0
LARGEST_ANSWER = 1 << 20
"""Bytes; discovery, keys, userinfo and lists of users are far smaller."""

RETRY_PAUSE = 0.2
"""Seconds before the second and last try of a request that may be repeated."""


class NeverSent(Unavailable):
    """The request surely did not reach the service: refused connection, or held back by the circuit."""


class NoAnswer(Unavailable):
    """The request was perhaps received and acted on; the answer was lost, or was a server error."""


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON. Raises NoAnswer when it is not (a proxy's page, say)."""
        try:
            return httpx.Response(self.status, content=self.body).json()
        except ValueError as error:
            raise NoAnswer("An answer that is not JSON came back; is there a proxy in between? Try again.") from error


@functools.cache
def _tls() -> ssl.SSLContext:
    """One TLS context for all services: making one reads all the system's certificates."""
    return httpx.create_ssl_context()


class Service:
    """One outside service.

    Parameters: ``name``, for metrics and `/health`; ``title``, for people; ``url``, any of its addresses (a loopback one is never
    called through a proxy); ``timeout``, seconds for one whole request; ``largest``, bytes of an answer.
    """

    def __init__(self, name: str, title: str, url: str, *, timeout: float = 8.0, largest: int = LARGEST_ANSWER) -> None:
        self.name, self.title, self.timeout, self._largest = name, title, timeout, largest
        self.circuit = Circuit()
        trust_env = not is_loopback(url)
        limits = httpx.Timeout(timeout, connect=CONNECT_TIMEOUT)
        self._pooled = httpx.AsyncClient(timeout=limits, trust_env=trust_env, verify=_tls())
        # Reusing a connection that the other side is just closing loses a request without a trace of whether it arrived.
        self._fresh = httpx.AsyncClient(
            timeout=limits, trust_env=trust_env, verify=_tls(), limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._pooled.aclose()
        await self._fresh.aclose()

    def require_circuit(self) -> None:
        """Raise NeverSent while calls are held back."""
        if not self.circuit.allows():
            raise NeverSent(f"{self.title} does not answer. Try again in a minute.", code=f"{self.name}-down")

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        repeatable: bool = True,
        checked: bool = False,
    ) -> Answer:
        """One request. Parameters: ``repeatable``, whether a second try may be made (and an old connection used);
        ``checked``, whether the caller has asked `require_circuit` already. Raises NeverSent or NoAnswer.
        """
        if not checked:
            self.require_circuit()
        client = self._pooled if repeatable else self._fresh
        sent = {REQUEST_ID_HEADER: request_id.get(), **(headers or {})} if request_id.get() else dict(headers or {})
        request = client.build_request(method, url, headers=sent, data=data, params=params, content=content)
        try:
            return await self._once(client, request, auth)
        except Unavailable:
            if not repeatable or self.circuit.is_open:
                raise
        await asyncio.sleep(RETRY_PAUSE)
        return await self._once(client, request, auth)

    async def _once(self, client: httpx.AsyncClient, request: httpx.Request, auth: tuple[str, str] | None) -> Answer:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                answer = await _bounded(client, request, auth, self._largest)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise self._failed(NeverSent, type(error).__name__, started) from error
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise self._failed(NoAnswer, type(error).__name__, started) from error
        if answer.status >= 500:
            raise self._failed(NoAnswer, f"status {answer.status}", started)
        self.circuit.succeeded()
        CIRCUIT_OPEN.labels(self.name).set(0)
        OUTSIDE_SECONDS.labels(self.name, "ok").observe(time.monotonic() - started)
        return answer

    def _failed(self, kind: type[Unavailable], why: str, started: float) -> Unavailable:
        self.circuit.failed(why)
        CIRCUIT_OPEN.labels(self.name).set(self.circuit.is_open)
        OUTSIDE_SECONDS.labels(self.name, "failed").observe(time.monotonic() - started)
        return kind(f"{self.title} does not answer. Try again in a minute.", code=f"{self.name}-down")


async def _bounded(
    client: httpx.AsyncClient, request: httpx.Request, auth: tuple[str, str] | None, largest: int
) -> Answer:
    basic = httpx.BasicAuth(*auth) if auth else httpx.USE_CLIENT_DEFAULT
    answer = await client.send(request, stream=True, auth=basic)
    try:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > largest:
                raise httpx.DecodingError("answer too large", request=request)
    finally:
        await answer.aclose()
    return Answer(answer.status_code, bytes(body), {key.lower(): value for key, value in answer.headers.items()})
