"""From an S3 error in rclone's words to a state and a sentence for people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from naas_client.models import FolderState

_STATUS = re.compile(r"StatusCode: (\d{3})")
_CODE = re.compile(r"api error (\w+)")
_UPLOAD = re.compile(r"vfs cache: failed to upload try #(\d+)")
_NEVER_THE_SAME = re.compile(r"(RequestID|HostID): [^,]*,? ?")

CLOCK = "This machine's clock is wrong, so the object store refuses what it signs. Ask whoever runs the machine to set the clock (NTP)."
CACHE_FULL = (
    "The disk that holds files on their way to the bucket is full, so writing fails. What was saved before is kept and sent; "
    "free some of that disk, or wait until more is sent."
)
FAILED_AFTER = 3
"""Tries after which a file counts as failed, though it is tried again."""

QUOTA_CODES = frozenset({"QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "XMinioStorageFull"})
REFUSED_CODES = frozenset(
    {
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
    }
)


@dataclass(frozen=True)
class StoreError:
    """What the store said no to, and whether trying again can help."""

    code: str
    state: FolderState
    reason: str
    permanent: bool


def store_error(text: str) -> StoreError:
    """Sort an error of the store (S3 API error codes, Ceph's ``QuotaExceeded`` included)."""
    code = found[1] if (found := _CODE.search(text)) else ""
    code = "NoSuchBucket" if "directory not found" in text else code  # rclone's own words, when it lists a folder's top
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    if code in QUOTA_CODES:
        return StoreError(
            code, FolderState.REFUSED, "The bucket is full. Delete something there, or ask for more space.", True
        )
    if code == "RequestTimeTooSkewed":
        return StoreError("clock-wrong", FolderState.DOWN, CLOCK, True)
    if code == "NoSuchBucket":
        return StoreError(
            code, FolderState.DOWN, "The bucket does not exist. Start the server again, so that it is made.", True
        )
    if code in REFUSED_CODES or status in (401, 403):
        reason = "The store refused your access. Ask whoever runs this service if it stays so."
        return StoreError(code or "AccessDenied", FolderState.REFUSED, reason, True)
    if "get credentials" in text or "credential" in text.lower():
        return StoreError(
            "no-credentials", FolderState.REFUSED, "There are no valid credentials for the store just now.", False
        )
    return StoreError(
        code, FolderState.DOWN, "The object store does not answer as it should; it is tried again.", False
    )


def upload_tries(message: str) -> int | None:
    """How often an upload has been tried, when this line of rclone's log says that it failed."""
    found = _UPLOAD.search(message)
    return int(found[1]) if found else None


def upload_sentence(name: str, error: StoreError) -> str:
    """What to tell a person about a file that did not reach the store."""
    if error.code in QUOTA_CODES:
        return f"{name} is not saved to the bucket: it is full. Your file is kept on this server; make room and it is sent."
    if error.state is FolderState.REFUSED:
        return (
            f"{name} is not saved to the bucket: the store refused it. Your file is kept on this server; "
            "move it to a folder that is yours, or ask whoever runs this service."
        )
    if error.code == "clock-wrong":
        return f"{name} is not saved to the bucket. Your file is kept on this server. {CLOCK}"
    if error.code == "NoSuchBucket":
        return (
            f"{name} is not saved: the bucket does not exist. Your file is kept on this server; start the server again."
        )
    return f"{name} is not in the bucket yet: the store does not take it just now. It is tried again."


def disk_is_full(message: str) -> bool:
    """Whether a line of rclone's log is about its cache's disk (ENOSPC, EDQUOT)."""
    return "no space left on device" in message or "disk quota exceeded" in message


def same_again(message: str) -> str:
    """A log message without its request ids, to see whether it was said before."""
    return _NEVER_THE_SAME.sub("", message)
