"""Every error of this API has the same shape: `naas_client.errors.ErrorAnswer`."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, NotSignedIn, TooMany, Unavailable
from naas_client.logs import request_id
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)


class NoSuchMethod(NaasError):
    """The path exists, but not with this method."""

    status = 405
    default_code = "no-such-method"


def error_response(error: NaasError) -> JSONResponse:
    """The answer for one of our errors."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable | TooMany):
        headers["Retry-After"] = "5"
    return JSONResponse(error.answer(request_id.get()).model_dump(), status_code=error.status, headers=headers)


def _from_http(error: HTTPException) -> NaasError:
    """Errors of the framework itself."""
    if error.status_code == 404:
        return NotFound(
            "There is nothing at this address. See the API's description at /services/naas/api/v1/openapi.json."
        )
    if error.status_code == 405:
        return NoSuchMethod("This address does not take that method. See /services/naas/api/v1/openapi.json.")
    return Forbidden("Refused.") if error.status_code == 403 else InvalidInput("The request cannot be read.")


def _from_validation(error: RequestValidationError) -> InvalidInput:
    """Path of each field and what is wrong with it; never the value, which may be a secret."""
    mistakes = [f"{_path(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors()[:10]]
    return InvalidInput(f"{'; '.join(mistakes)}. Correct it and send it again.")


def _path(location: tuple[int | str, ...]) -> str:
    steps = [str(step)[:60] for step in location if step not in ("body", "query", "path", "header")]
    return ".".join(steps) or "body"


def install(app: FastAPI) -> None:
    """Give an application our error shape."""

    @app.exception_handler(NaasError)
    async def _ours(_: Request, error: NaasError) -> JSONResponse:
        return error_response(error)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return error_response(_from_http(error))

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(_from_validation(error))

    @app.exception_handler(Exception)
    async def _bug(_request: Request, _error: Exception) -> JSONResponse:
        return error_response(
            NaasError("Something went wrong in the gateway. Try again; if it goes on, tell support the request id.")
        )
