"""Pings: what comes in at ``/ping/…`` (https://healthchecks.io/docs/http_api/), and how it is kept."""

from __future__ import annotations

import sqlite3

from aiohttp import web

from naas_local.healthchecks import rows
from naas_local.healthchecks.alerts import Alerts
from naas_local.healthchecks.allowance import Allowance
from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.clock import Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.errors import Refused
from naas_local.healthchecks.keys import Keys
from naas_local.healthchecks.settings import HealthchecksConfig
from naas_local.healthchecks.targets import UUID, Ping, parse

BODY_LIMIT = 10_000
"""Bytes of a body that are kept; said in ``Ping-Body-Limit``."""
LARGEST = 1 << 20
"""Bytes of a body that are read at all."""
LONGEST_UA = 200
PRUNE_EVERY = 100
METHODS = ("HEAD", "GET", "POST")


class Pings:
    """Takes the pings of one server."""

    def __init__(
        self, config: HealthchecksConfig, database: Database, clock: Clock, keys: Keys, alerts: Alerts
    ) -> None:
        self._config, self._database, self._clock, self._keys, self._alerts = config, database, clock, keys, alerts
        self._allowance = Allowance(config.pings_per_minute)

    async def handle(self, http: web.Request) -> web.Response:
        """Answer a ping after it is on the disk."""
        try:
            created = await self._take(http)
        except Refused as error:
            return _answer(error.status, error.text, error.pause)
        return _answer(201, "Created") if created else _answer(200, "OK")

    async def _take(self, http: web.Request) -> bool:
        if http.method not in METHODS:
            raise Refused(405, "method not allowed")
        rid = http.query.get("rid")
        if rid is not None and not UUID.fullmatch(rid):
            raise Refused(400, "invalid uuid format")
        ping = Ping(
            target=parse(http.match_info["path"]),
            rid=rid.lower() if rid else None,
            create=http.query.get("create") == "1",
            method=http.method,
            scheme=http.scheme,
            remote=http.remote or "",
            ua=_text(http.headers.get("User-Agent", ""))[:LONGEST_UA],
            body=await _body(http),
        )
        created, check, flipped = await self._database.write(lambda db: self._keep(db, ping))
        self._alerts.changed(check.alert_after, flipped=flipped)
        return created

    def _keep(self, db: sqlite3.Connection, ping: Ping) -> tuple[bool, Check, bool]:
        check = self._check(db, ping)
        created = check is None
        if check is None:
            check = self._create(db, ping)
        if not self._allowance.take(check.code):
            raise Refused(429, "rate limited", self._allowance.pause)
        now = self._clock.now()
        action = _action(check, ping)
        old = check.take(action, ping.rid, now)
        rows.save_ping_state(db, check)
        _log(db, check, ping, action, now)
        if check.n_pings % PRUNE_EVERY == 0:
            rows.prune(db, check, self._config.ping_log, now)
        if old is not None:
            rows.flip(db, check, old, now, "fail" if action == "fail" else "")
        return created, check, old is not None

    def _check(self, db: sqlite3.Connection, ping: Ping) -> Check | None:
        """The check that a ping is for; None when it is to be made. Raises Refused."""
        if ping.target.code:
            check = rows.check_of_code(db, ping.target.code)
            if check is None:
                raise Refused(404, "not found")
            return check
        found = self._of_slug(db, ping)
        if len(found) > 1:
            raise Refused(409, "ambiguous slug")
        return found[0] if found else None

    def _of_slug(self, db: sqlite3.Connection, ping: Ping) -> list[Check]:
        project = rows.project_of_key(db, self._keys.kept(ping.target.key), "ping_key")
        found = [] if project is None else rows.checks_of_project(db, project[0], ping.target.slug)
        if project is None or not (found or ping.create):
            raise Refused(404, "not found")
        return found

    def _create(self, db: sqlite3.Connection, ping: Ping) -> Check:
        found = rows.project_of_key(db, self._keys.kept(ping.target.key), "ping_key")
        assert found is not None  # noqa: S101 - `_check` has seen it in this transaction
        if rows.count_checks(db, found[0]) >= self._config.most_checks:
            raise Refused(403, "too many checks")
        slug = ping.target.slug
        check = Check(project_id=found[0].id, created=self._clock.now(), name=slug, slug=slug)
        rows.save(db, check)
        rows.set_all_channels(db, check)
        return check


def _action(check: Check, ping: Ping) -> str:
    """What the check makes of a ping: what its address says, unless the check's own rules say otherwise."""
    if check.status == "paused" and check.manual_resume:
        return "ign"
    if check.methods == "POST" and ping.method != "POST":
        return "ign"
    if check.filter_http_body and ping.target.action == "success" and ping.target.exit_status is None:
        return _by_keywords(check, ping.body.decode(errors="replace"))
    return ping.target.action


def _by_keywords(check: Check, text: str) -> str:
    """https://healthchecks.io/docs/filtering_rules/: failure before success before start."""
    for action, keywords in (("fail", check.failure_kw), ("success", check.success_kw), ("start", check.start_kw)):
        if any(word and word in text for word in (part.strip() for part in keywords.split(","))):
            return action
    return "fail" if check.filter_default_fail else "ign"


def _log(db: sqlite3.Connection, check: Check, ping: Ping, action: str, now: int) -> None:
    db.execute(
        "INSERT INTO pings (check_id, n, created, kind, scheme, remote_addr, method, ua, rid, exitstatus, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(check.id, check.n_pings, now, action, ping.scheme, ping.remote, ping.method, ping.ua, ping.rid),
            *(ping.target.exit_status, ping.body or None),
        ),
    )


def _text(header: str) -> str:
    """A header whose bytes may be no UTF-8, as text that can be kept."""
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _body(http: web.Request) -> bytes:
    """The beginning of a body. Raises Refused when it is larger than anybody should send."""
    if http.method != "POST":
        return b""
    if (http.content_length or 0) > LARGEST:
        raise Refused(413, "request entity too large")
    kept, size = bytearray(), 0
    async for piece in http.content.iter_any():
        size += len(piece)
        if size > LARGEST:
            raise Refused(413, "request entity too large")
        kept += piece[: BODY_LIMIT - len(kept)]
    return bytes(kept)


def _answer(status: int, text: str, pause: int = 0) -> web.Response:
    headers = {"Ping-Body-Limit": str(BODY_LIMIT), "Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
    if pause:
        headers["Retry-After"] = str(pause)
    return web.Response(status=status, text=text, headers=headers)
