"""The platform's API as this server reaches it, with the server's own hub token."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
from naas_client.catalogue import LARGEST_CHECK
from naas_client.errors import NotSignedIn, Unavailable, error_from_answer
from naas_client.logs import REQUEST_ID_HEADER

LONGEST_ANSWER = 4 * 2**20
"""Bytes; the largest list the panel asks for, checks with long descriptions, is smaller."""

LONGEST_BODY = 64 * 1024
"""Bytes of a request; a form of ours is some hundred bytes."""

TIMEOUT = httpx.Timeout(20, connect=5)
"""Seconds; the gateway's own outside calls end before."""

STREAM_SILENCE = 60.0
"""Seconds without a byte, not even a heartbeat, after which an event stream counts as dead."""


@dataclass(frozen=True)
class Route:
    """One of the gateway's addresses that the browser may use through us, and how.

    Parameters: ``path``, a regular expression; what it matches is the path at the gateway; ``longest``, bytes of a request.
    """

    path: str
    methods: frozenset[str]
    parameters: frozenset[str] = field(default_factory=frozenset)
    longest: int = LONGEST_BODY


_LIST = frozenset({"limit", "cursor"})
_CHECKS = frozenset({"tag", "search", "state"}) | _LIST
_PROJECT = "healthchecks/projects/[1-9][0-9]{0,9}"
_CHECK = f"{_PROJECT}/checks/[0-9a-f-]{{36,40}}"

ROUTES = {
    route.path: route
    for route in (
        Route("me", frozenset({"GET"})),
        Route("health", frozenset({"GET"})),
        Route("tokens", frozenset({"POST"})),
        Route("s3-keys", frozenset({"GET", "POST"})),
        Route("s3-keys/[1-9][0-9]{0,9}", frozenset({"DELETE"})),
        Route("catalogue", frozenset({"GET"}), frozenset({"group", "search", "category", "limit", "cursor"})),
        Route("catalogue/[a-z0-9][a-z0-9-]{0,63}", frozenset({"GET"}), frozenset({"group"})),
        Route("catalogue/[a-z0-9][a-z0-9-]{0,63}/form", frozenset({"GET"}), frozenset({"template", "group"})),
        Route("catalogue/[a-z0-9][a-z0-9-]{0,63}/validate", frozenset({"POST"}), longest=LARGEST_CHECK),
        Route("registry-logins", frozenset({"GET"})),
        Route("registry-logins/[a-z0-9.:-]{1,260}", frozenset({"PUT", "DELETE"})),
        Route("images", frozenset({"GET"}), frozenset({"search", "registry", "project", "limit", "cursor"})),
        Route("images/tags", frozenset({"GET"}), frozenset({"image", "tag", "limit", "cursor"})),
        Route("healthchecks/projects", frozenset({"GET", "POST"})),
        Route(_PROJECT, frozenset({"PATCH", "DELETE"})),
        Route("healthchecks/checks", frozenset({"GET"}), _CHECKS),
        Route(f"{_PROJECT}/checks", frozenset({"GET", "POST"}), _CHECKS),
        Route(f"{_PROJECT}/(?:channels|badges)", frozenset({"GET"})),
        Route(_CHECK, frozenset({"GET", "PATCH", "DELETE"})),
        Route(f"{_CHECK}/(?:pause|resume)", frozenset({"POST"})),
        Route(f"{_CHECK}/pings", frozenset({"GET"}), _LIST),
        Route(f"{_CHECK}/pings/[1-9][0-9]{{0,9}}/body", frozenset({"GET"})),
        Route(f"{_CHECK}/flips", frozenset({"GET"}), frozenset({"since", "until"}) | _LIST),
        Route("healthchecks/schedule/preview", frozenset({"POST"})),
        Route("stop-reasons", frozenset({"GET"}), _LIST),
        Route("stop-reasons/seen", frozenset({"POST"})),
    )
}
"""What is not here is not passed: `hub/…` and `audit` are not a browser's business, and temporary S3 credentials stay with the agent.
A long-lived key is for another program, so its secret is shown to its owner once."""


@dataclass(frozen=True)
class Answer:
    """What the gateway said: a status and a JSON document (empty for 204)."""

    status: int
    body: bytes


class Gateway:
    """Parameters: ``url``, the API's address, empty when this server does not belong to a platform."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: httpx.AsyncClient | None = None

    async def send(
        self, method: str, path: str, *, request_id: str, parameters: dict[str, str], body: bytes | None
    ) -> Answer:
        """Pass one request on.

        Raises Unavailable (``no-gateway``, ``gateway-down``, ``gateway-timeout``, ``gateway-answer``) or NotSignedIn. Error
        answers in our own shape are passed on as they are; a foreign one, a proxy's say, becomes the matching `NaasError`.
        """
        headers = {**self._headers(request_id), **({"Content-Type": "application/json"} if body is not None else {})}
        async with self._request(method, path, headers, parameters, body, TIMEOUT) as answer:
            content = await self._read(answer)
        if answer.status_code == 204:
            return Answer(204, b"")
        if not _is_json(answer):
            raise error_from_answer(max(answer.status_code, 500), None)
        return Answer(answer.status_code, content)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, request_id: str, last_event_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an event stream, after ``last_event_id``. Raises as `send` does, and when the stream is refused."""
        headers = {**self._headers(request_id), "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        timeout = httpx.Timeout(TIMEOUT.connect, read=STREAM_SILENCE)
        async with self._request("GET", path, headers, {}, None, timeout) as answer:
            if answer.status_code != 200:
                raise error_from_answer(answer.status_code, None)
            yield answer.aiter_bytes()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        parameters: dict[str, str],
        body: bytes | None,
        timeout: httpx.Timeout,
    ) -> AsyncIterator[httpx.Response]:
        if self._client is None:  # made here because a client belongs to the running event loop
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
        try:
            async with self._client.stream(
                method, f"{self.url}/{path}", params=parameters, headers=headers, content=body, timeout=timeout
            ) as answer:
                yield answer
        except httpx.TimeoutException as error:
            raise Unavailable(
                "The platform did not answer in time. Your notebook runs; try again in a moment.",
                code="gateway-timeout",
            ) from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unavailable(
                "The platform does not answer. Your notebook and files go on working; try again in a moment.",
                code="gateway-down",
            ) from error

    def _headers(self, request_id: str) -> dict[str, str]:
        if not self.url:
            raise Unavailable(
                "This server is not connected to the platform. Start it from the hub to use the platform's services.",
                code="no-gateway",
            )
        token = os.environ.get("JUPYTERHUB_API_TOKEN", "")  # read at call time: the hub may give a new one
        if not token:
            raise NotSignedIn("This server has no token of the hub. Stop and start it from the hub's home page.")
        return {"Authorization": f"Bearer {token}", "Accept": "application/json", REQUEST_ID_HEADER: request_id}

    @staticmethod
    async def _read(answer: httpx.Response) -> bytes:
        content = bytearray()
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > LONGEST_ANSWER:
                raise Unavailable("The platform's answer is too large. Report this to support.", code="gateway-answer")
        return bytes(content)


def _is_json(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").split(";")[0].strip() == "application/json"
