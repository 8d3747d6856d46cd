"""The few pages that the proxy shows itself: why something is not possible, and the way out."""

from __future__ import annotations

from html import escape
from pathlib import Path

from naas_client.errors import NaasError
from naas_client.languages import COOKIE, Translator, preferred
from naas_client.sign_in import OWN_PATHS
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from naas_gateway.api.errors import error_response

HERE = Path(__file__).parent
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer, rather than a script or a program."""
    mode = request.headers.get("sec-fetch-mode")
    navigates = mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")
    return navigates and request.method in {"GET", "HEAD", "POST"}


def error_page(request: Request, error: NaasError) -> Response:
    """An error as its reader can use it: a page, or our JSON."""
    if not wants_page(request):
        return error_response(error)
    _ = _translator(request)
    again = f'<p><a href="/">{escape(_("Try again"))}</a></p>'
    out = f'<p><a href="{OWN_PATHS}sign-out">{escape(_("Sign out"))}</a></p>' if error.status == 403 else ""
    return _page(_.language, _("This did not work"), f"<p>{escape(error.message)}</p>{again}{out}", error.status)


def sign_out_page(request: Request) -> Response:
    """Asks before it signs out: a mere link on another site must not do that."""
    _ = _translator(request)
    text = escape(_("You sign out here, at the hub and at IAM. Your servers go on."))
    button = f'<form method="post" action="{OWN_PATHS}sign-out"><button>{escape(_("Sign out"))}</button></form>'
    return _page(_.language, _("Sign out"), f"<p>{text}</p>{button}", 200)


def _translator(request: Request) -> Translator:
    language = preferred(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
    return Translator(HERE, language)


def _page(language: str, title: str, body: str, status: int) -> Response:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head>{head}</head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>',
        status,
        headers=HEADERS,
    )
