"""Answers of ``%storage``: a table in a notebook, the same as text elsewhere. Names of files are anybody's text, so all is escaped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape

from naas_client.checks import Ping, waiting
from naas_client.checks.words import expected, state, title
from naas_client.durations import written
from naas_client.laptop.person import ask
from naas_client.models import Bucket, CheckPage, ObjectPage, PresignedLink, StorageStatus, Usage
from naas_client.sizes import format_files, format_size
from naas_storage.buckets.errors import shown

MOST_UPLOADS = 20
MOST_CHECKS = 100


def when(at: dt.datetime | None) -> str:
    """A time in UTC, to the minute."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if at else ""


class View:
    """Lines of text, then a table; IPython shows the one of its two forms that it can."""

    def __init__(self, lines: Sequence[str] = (), head: Sequence[str] = (), rows: Iterable[Sequence[str]] = ()) -> None:
        self._lines, self._head = [shown(line) for line in lines], head
        self._rows = [[shown(cell) for cell in row] for row in rows]

    def __repr__(self) -> str:
        rows = [list(self._head), *self._rows] if self._rows else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*self._lines, *table])

    def _repr_html_(self) -> str:
        rows = [_row("th", self._head), *(_row("td", row) for row in self._rows)] if self._rows else []
        text = "".join(f"<div>{escape(line)}</div>" for line in self._lines)
        return text + (f"<table>{''.join(rows)}</table>" if rows else "")


def _row(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{kind} style=text-align:left>{escape(cell)}</{kind}>' for cell in cells)}</tr>"


class StatusView(View):
    """How the folders and uploads are; ``status`` is the agent's document."""

    def __init__(self, status: StorageStatus) -> None:
        self.status = status
        lines = [f"Storage is {status.state}. {status.reason}".rstrip(), "Everything is saved in the store."]
        if status.uploads_total:
            lines[1] = f"Not in the store yet: {format_files(status.uploads_total, status.bytes_pending)}."
        failed = [upload for upload in status.uploads if upload.state == "failed"]
        lines += [f"{upload.folder}/{upload.name}: {upload.error}" for upload in failed[:MOST_UPLOADS]]
        if status.usage is not None:
            lines.append(sentence(status.usage))
        rows = [(f.name, f.state, f.reason or ("read-only" if f.read_only else ""), f.path) for f in status.folders]
        super().__init__(lines, ("folder", "state", "", "path"), rows)


class UsageView(View):
    """How much of the space is used; ``usage`` is the document."""

    def __init__(self, bucket: str, usage: Usage) -> None:
        self.usage = usage
        super().__init__([f"{bucket}: {sentence(usage)}"])


def sentence(usage: Usage) -> str:
    """Used, of how much, in how many objects."""
    of = (
        f" of {format_size(usage.quota_bytes)} ({usage.used_bytes / usage.quota_bytes:.0%})"
        if usage.quota_bytes
        else ""
    )
    objects = f" in {usage.objects} objects" if usage.objects is not None else ""
    return f"{format_size(usage.used_bytes)}{of} are used{objects} ({when(usage.at)})."


class BucketsView(View):
    """The person's ``buckets``."""

    def __init__(self, buckets: list[Bucket]) -> None:
        self.buckets = buckets
        rows = [(row.name, when(row.created_at), "versions" if row.versioning else "") for row in buckets]
        super().__init__((), ("bucket", "made", ""), rows)


class ListingView(View):
    """One level of a bucket; ``page`` is the document."""

    def __init__(self, bucket: str, prefix: str, page: ObjectPage) -> None:
        self.page = page
        lines = [] if page.items else [f"There is nothing in {bucket}/{prefix}."]
        if page.next:
            lines = ["The first 1000; the Buckets tab shows all."]
        rows = [
            (f"{bucket}/{entry.key}", "" if entry.folder else format_size(entry.size), when(entry.modified_at))
            for entry in page.items
        ]
        super().__init__(lines, ("name", "size", "changed"), rows)


class LinkView(View):
    """A presigned link: ``url``, and ``expires_at`` (UTC)."""

    def __init__(self, name: str, link: PresignedLink) -> None:
        self.url, self.expires_at = link.url, link.expires_at
        super().__init__([f"Whoever has this link can download {name} until {when(self.expires_at)}."])

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{self.url}"

    def _repr_html_(self) -> str:
        address = escape(self.url)
        return f"{super()._repr_html_()}<a href='{address}' target='_blank' rel='noreferrer'>{address}</a>"


class ChecksView(View):
    """Healthchecks: ``page`` is the document, ``waiting`` the pings that have not arrived yet, with why."""

    def __init__(self, page: CheckPage, waiting: list[tuple[Ping, str]]) -> None:
        self.page, self.waiting = page, waiting
        lines = [problem.message for problem in page.problems]
        if not page.items:
            lines.append("No checks here. A cell that begins with %%healthcheck NAME makes one.")
        if page.next:
            lines.append(f"{len(page.items)} of {page.total}; %healthchecks TEXT finds the others.")
        if waiting:
            ping, why = waiting[0]
            lines.append(
                f"{len(waiting)} pings have not arrived yet, the oldest of {when(ping.at)}: {why or 'on its way'}."
            )
        rows = [
            (
                state(check),
                title(check),
                expected(check),
                when(check.last_ping),
                "" if check.last_duration is None else written(check.last_duration),
                " ".join(check.tags),
            )
            for check in page.items
        ]
        super().__init__(lines, ("state", "name", "expected", "last ping", "took", "tags"), rows)

    @classmethod
    def now(cls, search: str) -> ChecksView:
        """The checks with this text in them. Raises NaasError."""
        page = ask(None, lambda gateway: gateway.checks.list(search=search, limit=MOST_CHECKS))
        return cls(page, waiting())
