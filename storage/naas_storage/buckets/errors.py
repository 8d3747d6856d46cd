"""From what boto3 raises to a sentence for people (S3 API error codes, Ceph's included)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from naas_client.errors import Conflict, Forbidden, InvalidInput, NaasError, NotFound, Unavailable

from naas_storage.agent.reasons import QUOTA_CODES

LONGEST_QUOTE = 300
"""Characters of a store's own message that a sentence of ours may quote."""

NO_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
RETRY = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Busy"})


class AlreadyThere(Conflict):
    """RFC 9110 §15.5.13: what must not exist exists (``If-None-Match: *``)."""

    status = 412
    default_code = "exists"


def code_of(error: Exception) -> str:
    """S3's code of an error; a HEAD has no body, so there it is the status."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


_Known = tuple[type[NaasError], str, str]
_KNOWN: dict[frozenset[str], _Known] = {
    QUOTA_CODES: (
        Forbidden,
        "quota",
        "{where} was not written: the bucket is full. Delete something, or ask for more space.",
    ),
    frozenset({"NoSuchBucket"}): (
        NotFound,
        "no-such-bucket",
        "There is no bucket {bucket}. Reload the list of buckets.",
    ),
    NO_OBJECT: (NotFound, "no-such-object", "{where} does not exist (any more). Reload the list."),
    frozenset({"ObjectLocked", "InvalidObjectState"}): (
        Forbidden,
        "locked",
        "{where} is locked against changes. Wait until its lock ends.",
    ),
    frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"}): (
        Forbidden,
        "forbidden",
        "The store does not let you do this with {where}. Use a bucket or folder of your own.",
    ),
    frozenset({"ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}): (
        Unavailable,
        "no-credentials",
        "The store does not take your credentials just now. Try again in a minute.",
    ),
    frozenset({"RequestTimeTooSkewed"}): (
        Unavailable,
        "clock",
        "The clocks of this server and of the store differ too much. Tell whoever runs this service.",
    ),
    frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou", "OperationAborted"}): (
        Conflict,
        "exists",
        "There is a bucket {bucket} already, yours or somebody else's. Choose another name.",
    ),
    frozenset({"BucketNotEmpty"}): (
        Conflict,
        "bucket-not-empty",
        "{bucket} is not empty. Delete its files first, and in a versioned bucket their old versions too.",
    ),
    frozenset({"TooManyBuckets"}): (
        Forbidden,
        "too-many-buckets",
        "You have as many buckets as the store allows. Delete one that you do not need.",
    ),
    frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"}): (
        InvalidInput,
        "not-supported",
        "This store cannot do that; nothing was changed. Do without it here.",
    ),
}
"""S3's codes, and what they mean for the person."""


def sentence(code: str, status: int, message: str, bucket: str, key: str = "") -> NaasError:
    """The error for one of S3's codes. Parameters: ``message``, the store's own words, quoted where nothing better is known."""
    if code in NO_OBJECT and not key:
        code = "NoSuchBucket"
    where = shown(f"{bucket}/{key}" if key else bucket)
    for codes, (kind, name, text) in _KNOWN.items():
        if code in codes:
            return kind(text.format(where=where, bucket=shown(bucket)), code=name)
    if code in RETRY or status >= 500:
        return Unavailable("The store does not answer as it should. Try again in a moment.", code="store-down")
    said = shown(message or code).rstrip(".")
    return InvalidInput(f"The store refused {where}: {said}. Change the name and try again.", code="refused-name")


def shown(text: str) -> str:
    """A name or message inside a sentence: short, on one line."""
    line = "".join(letter if letter.isprintable() else "�" for letter in text)
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"


@contextlib.contextmanager
def explained(bucket: str = "", key: str = "") -> Iterator[None]:
    """Turn whatever boto3 raises into a `NaasError` about a bucket or an object."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise sentence(code_of(error), status, error.response["Error"].get("Message", ""), bucket, key) from error
    except ParamValidationError as error:
        raise InvalidInput("The store cannot take this request. Check the name and try again.") from error
    except BotoCoreError as error:
        raise Unavailable("The store does not answer. Try again in a moment.", code="store-down") from error
    except RuntimeError as error:  # botocore: the renewed credentials have ended too
        raise Unavailable(
            "Your credentials for the store have ended. The Storage section of the side panel says why.",
            code="no-credentials",
        ) from error
