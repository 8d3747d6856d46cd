"""The management API v3 (https://healthchecks.io/docs/api/): checks, pings, flips, channels and badges of the project of a key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from naas_client.schedules import kind_of

from naas_local.healthchecks import badges, history, rows, spec
from naas_local.healthchecks.alerts import Alerts
from naas_local.healthchecks.allowance import Allowance
from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.clock import Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.errors import Refused
from naas_local.healthchecks.keys import Keys
from naas_local.healthchecks.rows import Project
from naas_local.healthchecks.settings import STATUS, HealthchecksConfig
from naas_local.healthchecks.spec import Spec

KEY_HEADER = "X-Api-Key"
KEY_LENGTH = 32
LARGEST = 1 << 20
"""Bytes of a request."""
_CODE = r"{code:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}}"
_UNIQUE = "{unique:[0-9a-f]{40}}"


@dataclass(frozen=True)
class Caller:
    """Whose key a request has. Parameters: ``reads_only``, what kind of key; ``body``, the JSON object that was sent."""

    project: Project
    reads_only: bool
    body: dict[str, Any]


Handler = Callable[[web.Request], Awaitable[web.Response]]
Work = Callable[[web.Request, Caller], Awaitable[web.Response]]


class Api:
    """Answers the management calls of one server."""

    def __init__(
        self, config: HealthchecksConfig, database: Database, clock: Clock, keys: Keys, alerts: Alerts
    ) -> None:
        self._config, self._database, self._clock, self._keys, self._alerts = config, database, clock, keys, alerts
        self._allowance = Allowance(config.requests_per_minute)

    def add_routes(self, app: web.Application) -> None:
        """Let an application answer them."""
        router, one = app.router, f"/checks/{_CODE}"
        for method, path, work, may_read_only in (
            ("GET", "/checks/", self._list, True),
            ("POST", "/checks/", self._create, False),
            ("GET", one, self._show, True),
            ("GET", f"/checks/{_UNIQUE}", self._show, True),
            ("POST", one, self._update, False),
            ("DELETE", one, self._delete, False),
            ("POST", f"{one}/pause", self._pause, False),
            ("POST", f"{one}/resume", self._resume, False),
            ("GET", f"{one}/pings/", self._pings, False),
            ("GET", one + r"/pings/{n:\d{1,18}}/body", self._ping_body, False),
            ("GET", f"{one}/flips/", self._flips, True),
            ("GET", f"/checks/{_UNIQUE}/flips/", self._flips, True),
            ("GET", "/channels/", self._channels, False),
            ("GET", "/badges/", self._badges, True),
        ):
            router.add_route(method, f"/api/v3{path}", self._guarded(work, may_read_only))
        router.add_get(STATUS, self._status)

    def _guarded(self, work: Work, may_read_only: bool) -> Handler:
        async def handle(http: web.Request) -> web.Response:
            try:
                return await work(http, await self._caller(http, may_read_only))
            except Refused as error:
                return refusal(error.status, error.text, error.pause)

        return handle

    async def _caller(self, http: web.Request, may_read_only: bool) -> Caller:
        body = await json_body(http)
        key = http.headers.get(KEY_HEADER) or str(body.get("api_key", ""))
        if len(key) != KEY_LENGTH:
            raise Refused(401, "missing api key")
        kinds = ("api_key", "api_key_readonly") if may_read_only else ("api_key",)
        kept = self._keys.kept(key)
        found = await self._database.read(lambda db: rows.project_of_key(db, kept, *kinds))
        if found is None:
            raise Refused(401, "wrong api key")
        if not self._allowance.take(kept.hex()):
            raise Refused(429, "rate limited", self._allowance.pause)
        return Caller(found[0], found[1] == "api_key_readonly", body)

    async def _status(self, _: web.Request) -> web.Response:
        await self._database.read(lambda db: db.execute("SELECT 1").fetchone())
        return web.Response(text="OK")

    # Checks

    async def _list(self, http: web.Request, caller: Caller) -> web.Response:
        tags, slug = set(http.query.getall("tag", [])), http.query.get("slug") or None

        def work(db: sqlite3.Connection) -> str:
            channels = None if caller.reads_only else rows.channels_of_checks(db, caller.project)
            found = [
                check.document(self._config.url, self._clock.now(), None if channels is None else channels[check.id])
                for check in rows.checks_of_project(db, caller.project, slug)
                if tags <= set(check.tag_list)
            ]
            return json.dumps({"checks": found})  # a long list is not for the event loop

        return _answer_text(await self._database.read(work))

    async def _show(self, http: web.Request, caller: Caller) -> web.Response:
        return answer(await self._database.read(lambda db: self._document(db, caller, self._find(db, http, caller))))

    async def _create(self, _: web.Request, caller: Caller) -> web.Response:
        wanted = await self._spec(caller)

        def work(db: sqlite3.Connection) -> tuple[Check, bool, dict[str, Any]]:
            check = _like(db, caller.project, wanted)
            made = check is None
            if check is None:
                if rows.count_checks(db, caller.project) >= self._config.most_checks:
                    raise Refused(403, "too many checks")
                check = Check(project_id=caller.project.id, created=self._clock.now())
            _apply(db, caller.project, check, wanted)
            return check, made, self._document(db, caller, check)

        check, made, document = await self._database.write(work)
        self._alerts.changed(check.alert_after)
        return answer(document, 201 if made else 200)

    async def _spec(self, caller: Caller) -> Spec:
        """What is wanted. Raises Refused. Finding out whether a schedule ever comes true can take too long for the event loop."""
        return await self._database.read(lambda _: spec.read(caller.body))

    async def _update(self, http: web.Request, caller: Caller) -> web.Response:
        # A uuid that is not theirs is refused before anything is said about the rest of the request.
        await self._database.read(lambda db: self._find(db, http, caller))
        wanted = await self._spec(caller)
        return await self._change(http, caller, lambda db, check: _apply(db, caller.project, check, wanted))

    async def _delete(self, http: web.Request, caller: Caller) -> web.Response:
        def work(db: sqlite3.Connection) -> dict[str, Any]:
            check = self._find(db, http, caller)
            document = self._document(db, caller, check)
            db.execute("DELETE FROM checks WHERE id = ?", (check.id,))
            return document

        return answer(await self._database.write(work))

    async def _pause(self, http: web.Request, caller: Caller) -> web.Response:
        def work(db: sqlite3.Connection, check: Check) -> None:
            old = check.status
            check.pause()
            self._changed_by_hand(db, check, old)

        return await self._change(http, caller, work)

    async def _resume(self, http: web.Request, caller: Caller) -> web.Response:
        def work(db: sqlite3.Connection, check: Check) -> None:
            old = check.status
            if old != "paused":
                raise Refused(409, "check is not paused")
            check.resume()
            self._changed_by_hand(db, check, old)

        return await self._change(http, caller, work)

    def _changed_by_hand(self, db: sqlite3.Connection, check: Check, old: str) -> None:
        rows.save(db, check)
        if check.status != old:
            rows.flip(db, check, old, self._clock.now(), "", tell=False)

    async def _change(
        self, http: web.Request, caller: Caller, change: Callable[[sqlite3.Connection, Check], None]
    ) -> web.Response:
        def work(db: sqlite3.Connection) -> tuple[Check, dict[str, Any]]:
            check = self._find(db, http, caller)
            change(db, check)
            return check, self._document(db, caller, check)

        check, document = await self._database.write(work)
        self._alerts.changed(check.alert_after)
        return answer(document)

    def _find(self, db: sqlite3.Connection, http: web.Request, caller: Caller) -> Check:
        """The check that an address names. Raises Refused when it is not there or another project's."""
        if unique := http.match_info.get("unique"):
            found = [one for one in rows.checks_of_project(db, caller.project) if one.unique_key == unique]
            check = found[0] if found else None
        else:
            check = rows.check_of_code(db, http.match_info["code"].lower())
        if check is None:
            raise Refused(404, "not found")
        if check.project_id != caller.project.id:
            raise Refused(403, "forbidden")
        return check

    def _document(self, db: sqlite3.Connection, caller: Caller, check: Check) -> dict[str, Any]:
        codes = None if caller.reads_only else rows.channels_of_check(db, check)
        return check.document(self._config.url, self._clock.now(), codes)

    # What happened

    async def _pings(self, http: web.Request, caller: Caller) -> web.Response:
        def work(db: sqlite3.Connection) -> str:
            return json.dumps({"pings": history.pings(db, self._find(db, http, caller), self._config)})

        return _answer_text(await self._database.read(work))

    async def _ping_body(self, http: web.Request, caller: Caller) -> web.Response:
        n = int(http.match_info["n"])
        body = await self._database.read(lambda db: history.body(db, self._find(db, http, caller), n))
        if not body:
            raise Refused(404, "not found")
        return web.Response(body=body, content_type="text/plain")

    async def _flips(self, http: web.Request, caller: Caller) -> web.Response:
        span = history.span(http.query, self._clock.now())
        flips = await self._database.read(lambda db: history.flips(db, self._find(db, http, caller), *span))
        return answer({"flips": flips})

    async def _channels(self, _: web.Request, caller: Caller) -> web.Response:
        return answer({"channels": await self._database.read(lambda db: rows.channels(db, caller.project))})

    async def _badges(self, _: web.Request, caller: Caller) -> web.Response:
        tags = await self._database.read(lambda db: rows.tags(db, caller.project))
        found = badges.addresses(self._config.url, caller.project.badge_key, self._keys, sorted({"*", *tags}))
        return answer({"badges": found})


