"""Healthchecks: projects, checks and what happened to them, as the gateway gives them.

Names and limits of fields are those of Healthchecks' Management API v3 (https://healthchecks.io/docs/api/). Names, tags, descriptions,
bodies and user agents are other people's text: show them as text.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, field_serializer, field_validator, model_validator

from naas_client.models.base import Document, Page

CHECK_STATES = ("down", "grace", "up", "new", "paused")
"""What `Check.status` may be, the worst first; anything else that a server says is shown as ``unknown: …``."""
SHORTEST_PERIOD, LONGEST_PERIOD = 60, 365 * 86400
"""Limits of ``timeout`` and ``grace`` in seconds."""
LONGEST_TAGS = 500

Period = Annotated[int, Field(strict=True, ge=SHORTEST_PERIOD, le=LONGEST_PERIOD)]
Line = Annotated[str, Field(min_length=1, max_length=100)]
Tag = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=100)]
Keywords = Annotated[str, Field(max_length=200, description="separated by commas")]
CalendarKind = Literal["cron", "oncalendar"]
ScheduleKind = Literal["simple", "cron", "oncalendar"]


def _one_line(value: str) -> str:
    value = value.strip()
    if not value or not value.isprintable():
        raise ValueError("write one line without control characters")
    return value


class NewCheckProject(Document):
    """A project of a Healthchecks server, to be registered by its API key."""

    name: Line
    api_key: SecretStr = Field(min_length=1, max_length=200, description="read-write or read-only, 32 characters")
    group: str = Field(default="", max_length=255, description="IAM group that shares it; empty: for oneself alone")
    members_write: bool = Field(default=True, strict=True, description="members of the group may change checks")

    _name = field_validator("name")(_one_line)

    @field_serializer("api_key", when_used="json")
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


class CheckProjectChanges(Document):
    """What to change of a registered project; what is left out stays. ``notify`` is the caller's own wish."""

    name: Line | None = None
    api_key: SecretStr | None = Field(default=None, min_length=1, max_length=200, description="in place of the old key")
    members_write: bool | None = Field(default=None, strict=True)
    notify: bool | None = Field(default=None, strict=True, description="events when a check goes down or comes up")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        return value if value is None else _one_line(value)

    @field_serializer("api_key", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value is not None else None


class CheckProject(Document):
    """A registered project; its API key is known to the gateway alone."""

    id: int
    name: str
    group: str = Field(default="", description="IAM group that shares it; empty: the caller's own")
    read_only: bool = Field(description="its key is a read-only one: checks can be seen, not changed")
    members_write: bool = True
    writable: bool = Field(description="the caller may change its checks, and has their ping addresses")
    manageable: bool = Field(description="the caller may rename it, paste a new key, or remove it")
    provisioned: bool = Field(default=False, description="made by this site for the person; cannot be removed")
    notify: bool = Field(default=True, description="the caller gets events when a check goes down or comes up")
    key_revoked: bool = Field(default=False, description="the server does not know its key any more: paste a new one")
    registered_by: str = Field(description="hub name")
    registered_at: dt.datetime


class CheckProjects(Page[CheckProject]):
    """The projects that the caller may use, and how new ones can be had."""

    url: str = Field(default="", description="the Healthchecks server for browsers, where projects and keys are made")
    groups: list[str] = Field(
        default_factory=list, description="groups of the caller that a project can be shared with"
    )


class CheckFields(Document):
    """What can be said about a check; see Healthchecks' "Create a new check"."""

    name: str | None = Field(default=None, max_length=100)
    slug: str | None = Field(default=None, max_length=100, pattern=r"^[a-z0-9_-]*$")
    tags: list[Tag] | None = Field(default=None, max_length=50)
    desc: str | None = Field(default=None, max_length=10_000)
    timeout: Period | None = Field(default=None, description="simple schedule: seconds between two pings")
    grace: Period | None = Field(default=None, description="seconds that a ping may be late")
    schedule: str | None = Field(
        default=None, min_length=1, max_length=100, description="cron or OnCalendar expression"
    )
    tz: str | None = Field(default=None, min_length=1, max_length=36, description="time zone of the schedule")
    manual_resume: bool | None = Field(default=None, description="a ping does not end a pause")
    methods: Literal["", "POST"] | None = Field(default=None, description="which HTTP methods are pings; empty: all")
    channels: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        default=None,
        max_length=100,
        description="ids of channels, or names, that are told; `*`: all of the project, as for a new check that says nothing",
    )
    start_kw: Keywords | None = None
    success_kw: Keywords | None = None
    failure_kw: Keywords | None = None
    filter_subject: bool | None = Field(default=None, description="look for keywords in the subject of e-mails")
    filter_body: bool | None = Field(default=None, description="look for keywords in the body of e-mails")
    filter_http_body: bool | None = Field(default=None, description="look for keywords in the body of HTTP pings")
    filter_default_fail: bool | None = Field(default=None, description="a ping without any keyword is a failure")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and value.strip().lower().startswith(("http://", "https://")):
            raise ValueError("a name that looks like an address would be pinged instead of the check; choose another")
        return value if value is None else _one_line(value)

    @field_validator("tags")
    @classmethod
    def _fit(cls, tags: list[str] | None) -> list[str] | None:
        if tags and len(" ".join(tags)) > LONGEST_TAGS:
            raise ValueError(f"all tags together have at most {LONGEST_TAGS} characters")
        return tags

    @field_validator("channels")
    @classmethod
    def _no_commas(cls, channels: list[str] | None) -> list[str] | None:
        if channels and any("," in channel for channel in channels):
            raise ValueError("a name with a comma cannot be used; use the channel's id")
        return channels

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.timeout is not None and self.schedule is not None:
            raise ValueError("give timeout or schedule, not both")
        if self.tz is not None and self.timeout is not None:
            raise ValueError("a time zone belongs to a schedule; leave tz out")
        return self


