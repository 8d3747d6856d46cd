"""What `naas mount` and `naas unmount` say about a mount."""

from __future__ import annotations

from collections.abc import Sequence

from naas_client.models import StorageStatus, Upload
from naas_client.sizes import format_files

from naas_storage.laptop.places import Place

MOST_NAMED = 10


def left_behind(place: Place, uploads: Sequence[Upload]) -> str:
    """What is not in the store at the end, where it is, and how it gets there."""
    shown = "".join(f"\n  {one.name}" for one in uploads[:MOST_NAMED])
    more = f"\n  … and {len(uploads) - MOST_NAMED} more" if len(uploads) > MOST_NAMED else ""
    many = format_files(len(uploads), sum(one.size for one in uploads))
    return (
        f"Not in the store yet: {many}, kept in {place.plan.cache}. They are sent when you run "
        f"`naas mount {place.source} {place.path}` again:{shown}{more}"
    )


def connection(place: Place, status: StorageStatus) -> str:
    """The state of a mount in a sentence."""
    if status.state == "mounted":
        return "connected"
    if status.code == "NoSuchBucket":
        own = (
            f"Start a server at {place.service} once, which makes it."
            if place.source.bucket == place.plan.username
            else ""
        )
        return f"There is no bucket {place.source.bucket}. {own or 'Check its name.'}"
    return next((folder.reason for folder in status.folders if folder.reason), "") or status.reason or status.state


class Narrator:
    """Says what is new in a status, each thing once. ``say`` takes a line."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._state = ""
        self._failed: set[str] = set()

    def news(self, status: StorageStatus) -> list[str]:
        """The lines to show for a status."""
        failed = [one for one in status.uploads if one.state == "failed" and one.error]
        lines = [one.error for one in failed if one.name not in self._failed]
        self._failed = {one.name for one in failed}
        state = self._sentence(status)
        if state and state != self._state:
            self._state = state
            lines.append(state)
        return lines

    def _sentence(self, status: StorageStatus) -> str:
        if status.state == "mounted":
            return f"{self.place.source} is at {self.place.path}. {status.reason}".rstrip()
        if status.state == "draining" and status.uploads_total:
            return f"Sending {format_files(status.uploads_total, status.bytes_pending)}."
        return f"{self.place.source}: {connection(self.place, status)}" if status.state == "degraded" else ""