async def json_body(http: web.Request) -> dict[str, Any]:
    """The JSON object that was sent; empty without a body. Raises Refused for anything else."""
    try:
        text = await http.read()
        given = json.loads(text) if text else {}
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "request body is too large") from None
    except (ValueError, RecursionError):
        raise Refused(400, "could not parse request body") from None
    if not isinstance(given, dict):
        raise Refused(400, "json validation error: value is not an object")
    return given


def answer(document: dict[str, Any], status: int = 200) -> web.Response:
    """A document as JSON."""
    return _answer_text(json.dumps(document), status)


def _answer_text(text: str, status: int = 200) -> web.Response:
    headers = {"Access-Control-Allow-Origin": "*"}
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def refusal(status: int, text: str, pause: int = 0) -> web.Response:
    """An error in the shape of Healthchecks."""
    response = answer({"error": text}, status)
    if pause:
        response.headers["Retry-After"] = str(pause)
    return response


def _like(db: sqlite3.Connection, project: Project, wanted: Spec) -> Check | None:
    """The oldest check that is the same in all fields of ``unique``; none where one of these was left out."""
    if not wanted.unique:
        return None
    values: dict[str, Any] = {name: getattr(wanted, name) for name in wanted.unique}
    if None in values.values():
        return None
    for name in {"timeout", "grace"} & values.keys():
        values[name] = int(values[name].total_seconds())
    found = rows.checks_of_project(db, project)
    return next((one for one in found if all(getattr(one, name) == value for name, value in values.items())), None)


