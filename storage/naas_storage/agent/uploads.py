"""What is not in the store yet: from rclone's queue while it runs, from its cache on disk while it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from naas_client.models import Upload

from naas_storage.agent.engine import Engine
from naas_storage.agent.rc import RcError
from naas_storage.agent.reasons import store_error, upload_sentence, upload_tries

RC_LIMIT = 5.0
"""Seconds for an answer of rclone about its queue; it needs no network for that."""


class Uploads:
    """The files of one folder that are on their way."""

    def __init__(self, folder: str, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        self.items: list[Upload] = self._on_disk()
        self._errors: dict[str, str] = {}

    def failed(self, name: str, message: str) -> None:
        """Take an error line of rclone's log; other errors than of uploads are ignored."""
        if upload_tries(message) is not None:
            self._errors[name] = message

    async def look(self, engine: Engine) -> None:
        """Ask rclone. Raises RcError or TimeoutError, and keeps what was known before then."""
        answer = await engine.rc("vfs/queue", RC_LIMIT)
        self.items = sorted((self._item(entry) for entry in answer["queue"]), key=lambda one: (one.state, one.name))
        names = {one.name for one in self.items}
        self._errors = {name: message for name, message in self._errors.items() if name in names}

    def _item(self, entry: dict[str, Any]) -> Upload:
        name, tries = str(entry["name"]), int(entry.get("tries", 0))
        upload = Upload(
            folder=self.folder,
            name=name,
            size=max(0, int(entry.get("size", 0))),
            state="uploading" if entry.get("uploading") else "waiting",
            tries=tries,
        )
        if message := self._errors.get(name):
            error = store_error(message)
            upload.error = upload_sentence(name, error)
            if error.permanent:
                upload.state = "failed"
        return upload

    async def hurry(self, engine: Engine) -> None:
        """Let everything that waits for its next try be sent now (a drain has no time for long pauses)."""
        answer = await engine.rc("vfs/queue", RC_LIMIT)
        for entry in answer["queue"]:
            if not entry.get("uploading"):
                try:
                    await engine.rc("vfs/queue-set-expiry", RC_LIMIT, id=entry["id"], expiry=0, relative=False)
                except RcError:
                    continue  # it is being sent, or is gone

    def look_on_disk(self) -> None:
        """Without rclone: what its cache holds."""
        self.items = self._on_disk()

    def _on_disk(self) -> list[Upload]:
        """Files that an ended rclone marked as changed (its ``vfsMeta`` documents); the next one sends them."""
        found = []
        for top in (self.cache / "vfsMeta").glob("*/*"):
            for path in (top, *top.rglob("*")):
                if size := _dirty_size(path):
                    name = str(path.relative_to(top))
                    found.append(Upload(folder=self.folder, name=name, size=size - 1, state="waiting"))
        return found


def _dirty_size(path: Path) -> int:
    """The size of a changed file plus one; 0 when it is not changed."""
    try:
        document = json.loads(path.read_text()) if path.is_file() else {}
        return int(document.get("Size", 0)) + 1 if document.get("Dirty") else 0
    except (OSError, ValueError, AttributeError):
        return 0
