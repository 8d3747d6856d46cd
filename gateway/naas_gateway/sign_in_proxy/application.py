"""The application behind the sign-in: one request to it, and its answer as it comes.

Requests are sent whole, so that a slow sender holds none of its workers; answers are streamed.
"""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from naas_client.errors import Unavailable
from naas_client.sign_in import SignInSection
from starlette.responses import StreamingResponse

from naas_gateway.sign_in_proxy.headers import Headers, for_browser

CONNECT_LIMIT = 5.0
ANSWER_LIMIT = 60.0
"""Seconds until an answer begins, and between two parts of one."""

AT_ONCE = 100
"""Requests that the application is sent at a time; others wait `CONNECT_LIMIT` for their turn."""

TITLE = "Healthchecks"


class ApplicationAway(Unavailable):
    """It cannot be reached, or hangs up."""

    status = 502
    default_code = "application-away"


class ApplicationSlow(Unavailable):
    """It does not answer in time."""

    status = 504
    default_code = "application-slow"


class Application:
    """One application. Parameters: ``answer_limit``, seconds."""

    def __init__(self, settings: SignInSection, *, answer_limit: float = ANSWER_LIMIT) -> None:
        self._settings = settings
        self._url = "http://application" if settings.socket else settings.upstream
        # A connection is used once: what a request left behind in it could not reach the next person.
        self._transport = httpx.AsyncHTTPTransport(
            uds=str(settings.socket) if settings.socket else None,
            limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0),
            verify=False,  # plain http on this machine: no certificates are read
        )
        self._timeout = httpx.Timeout(answer_limit, connect=CONNECT_LIMIT, pool=CONNECT_LIMIT).as_dict()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def send(self, method: str, target: bytes, headers: Headers, body: bytes) -> StreamingResponse:
        """Send one request; its answer. Parameters: ``target``, path and query exactly as they came.

        Raises ApplicationAway, ApplicationSlow or Unavailable.
        """
        if self._settings.socket:
            _refuse_open(self._settings.socket)
        extensions = {"target": target, "timeout": self._timeout}
        request = httpx.Request(method, self._url, headers=headers, content=body, extensions=extensions)
        try:
            answer = await self._transport.handle_async_request(request)
        except httpx.PoolTimeout:
            raise Unavailable(f"{TITLE} has too much to do. Try again in a moment.", code="application-busy") from None
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise ApplicationSlow(f"{TITLE} does not answer in time. Try again in a moment.") from None
        except httpx.HTTPError:
            raise ApplicationAway(f"{TITLE} cannot be reached. Try again in a moment.") from None
        response = StreamingResponse(_parts(answer), answer.status_code)
        response.raw_headers = for_browser(answer.headers.raw, self._settings)
        return response


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()


def _refuse_open(socket: Path) -> None:
    """Raise ApplicationAway for a socket that everybody on this machine can open: they could be anybody there."""
    try:
        everybody = socket.stat().st_mode & stat.S_IWOTH and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in socket.parents
        )
    except OSError:
        return  # connecting says what is wrong
    if everybody:
        raise ApplicationAway(
            f"Everybody on its machine can open the socket of {TITLE} and be anybody there. Its operators must run "
            f"`chmod o-w {socket}`, or start it with umask 007.",
            code="open-socket",
        )
