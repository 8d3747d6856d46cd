"""The proxy as an ASGI application: sign-in, sign-out, and everything else passed on."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from naas_client.errors import Forbidden, InvalidInput, NaasError, NotSignedIn
from naas_client.logs import REQUEST_ID_HEADER, new_request_id
from naas_client.settings import SharedSettings, read_secret
from naas_client.sign_in import CALLBACK, HEALTH, OWN_PATHS, SignInSection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from naas_gateway.api.middleware import read_body
from naas_gateway.sign_in_proxy.application import Application
from naas_gateway.sign_in_proxy.headers import Visitor, address_of, check_framing, for_application
from naas_gateway.sign_in_proxy.pages import error_page, sign_out_page, wants_page
from naas_gateway.sign_in_proxy.people import People
from naas_gateway.sign_in_proxy.sessions import Sessions

log = logging.getLogger("naas_gateway.sign_in_proxy")

LARGEST_BODY = 2_621_440
"""Bytes; Django takes no more either (``DATA_UPLOAD_MAX_MEMORY_SIZE``)."""


class SignInProxy:
    """The proxy. Raises InvalidInput when its token is missing, weak or open to others."""

    def __init__(self, settings: SharedSettings, proxy: SignInSection, application: Application | None = None) -> None:
        self._proxy = proxy
        secret = read_secret(proxy.token_file, "healthchecks.sign_in.token_file")
        self._sessions = Sessions(secret, secure=proxy.public_url.startswith("https:"))
        self._people = People(settings, proxy, secret)
        self._application = application or Application(proxy)

    def app(self) -> Starlette:
        """The ASGI application."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await self._application.close()

        async def shown(request: Request, error: Exception) -> Response:
            return await self._explain(request, error)

        return Starlette(
            routes=[
                Route(CALLBACK, self.callback, methods=["GET"]),
                Route(f"{OWN_PATHS}sign-out", self.sign_out, methods=["GET", "POST"]),
                Route(self._proxy.sign_out_path, self.sign_out, methods=["GET", "POST"]),
                Route(HEALTH, health, methods=["GET"]),
                Mount("/", self.pass_on),
            ],
            exception_handlers={NaasError: shown, HTTPException: shown},
            lifespan=lifespan,
        )

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything that is the application's."""
        request, started = Request(scope, receive), time.monotonic()
        identifier = new_request_id(request.headers.get(REQUEST_ID_HEADER))
        headers = list(scope["headers"])
        check_framing(headers)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        is_open = scope["raw_path"].decode("latin-1").startswith(tuple(self._proxy.open_paths))
        email = "" if is_open else await self._email(request)
        visitor = Visitor(address_of(request.client.host if request.client else "", headers), email)
        body = await read_body(dict(headers), receive, LARGEST_BODY)
        has_body = bool(body) or request.method not in {"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"}
        sent = for_application(headers, self._proxy, visitor, len(body) if has_body else None)
        response = await self._application.send(request.method, target, sent, body)
        response.headers[REQUEST_ID_HEADER] = identifier
        log.info("%s %d %.1f ms", request.method[:10], response.status_code, (time.monotonic() - started) * 1000)
        await response(scope, receive, send)

    async def _email(self, request: Request) -> str:
        token = self._sessions.token(request)
        if not token:
            raise NotSignedIn("Sign in first.")
        return await self._people.email(token)

    async def _explain(self, request: Request, error: Exception) -> Response:
        """An error as a page; who must sign in, and can, is sent to do so."""
        if isinstance(error, NotSignedIn) and request.method in {"GET", "HEAD"} and wants_page(request):
            query = f"?{request.url.query}" if request.url.query else ""
            return self._to_hub(request, request.scope["raw_path"].decode("latin-1") + query)
        if not isinstance(error, NaasError):
            error = InvalidInput("The proxy does not take this request. Go back and try again.")
        response = error_page(request, error)
        if error.status in {400, 413}:  # what follows in the connection may be the rest of this request
            response.headers["Connection"] = "close"
        return response

    def _to_hub(self, request: Request, target: str) -> Response:
        state, browser = self._sessions.begin(request, target)
        response = RedirectResponse(self._people.sign_in_url(state), 302, {"Cache-Control": "no-store"})
        self._sessions.remember(response, browser)
        return response

    async def callback(self, request: Request) -> Response:
        """The way back from the hub. Raises NaasError; then nobody is signed in."""
        target = self._sessions.target(request, request.query_params.get("state", ""))
        if target is None:
            raise InvalidInput("This sign-in began in another browser, or took too long. Begin again.")
        token = await self._people.token(request.query_params.get("code", ""))
        email = await self._people.email(token)
        log.info("sign-in of %s", email)
        # The public address stands before it, so whatever the path looks like, it leads nowhere else.
        response = RedirectResponse(f"{self._proxy.public_url}{target}", 302, {"Cache-Control": "no-store"})
        self._sessions.keep(response, token)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Ask, and on ``POST`` end the session here and go on to the hub's own sign-out."""
        if request.method != "POST":
            return sign_out_page(request)
        if request.headers.get("origin", "") != self._proxy.public_url:
            raise Forbidden("This sign-out came from another site. Use the page of this one.", code="cross-site")
        response = RedirectResponse(self._people.sign_out_url, 303, {"Cache-Control": "no-store"})
        self._sessions.end(response)
        for name in self._proxy.cookies:
            response.delete_cookie(name, path="/")
        return response


async def health(_: Request) -> Response:
    """That the process answers; whether a sign-in would work is the gateway's to say."""
    return PlainTextResponse("ok\n")
