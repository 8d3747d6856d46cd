"""What is not in the store yet: from rclone's queue while it runs, from its cache on disk while it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from naas_client.models import Folder, Upload

from naas_storage.agent.engine import Engine, in_cache
from naas_storage.agent.rc import RcError
from naas_storage.agent.reasons import FAILED_AFTER, store_error, upload_sentence

RC_LIMIT = 5.0
"""Seconds for an answer of rclone about its queue; it needs no network for that."""
PUT_OFF = 36000.0
"""Seconds, far above `engine.UNSENT_WRITE_BACK`: an upload that waits so long was not closed since it was put off."""


class Uploads:
    """The files of one folder that are on their way."""

    def __init__(self, folder: Folder, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        self.items: list[Upload] = self._on_disk()
        self.orphans: set[str] = set()
        """Files that an ended rclone left, and that the folder does not know yet: they must not be sent before."""
        self._errors: dict[str, str] = {}

    def failed(self, name: str, message: str) -> None:
        """Take a line of rclone's log that says why an upload failed."""
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
            folder=self.folder.name,
            name=name,
            size=max(0, int(entry.get("size", 0))),
            state="uploading" if entry.get("uploading") else "waiting",
            tries=tries,
        )
        if message := self._errors.get(name):
            error = store_error(message)
            upload.error = upload_sentence(name, error)
            if error.permanent or tries >= FAILED_AFTER:
                upload.state = "failed"
        return upload

    async def hurry(self, engine: Engine, again: bool = True) -> None:
        """Let everything that waits be sent now (a drain has no time for long pauses); ``again``: also what was tried before."""
        answer = await engine.rc("vfs/queue", RC_LIMIT)
        for entry in answer["queue"]:
            due = (again or not entry.get("tries")) and float(entry.get("expiry", 0)) < PUT_OFF / 2
            if due and not entry.get("uploading") and entry["name"] not in self.orphans:
                try:
                    await engine.rc("vfs/queue-set-expiry", RC_LIMIT, id=entry["id"], expiry=0, relative=False)
                except RcError:
                    continue  # it is being sent, or is gone

    async def put_off(self, engine: Engine, name: str, seconds: float = PUT_OFF) -> None:
        """Let an orphan with content wait: rclone sets its time anew when the last program has closed it, some time after `close`."""
        for entry in (await engine.rc("vfs/queue", RC_LIMIT))["queue"]:
            if entry["name"] == name and entry.get("size") and not entry.get("uploading"):
                await engine.rc("vfs/queue-set-expiry", RC_LIMIT, id=entry["id"], expiry=seconds, relative=False)

    def look_on_disk(self) -> None:
        """Without rclone: what its cache holds."""
        self.items = self._on_disk()

    def _on_disk(self) -> list[Upload]:
        """Files that an ended rclone marked as changed (its ``vfsMeta`` documents); the next one sends them."""
        found, top = [], in_cache(self.folder, self.cache / "vfsMeta")
        for path in top.rglob("*"):
            if size := _dirty_size(path):
                name = str(path.relative_to(top))
                found.append(Upload(folder=self.folder.name, name=name, size=size - 1, state="waiting"))
        return found


def _dirty_size(path: Path) -> int:
    """The size of a changed file plus one; 0 when it is not changed."""
    try:
        document = json.loads(path.read_text()) if path.is_file() else {}
        return int(document.get("Size", 0)) + 1 if document.get("Dirty") else 0
    except (OSError, ValueError, AttributeError):
        return 0
