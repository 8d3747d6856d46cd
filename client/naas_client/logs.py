"""One log format for all our processes: a JSON document a line, with the request id, and never a token.

Redaction is the last line of defence: our code does not log secrets, but libraries log addresses and headers.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import json
import logging
import re
import secrets
import sys

REQUEST_ID_HEADER = "X-Request-ID"
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("naas_request_id", default="")

_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_SECRETS = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"  # a JWT
    r"|(?i:(?<=bearer )|(?<=token )|(?<=basic ))[\w.~+/=-]{16,}"
    r"|(?<=access_token=)[^&\s\"']+|(?<=refresh_token=)[^&\s\"']+|(?<=client_secret=)[^&\s\"']+"
    r"|(?<=id_token_hint=)[^&\s\"']+|(?<=[?&]token=)[^&\s\"']+|(?<=[?&]code=)[^&\s\"']+"
    r"|(?<=xsrf cookie for b')[^']+"  # JupyterHub logs the session's id
    r"|(?<=X-Amz-Signature=)[^&\s\"']+|(?<=X-Amz-Security-Token=)[^&\s\"']+"
)
LONGEST_MESSAGE = 4000
"""Characters; longer messages are cut, so that a hostile name cannot fill a disk (CVE-2026-54338)."""


def new_request_id(given: str | None = None) -> str:
    """The id of a request: the caller's if it is well-formed, else a new one; also kept for this context's log lines."""
    value = given if given and _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    request_id.set(value)
    return value


def redact(text: str) -> str:
    """The text with tokens, secrets and signatures replaced."""
    return _SECRETS.sub("[redacted]", text)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def format(self, record: logging.LogRecord) -> str:
        """Render the record; the keys are stable."""
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        document = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": self.part,
            "logger": record.name,
            "message": redact(message)[:LONGEST_MESSAGE],
        }
        if current := request_id.get():
            document["request_id"] = current
        return json.dumps(document, ensure_ascii=False)


def configure(part: str, level: int = logging.INFO) -> None:
    """Send this process's log to standard error in our format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(part))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
