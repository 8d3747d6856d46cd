"""What all our handlers share: the request id, the error shape, and that a poll is not work."""

from __future__ import annotations

import json
from http.client import responses
from typing import Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, NotSignedIn
from naas_client.logs import REQUEST_ID_HEADER, new_request_id
from pydantic import BaseModel, ValidationError

Wish = TypeVar("Wish", bound=BaseModel)


class MethodNotAllowed(InvalidInput):
    """The address exists, but not with this HTTP method."""

    status = 405
    default_code = "method-not-allowed"


class TooLarge(InvalidInput):
    """More was sent than anything of ours needs."""

    status = 413
    default_code = "too-large"


def read_document(body: bytes, longest: int) -> dict[str, Any]:
    """The JSON object in a request. Parameters: ``longest``, in bytes. Raises TooLarge or InvalidInput."""
    if len(body) > longest:
        raise TooLarge(f"The request is larger than {longest // 1024} KiB. Send less.")
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput("The request must be a JSON object. Reload the page to get the current panel.")
    return document


def explain(status: int, signed_in: bool) -> NaasError:
    """Our error for one that Tornado or Jupyter Server raised with a bare status."""
    if status in (401, 403) and not signed_in:
        return NotSignedIn("You are not signed in to this server. Reload the page to sign in.")
    if status == 403:
        return Forbidden("This server refused the request. Reload the page and try again.")
    if status == 404:
        return NotFound("There is nothing at this address. Reload the page to get the current panel.")
    if status == 405:
        return MethodNotAllowed("This address cannot be used like that. Reload the page to get the current panel.")
    if status < 500:
        return InvalidInput(f"The request cannot be used ({responses.get(status, status)}). Reload and try again.")
    return NaasError("This server had an internal error. Try again; if it stays, give support the request id.")


class NaasHandler(APIHandler):
    """Base of our handlers; every `NaasError` becomes an `ErrorAnswer` with its status."""

    auth_resource = "naas"
    _track_activity = False
    """The panel polls by itself: it must not keep an idle server from being stopped."""

    def set_default_headers(self) -> None:
        """Answer with the caller's request id, or with a new one; survives Tornado's clearing of headers."""
        super().set_default_headers()
        if not hasattr(self, "request_id"):
            self.request_id = new_request_id(self.request.headers.get(REQUEST_ID_HEADER))
        self.set_header(REQUEST_ID_HEADER, self.request_id)
        self.set_header("Cache-Control", "no-store")

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Take the status from our own errors; Tornado knows only its `HTTPError`."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        super().send_error(error.status if isinstance(error, NaasError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Our one error shape."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, NaasError):
            error = explain(status_code, bool(getattr(self, "_jupyter_current_user", None)))
        self.finish(error.answer(self.request_id).model_dump_json())

    def wish(self, model: type[Wish], longest: int) -> Wish:
        """The request's document, checked. Parameters: ``longest``, in bytes. Raises InvalidInput with the place of the mistake."""
        document = read_document(self.request.body, longest)
        try:
            return model.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"][:2]) or "the request"
            raise InvalidInput(f"{where[:100]}: {first['msg']}. Change it and send it again.") from None

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the address exactly as it was sent: Tornado's own way takes spaces and control characters out of keys."""
        values = self.request.query_arguments.get(name, [])
        try:
            return values[-1].decode() if values else default
        except UnicodeDecodeError:
            raise InvalidInput(f"The parameter {name} is not UTF-8. Encode it as UTF-8.") from None

    def number(self, name: str, default: int) -> int:
        """A parameter that is a number."""
        text = self.query(name, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InvalidInput(f"The parameter {name} is not a number. Give one.")
        return int(text)

    def answer(self, document: BaseModel | dict[str, Any], status: int = 200) -> None:
        """Finish with a document."""
        self.set_status(status)
        self.finish(document.model_dump_json() if isinstance(document, BaseModel) else document)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Our own errors are answers, not accidents: one line, no traceback."""
        if isinstance(value, NaasError):
            self.log.info("%s %s: %s (request %s)", self.request.method, self.request.path, value.code, self.request_id)
        else:
            super().log_exception(typ, value, tb)