def _apply(db: sqlite3.Connection, project: Project, check: Check, wanted: Spec) -> None:
    """Change a check as wanted and keep it. Raises Refused for channels that are not the project's."""
    channels = None if wanted.channels is None else _channel_ids(db, project, wanted.channels)
    for name in _PLAIN & wanted.model_fields_set:
        setattr(check, name, getattr(wanted, name))
    if wanted.subject is not None:
        check.success_kw = wanted.subject
    if wanted.subject_fail is not None:
        check.failure_kw = wanted.subject_fail
    if wanted.subject is not None or wanted.subject_fail is not None:
        check.filter_subject = bool(check.success_kw or check.failure_kw)
    if wanted.grace is not None:
        check.grace = int(wanted.grace.total_seconds())
    if wanted.schedule:
        check.kind, check.schedule = kind_of(wanted.schedule), wanted.schedule
    elif wanted.timeout is not None:
        check.kind, check.timeout = "simple", int(wanted.timeout.total_seconds())
    check.reckon()
    rows.save(db, check)
    if channels is not None:
        rows.set_channels(db, check, channels)


_PLAIN = set(Spec.model_fields) - {"timeout", "grace", "schedule", "channels", "unique", "subject", "subject_fail"}
"""Fields that a request and a check have in common."""


def _channel_ids(db: sqlite3.Connection, project: Project, wanted: str) -> list[int]:
    available = db.execute("SELECT id, code, name FROM channels WHERE project_id = ?", (project.id,)).fetchall()
    if wanted in ("", "*"):
        return [channel["id"] for channel in available if wanted]
    found = set()
    for name in wanted.split(","):
        if not name:
            raise Refused(400, "empty channel identifier")
        matches = [channel["id"] for channel in available if name in (channel["code"], channel["name"])]
        if not matches:
            raise Refused(400, f"invalid channel identifier: {name}")
        if len(matches) > 1:
            raise Refused(400, f"non-unique channel identifier: {name}")
        found.add(matches[0])
    return sorted(found)
