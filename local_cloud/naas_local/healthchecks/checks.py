"""A check: its state, what a ping or the passing of time makes of it, and how the management API shows it.

The words are those of https://healthchecks.io/docs/api/: a check is new, up, down or paused; "grace" is shown while an expected ping is
late. Times are microseconds (`times`), lengths of time are seconds except ``last_duration`` (microseconds).
"""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any

from naas_local.healthchecks import schedules
from naas_local.healthchecks.times import SECOND, as_datetime, as_moment, whole_seconds

DAY, HOUR = 86400, 3600
LONGEST_RUN = 72 * HOUR * SECOND
"""Microseconds between a start and its end; what is further apart does not belong together."""
FLAGS = ("manual_resume", "filter_subject", "filter_body", "filter_http_body", "filter_default_fail")


@dataclass
class Check:
    """A row of the table ``checks``."""

    project_id: int
    created: int
    id: int = 0
    code: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    badge_key: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    name: str = ""
    slug: str = ""
    tags: str = ""
    desc: str = ""
    kind: str = "simple"
    timeout: int = DAY
    grace: int = HOUR
    schedule: str = "* * * * *"
    tz: str = "UTC"
    manual_resume: bool = False
    methods: str = ""
    start_kw: str = ""
    success_kw: str = ""
    failure_kw: str = ""
    filter_subject: bool = False
    filter_body: bool = False
    filter_http_body: bool = False
    filter_default_fail: bool = False
    status: str = "new"
    n_pings: int = 0
    last_ping: int | None = None
    last_start: int | None = None
    last_start_rid: str | None = None
    last_duration: int | None = None
    next_ping: int | None = None
    """When the next ping is expected, after which grace begins; None while nothing is expected."""
    alert_after: int | None = None
    """When the check is down unless something comes; None for a check that cannot be late."""

    @classmethod
    def of(cls, row: sqlite3.Row) -> Check:
        """The check in a row of the table."""
        check = cls(**dict(row))
        for flag in FLAGS:
            setattr(check, flag, bool(getattr(check, flag)))
        return check

    @property
    def unique_key(self) -> str:
        """Names the check to those who may only read, and does not tell its uuid."""
        return unique_key(self.code)

    @property
    def tag_list(self) -> list[str]:
        """The tags, one by one."""
        return self.tags.split()

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.code

    def reckon(self) -> None:
        """Say anew when the next ping is expected and when the check is late; a job that has started may run for its grace."""
        self.next_ping = self._expected() if self.status == "up" else None
        waits = [moment for moment in (self.next_ping, self.last_start) if moment is not None and self.status != "down"]
        self.alert_after = min(waits) + self.grace * SECOND if waits else None

    def _expected(self) -> int | None:
        if self.last_ping is None:
            return None
        if self.kind == "simple":
            return self.last_ping + self.timeout * SECOND
        run = schedules.next_run(self.schedule, self.tz, as_datetime(self.last_ping))
        return None if run is None else as_moment(run)

    def state(self, now: int) -> str:
        """The status as people see it: new, up, grace, down or paused."""
        if self.alert_after is not None and now >= self.alert_after:
            return "down"
        return "grace" if self.next_ping is not None and now >= self.next_ping else self.status

    def take(self, action: str, rid: str | None, now: int) -> str | None:
        """A ping has come: success, fail, start, log or ign (only logged). Returns the status that it was in, if that changes."""
        old = self.status
        if action == "start":
            self.last_start, self.last_start_rid = now, rid
        elif action in ("success", "fail"):
            self.last_ping = now
            self._end_run(action, rid, now)
            self.status = "down" if action == "fail" else "up"
        self.reckon()
        self.n_pings += 1
        return old if self.status != old else None

    def _end_run(self, action: str, rid: str | None, now: int) -> None:
        """A duration is told only when start and end name the same run (https://healthchecks.io/docs/measuring_script_run_time/)."""
        self.last_duration = None
        if self.last_start is None:
            return
        if self.last_start_rid == rid:
            self.last_duration = now - self.last_start
            self.last_start = None
        elif action == "fail" or rid is None:
            self.last_start = None

    def pause(self) -> None:
        """Nothing is expected until the next ping, or with ``manual_resume`` until somebody says so."""
        self.status, self.last_start = "paused", None
        self.reckon()

    def resume(self) -> None:
        """As if it had just been made."""
        self.status, self.last_start, self.last_ping = "new", None, None
        self.reckon()

    def document(self, base: str, now: int, channels: list[str] | None) -> dict[str, Any]:
        """The check in the management API. Parameters: ``channels``, codes of those it alerts, or None for who may only read."""
        document: dict[str, Any] = {
            "name": self.name,
            "slug": self.slug,
            "tags": self.tags,
            "desc": self.desc,
            "grace": self.grace,
            "n_pings": self.n_pings,
            "status": self.state(now),
            "started": self.last_start is not None,
            "last_ping": whole_seconds(self.last_ping),
            "next_ping": whole_seconds(self.next_ping),
            "manual_resume": self.manual_resume,
            "methods": self.methods,
            "subject": self.success_kw if self.filter_subject else "",
            "subject_fail": self.failure_kw if self.filter_subject else "",
            "start_kw": self.start_kw,
            "success_kw": self.success_kw,
            "failure_kw": self.failure_kw,
            "filter_subject": self.filter_subject,
            "filter_body": self.filter_body,
            "filter_http_body": self.filter_http_body,
            "filter_default_fail": self.filter_default_fail,
            "badge_url": f"{base}/b/2/{self.badge_key}.svg",
        }
        if self.last_duration is not None and self.last_duration < LONGEST_RUN:
            document["last_duration"] = self.last_duration // SECOND
        if channels is None:
            document["unique_key"] = self.unique_key
        else:
            here = f"{base}/api/v3/checks/{self.code}"
            document |= {
                "uuid": self.code,
                "ping_url": f"{base}/ping/{self.code}",
                "update_url": here,
                "pause_url": f"{here}/pause",
                "resume_url": f"{here}/resume",
                "channels": ",".join(sorted(channels)),
            }
        if self.kind == "simple":
            document["timeout"] = self.timeout
        else:
            document |= {"schedule": self.schedule, "tz": self.tz}
        return document


COLUMNS = tuple(field.name for field in dataclasses.fields(Check) if field.name != "id")


def unique_key(code: str) -> str:
    """SHA-1 over half of the uuid, as Healthchecks computes it: it does not lead back to the uuid, which pings are sent to."""
    return hashlib.sha1(uuid.UUID(code).hex[:16].encode(), usedforsecurity=False).hexdigest()
