"""The backup of a home."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, field_validator

from naas_client.models.base import Document


class BackupSettings(Document):
    """What a person wants of the backup of their home; kept in the home."""

    every_hours: int = Field(default=0, ge=0, le=24 * 31, description="0: only when asked for")
    keep_days: int = Field(default=90, ge=1, le=3650, description="how long replaced and deleted files are kept")
    exclude: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="left out, as patterns below the home (https://rclone.org/filtering/), e.g. `/local/big/**`",
    )
    ping_url: str = Field(
        default="", max_length=500, description="address of a healthcheck: told of start, end and failure"
    )

    @field_validator("exclude")
    @classmethod
    def _one_line_each(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not pattern.strip() or len(pattern) > 500 or not pattern.isprintable():
                raise ValueError("a pattern is one line of at most 500 characters")
        return patterns

    @field_validator("ping_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("an address starts with https:// or http://")
        return value.rstrip("/")


class BackupRun(Document):
    """One backup: what was saved when. ``files`` and ``bytes`` count all that it holds, ``sent_…`` what was new."""

    id: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d{6}Z$", description="time of its start, UTC")
    started_at: dt.datetime
    ended_at: dt.datetime
    files: int
    bytes: int
    sent_files: int
    sent_bytes: int
    errors: list[str] = Field(default_factory=list, description="what could not be saved, with the cause; for people")


class BackupProgress(Document):
    """A backup or a restore at work."""

    what: Literal["backup", "restore"]
    started_at: dt.datetime
    files: int = 0
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0


class BackupRestore(Document):
    """A restore that ended: where the files are now, or why it failed."""

    run: str
    at: dt.datetime
    files: int = 0
    folder: str = Field(default="", description="below the home; empty: where the files came from")
    replaced: str = Field(
        default="", description="folder below the home with what was there before; empty: nothing was"
    )
    problem: str = Field(default="", description="why it failed; for people")


class BackupStatus(Document):
    """The backup of a home as the panel shows it."""

    settings: BackupSettings
    running: BackupProgress | None = None
    last: BackupRun | None = Field(default=None, description="the newest backup that ended")
    problem: str = Field(default="", description="why the newest try failed as a whole; for people")
    next_at: dt.datetime | None = None
    restored: BackupRestore | None = Field(default=None, description="the newest restore that ended")