class NewCheck(CheckFields):
    """A check to be made. Without ``timeout`` and ``schedule`` it expects a ping a day."""

    name: str = Field(max_length=100)
    unique: list[Literal["name", "slug", "tags", "timeout", "grace"]] = Field(
        default_factory=list,
        max_length=5,
        description="a check that is the same in these fields is changed instead; a second check of one name is made only "
        "when this names another field",
    )

    @model_validator(mode="after")
    def _told(self) -> Self:
        if missing := [field for field in self.unique if getattr(self, field) is None]:
            raise ValueError(f"unique names {', '.join(missing)}, so give a value for it")
        return self


class CheckChanges(CheckFields):
    """What to change of a check; what is left out stays."""


class Check(Document):
    """A check as Healthchecks tells it now. ``id`` is its UUID, or with a read-only key Healthchecks' ``unique_key``."""

    id: str
    project: int
    name: str = ""
    slug: str = ""
    tags: list[str] = Field(default_factory=list)
    desc: str = ""
    status: str = Field(description="`new`, `up`, `grace`, `down`, `paused`, or `unknown: …` with what the server said")
    started: bool = Field(default=False, description="a run was signalled to have started and has not ended")
    kind: ScheduleKind
    timeout: int | None = Field(default=None, description="seconds; only of a simple schedule")
    grace: int = 3600
    schedule: str | None = None
    tz: str | None = None
    n_pings: int = 0
    last_ping: dt.datetime | None = None
    next_ping: dt.datetime | None = None
    last_duration: float | None = Field(default=None, description="seconds of the last run whose start was signalled")
    manual_resume: bool = False
    methods: str = ""
    channels: list[str] = Field(default_factory=list, description="ids; empty with a read-only key")
    start_kw: str = ""
    success_kw: str = ""
    failure_kw: str = ""
    filter_subject: bool = False
    filter_body: bool = False
    filter_http_body: bool = False
    filter_default_fail: bool = False
    as_of: dt.datetime = Field(description="when the server said so")
    ping_url: str = Field(default="", description="where programs report; empty with a read-only key")
    badge_url: str = ""


class CheckProblem(Document):
    """Why what is shown of a project is not what its server says now."""

    project: int
    code: str = Field(description="`healthchecks-down`, `healthchecks-busy` (rate limit) or `key-revoked`")
    message: str
    as_of: dt.datetime | None = Field(default=None, description="age of what is shown; None: nothing is shown")


class Aged(Document):
    """What is kept for a while between the server and those who look, so it has an age."""

    as_of: dt.datetime | None = Field(default=None, description="when the server said so; the oldest of all projects")
    problems: list[CheckProblem] = Field(default_factory=list, description="why it is older than it should be")


class CheckPage(Aged, Page[Check]):
    """Checks, the ones in trouble first."""

    states: dict[str, int] = Field(
        default_factory=dict,
        description="checks by state, before the filter by state; `started` counts runs under way beside their state",
    )
    tags: list[str] = Field(default_factory=list, description="all tags of the projects, to filter by")


class CheckPing(Document):
    """One ping that arrived."""

    n: int = Field(description="its number, from 1")
    at: dt.datetime
    type: str = Field(description="`success`, `start`, `fail`, `log`, `ign`, or `unknown: …`")
    exit_status: int | None = None
    duration: float | None = Field(default=None, description="seconds since the start signal of the same run")
    run: str | None = Field(default=None, description="`rid` of the run")
    scheme: str = ""
    method: str = ""
    remote_addr: str = ""
    user_agent: str = ""
    has_body: bool = False


class CheckPings(Aged, Page[CheckPing]):
    """Pings, newest first; the server keeps only so many."""


class CheckPingBody(Document):
    """What a ping said."""

    n: int
    text: str = Field(description="as UTF-8; empty when it is binary")
    binary: bool = Field(default=False, description="not text: `base64` holds it")
    base64: str = ""
    size: int = Field(description="bytes")
    truncated: bool = Field(default=False, description="only the first bytes are here")


class CheckFlip(Document):
    """A change of state: to up or to down."""

    at: dt.datetime
    up: bool


class CheckFlips(Aged, Page[CheckFlip]):
    """Flips of the time asked for, oldest first."""

    since: dt.datetime
    until: dt.datetime


class CheckChannel(Document):
    """An integration of a project: who is told."""

    id: str
    name: str
    kind: str = Field(description="as Healthchecks calls it: `email`, `webhook`…")


class CheckChannels(Aged, Page[CheckChannel]):
    """The integrations of a project; they are made on the server's own pages."""


class CheckBadge(Document):
    """The badges of a tag. Each format exists in two states (up, down) and in three (up, late, down)."""

    tag: str = Field(description="`*`: all checks of the project")
    svg: str = ""
    svg3: str = ""
    json_url: str = ""
    json3_url: str = ""
    shields: str = ""
    shields3: str = ""


class CheckBadges(Aged, Page[CheckBadge]):
    """Addresses of images that show the state of a tag's checks to everybody who has them."""


class WantedSchedule(Document):
    """A schedule to be looked at before it is used."""

    schedule: str = Field(min_length=1, max_length=100)
    tz: str = Field(default="UTC", min_length=1, max_length=36)
    kind: CalendarKind | None = Field(default=None, description="None: five fields in one line are cron")


class SchedulePreview(Document):
    """What a schedule means."""

    kind: CalendarKind
    tz: str
    text: str = Field(default="", description="in English words; empty where they are not known (OnCalendar)")
    runs: list[dt.datetime] = Field(
        description="the next five, in the zone of the schedule; fewer when there are no more"
    )
