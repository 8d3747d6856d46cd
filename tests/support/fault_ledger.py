"""What a writing program was told, as it wrote it down itself (`ledger_writer`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from waiting import wait_for

LIMIT = 600
"""Seconds; a big file on a slow store takes long in `make faults`."""


@dataclass
class Ledger:
    """What a writing program was told, and the program."""

    path: Path
    process: Popen[bytes] | None = None
    shared: bool = False
    """Another program writes the same names: either's bytes may be there in the end, but never a mixture."""

    def events(self) -> list[dict[str, Any]]:
        """Every whole line."""
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events())

    def saved(self) -> dict[str, str]:
        """MD5 by name of what the program was told is saved, and has not begun to write over."""
        found: dict[str, str] = {}
        for one in self.events():
            if one["event"] == "saved":
                found[one["name"]] = one["md5"]
            elif one["event"] in ("begin", "error"):
                found.pop(one["name"], None)
        return found

    def synced(self) -> dict[str, tuple[int, str]]:
        """Size and MD5 by name of what `fsync` promised for files that were not closed well."""
        promised, saved = {one["name"]: (one["size"], one["md5"]) for one in self.told("synced")}, self.saved()
        return {name: value for name, value in promised.items() if name not in saved}

    def begun(self) -> set[str]:
        return {one["name"] for one in self.events() if one["event"] == "begin"}

    def told(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events() if one["event"] == event]

    def wait(self, event: str, count: int = 1) -> None:
        """Until the program was told so, so many times in all."""
        wait_for(lambda: self.count(event) >= count or self._ended(event), f"{count} x {event} in the ledger", LIMIT)

    def _ended(self, event: str) -> bool:
        code = self.process.poll() if self.process else None
        assert code is None or event == "end", f"the program ended with {code}: {self.events()[-3:]}"
        return False

    def finish(self) -> None:
        """Until the program has ended by itself."""
        assert self.process is not None
        assert self.process.wait(LIMIT) == 0, self.events()[-3:]
        assert self.count("end") == 1
