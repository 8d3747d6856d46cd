"""What happens around every request: its id, a bound on its body, its log line and its metrics."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping

from naas_client.catalogue import LARGEST_CHECK
from naas_client.errors import InvalidInput, NaasError
from naas_client.gateway import API_PATH
from naas_client.logs import REQUEST_ID_HEADER, new_request_id
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from naas_gateway.api.errors import error_response
from naas_gateway.metrics import REQUEST_SECONDS, REQUESTS
from naas_gateway.services import audit

log = logging.getLogger("naas_gateway.requests")

LARGEST_BODY = 64 * 1024
"""Bytes; the largest body we expect, but for inputs of services, is a sign-in with two tokens and many groups."""

_INPUTS = re.compile(rf"{API_PATH}/catalogue/[^/]+/validate")

BODY_LIMIT = 15.0
"""Seconds a caller has to send the body."""

QUIET = frozenset({"/health", "/services/naas/metrics"})
"""Asked by machines every few seconds; logged only when they fail."""


class TooLarge(NaasError):
    """The body is larger than anything this API takes."""

    status = 413
    default_code = "too-large"


class RequestFrame:
    """Pure ASGI, so that event streams are passed through as they are made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value for key, value in scope["headers"]}
        given = headers.get(REQUEST_ID_HEADER.lower().encode(), b"").decode("latin-1")
        identifier = new_request_id(given)
        audit.address.set(str(scope["client"][0]) if scope.get("client") else "")
        started, status = time.monotonic(), [500]

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER.lower().encode(), identifier.encode())]
            await send(message)

        try:
            await self._serve(scope, headers, receive, send_with_id)
        finally:
            _note(scope, status[0], time.monotonic() - started)

    async def _serve(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        try:
            largest = LARGEST_CHECK if _INPUTS.fullmatch(scope["path"]) else LARGEST_BODY
            body = await read_body(headers, receive, largest)
        except NaasError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, largest: int) -> bytes:
    """The whole body, bounded in size (bytes) and time. Raises TooLarge or InvalidInput."""
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return b""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > largest:
        raise TooLarge(f"The request is larger than {largest} bytes. Nothing was changed.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_LIMIT):
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if len(body) > largest:
                    raise TooLarge(f"The request is larger than {largest} bytes. Nothing was changed.")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise InvalidInput("The request took too long to arrive. Try again.") from None
    raise InvalidInput("The request ended early. Try again.")


def _replay(body: bytes, receive: Receive) -> Receive:
    pending = [True]

    async def replay() -> Message:
        if pending.pop() if pending else False:
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


def _note(scope: Scope, status: int, seconds: float) -> None:
    """Metrics and log know the route's template, never the path: paths may hold anything."""
    route = getattr(scope.get("route"), "path", "unmatched").removeprefix(API_PATH)
    REQUESTS.labels(route, scope["method"] if route != "unmatched" else "other", str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    level = logging.DEBUG if route in QUIET and status < 500 else logging.INFO
    caller = scope.get("state", {}).get("caller", "")
    log.log(level, "%s %s %d %.1f ms %s", scope["method"][:10], route, status, seconds * 1000, caller)
