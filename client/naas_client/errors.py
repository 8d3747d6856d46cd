"""One shape for everything that can go wrong: a code for programs, a sentence for people, never a token.

NaasError
├── InvalidInput          400  the caller sent something that cannot be used
├── NotSignedIn           401  no usable credential
├── Forbidden             403  known, but not allowed
│   └── AccessEnded       403  IAM says this person's grant is over; sign in again
├── NotFound              404
├── Conflict              409  e.g. the name belongs to another identity
├── TooMany               429  asked too often
└── Unavailable           503  something we depend on does not answer; worth a retry
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class ErrorBody(BaseModel):
    """What an HTTP answer carries under the key ``error``."""

    code: str = Field(description="stable name for programs, kebab-case")
    message: str = Field(description="what happened and what to do next, for people")
    request_id: str = Field(default="", description="the same id in the logs of hub, gateway and server")


class ErrorAnswer(BaseModel):
    """Every error of every API of ours has this body."""

    error: ErrorBody


class NaasError(Exception):
    """Base of all errors that a person or a client may see.

    Parameters: ``message``, a sentence that ends with the remedy; ``code``, the stable name of the cause.
    """

    status = 500
    default_code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code

    def answer(self, request_id: str = "") -> ErrorAnswer:
        """The body to send to the caller."""
        return ErrorAnswer(error=ErrorBody(code=self.code, message=self.message, request_id=request_id))


class InvalidInput(NaasError):
    """The caller sent something that cannot be used; nothing was changed."""

    status = 400
    default_code = "invalid-input"


class NotSignedIn(NaasError):
    """No credential, or one that is not valid (any more)."""

    status = 401
    default_code = "not-signed-in"


class Forbidden(NaasError):
    """The person is known but may not do this."""

    status = 403
    default_code = "forbidden"


class AccessEnded(Forbidden):
    """IAM refused the person's grant for good (RFC 6749 §5.2 ``invalid_grant``); only a new sign-in helps."""

    default_code = "access-ended"


class NotFound(NaasError):
    """There is no such object, or it is not the caller's."""

    status = 404
    default_code = "not-found"


class Conflict(NaasError):
    """The object is in a state, or has an owner, that forbids this."""

    status = 409
    default_code = "conflict"


class TooMany(NaasError):
    """Asked too often; wait before the next try."""

    status = 429
    default_code = "too-many"


class Unavailable(NaasError):
    """Something we depend on does not answer; a later try may succeed."""

    status = 503
    default_code = "unavailable"


_BY_STATUS: dict[int, type[NaasError]] = {
    c.status: c for c in (InvalidInput, NotSignedIn, Forbidden, NotFound, Conflict, TooMany, Unavailable)
}


def error_from_answer(status: int, body: object) -> NaasError:
    """The exception for an HTTP error answer of ours; tolerant of foreign bodies (a proxy's, say)."""
    try:
        parsed = ErrorAnswer.model_validate(body).error
    except ValueError:
        parsed = ErrorBody(code="", message=f"The server answered with status {status}.")
    if parsed.code == AccessEnded.default_code:
        return AccessEnded(parsed.message)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidInput)
    return kind(parsed.message, code=parsed.code or None)
