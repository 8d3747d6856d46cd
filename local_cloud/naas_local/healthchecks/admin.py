"""Projects, for which Healthchecks has no API: made for a person by whoever has `admin.key`, below ``/api/projects``.

``PUT /api/projects/{owner}``     ``{"name", "email"}``: 201 with the project's keys, the only time they are shown; 200 without them when
                                  it is there already: then only ``email``, if given, counts, in place of the address before
``GET`` · ``DELETE …/{owner}``    the project, with how the last alert of each channel failed · ends it with all its checks
``POST …/{owner}/keys``           new keys; the ones before end
``POST …/{owner}/channels``       ``{"kind": "email" | "webhook", "name", "value"}``: 201 with its ``id``
``DELETE …/{owner}/channels/{id}``
``GET /api/notifications``        ``?after=ID&wait=S``: what went to people's "lab" channels after a notification, from all projects;
                                  with ``wait``, answers when there is something, or empty after so many seconds; ``newest`` is the
                                  id of the newest that there ever was, less than ``after`` on a server that was set up anew
"""

from __future__ import annotations

import asyncio
import hmac
import re
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Self

from aiohttp import web
from naas_client.addresses import EMAIL
from naas_client.files import secret_file
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from naas_local.healthchecks import keys as keys_module
from naas_local.healthchecks import rows
from naas_local.healthchecks.alerts import Alerts
from naas_local.healthchecks.api import answer, json_body, refusal
from naas_local.healthchecks.clock import Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.errors import Refused
from naas_local.healthchecks.keys import Keys
from naas_local.healthchecks.rows import LAB, Project
from naas_local.healthchecks.settings import ADMIN_KEY, HealthchecksConfig
from naas_local.healthchecks.times import whole_seconds

LONGEST_OWNER = 200
LONGEST_WAIT = 60
"""Seconds."""
MOST_NOTIFICATIONS = 100
"""In one answer; there may be more after the last of them."""
_WEB = re.compile(r"https?://[^\s/?#]+[^\s#]*")


class NewProject(BaseModel):
    """Whose project it will be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=100)
    email: str = Field("", description="where alerts go as well")

    @field_validator("email")
    @classmethod
    def _email(cls, value: str) -> str:
        if value and not EMAIL.fullmatch(value):
            raise ValueError("no e-mail address")
        return value


class NewChannel(BaseModel):
    """Where alerts go."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["email", "webhook"]
    name: str = Field("", max_length=100)
    value: str = Field(max_length=1000, description="address")

    @model_validator(mode="after")
    def _address(self) -> Self:
        if self.kind == "email" and not EMAIL.fullmatch(self.value):
            raise ValueError("value is no e-mail address")
        if self.kind == "webhook" and not _WEB.fullmatch(self.value):
            raise ValueError("value is no address that begins with http:// or https://")
        return self


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Admin:
    """The administrator's calls, which have to show `admin.key`."""

    def __init__(
        self, config: HealthchecksConfig, database: Database, clock: Clock, keys: Keys, alerts: Alerts
    ) -> None:
        self._database, self._clock, self._keys, self._alerts = database, clock, keys, alerts
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._secret, self._sends_mail = secret_file(config.data / ADMIN_KEY), bool(config.mail.host)

    def add_routes(self, app: web.Application) -> None:
        """Let an application answer them."""
        app.on_shutdown.append(self._close)
        one = "/api/projects/{owner}"
        for method, path, work in (
            ("PUT", one, self._make),
            ("GET", one, self._show),
            ("DELETE", one, self._delete),
            ("POST", f"{one}/keys", self._new_keys),
            ("POST", f"{one}/channels", self._new_channel),
            ("DELETE", f"{one}/channels/{{channel}}", self._delete_channel),
            ("GET", "/api/notifications", self._notifications),
        ):
            app.router.add_route(method, path, self._guarded(work))

    async def _close(self, _: web.Application) -> None:
        """Let go whoever waits for notifications."""
        self._closing.set_result(None)

    def _guarded(self, work: Handler) -> Handler:
        async def handle(http: web.Request) -> web.Response:
            given = http.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {self._secret}".encode()):
                return refusal(401, "This needs the server's admin.key as a bearer token.")
            try:
                return await work(http)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                return refusal(400, f"{where}: {first['msg']}".removeprefix(": "))
            except Refused as error:
                return refusal(error.status, error.text)

        return handle

    async def _make(self, http: web.Request) -> web.Response:
        owner = _owner(http)
        wanted = NewProject.model_validate(await json_body(http))

        def work(db: sqlite3.Connection) -> tuple[Project, dict[str, str]]:
            if (known := _project(db, owner)) is not None:
                if "email" in wanted.model_fields_set:
                    rows.set_address(db, known.id, wanted.email)
                    if self._sends_mail:
                        rows.add_mail_channels(db)
                return known, {}
            db.execute(
                "INSERT INTO projects (owner, name, email, created, badge_key) VALUES (?, ?, ?, ?, ?)",
                (owner, wanted.name or owner, wanted.email, self._clock.now(), str(uuid.uuid4())),
            )
            made = _known(db, owner)
            rows.add_channel(db, made.id, LAB, "Lab", "")
            if self._sends_mail:
                rows.add_mail_channels(db)
            return made, self._give_keys(db, made)

        project, keys = await self._database.write(work)
        return answer({"owner": project.owner, "name": project.name, **keys}, 201 if keys else 200)

    def _give_keys(self, db: sqlite3.Connection, project: Project) -> dict[str, str]:
        keys = {kind: self._keys.make(kind) for kind in keys_module.KINDS}
        kept = [self._keys.kept(key) for key in keys.values()]
        columns = ", ".join(f"{kind} = ?" for kind in keys)
        db.execute(f"UPDATE projects SET {columns} WHERE id = ?", (*kept, project.id))  # noqa: S608 - our own columns
        return keys

    async def _show(self, http: web.Request) -> web.Response:
        owner = _owner(http)

        def work(db: sqlite3.Connection) -> dict[str, Any]:
            project = _known(db, owner)
            errors = {row["code"]: row["last_error"] for row in db.execute("SELECT code, last_error FROM channels")}
            channels = [{**channel, "last_error": errors[channel["id"]]} for channel in rows.channels(db, project)]
            return {"owner": owner, "name": project.name, "channels": channels}

        return answer(await self._database.read(work))

    async def _delete(self, http: web.Request) -> web.Response:
        owner = _owner(http)

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM projects WHERE id = ?", (_known(db, owner).id,))

        await self._database.write(work)
        return web.Response(status=204)

    async def _new_keys(self, http: web.Request) -> web.Response:
        owner = _owner(http)
        return answer(await self._database.write(lambda db: self._give_keys(db, _known(db, owner))))

    async def _new_channel(self, http: web.Request) -> web.Response:
        owner, wanted = _owner(http), NewChannel.model_validate(await json_body(http))
        if wanted.kind == "email" and not self._sends_mail:
            raise Refused(400, "This service sends no e-mail. Set mail.host in naas.yaml first.")

        def work(db: sqlite3.Connection) -> str:
            return rows.add_channel(db, _known(db, owner).id, wanted.kind, wanted.name, wanted.value)

        code = await self._database.write(work)
        return answer({"id": code, "name": wanted.name, "kind": wanted.kind}, 201)

    async def _delete_channel(self, http: web.Request) -> web.Response:
        owner, code = _owner(http), http.match_info["channel"]

        def work(db: sqlite3.Connection) -> None:
            gone = db.execute("DELETE FROM channels WHERE code = ? AND project_id = ?", (code, _known(db, owner).id))
            if not gone.rowcount:
                raise Refused(404, "There is no such channel.")

        await self._database.write(work)
        return web.Response(status=204)

    async def _notifications(self, http: web.Request) -> web.Response:
        after, wait = _whole(http, "after", 2**62), _whole(http, "wait", LONGEST_WAIT)
        end = asyncio.get_running_loop().time() + wait
        while True:
            told = self._alerts.told()
            found, newest = await self._database.read(lambda db: (_for_lab(db, after), _newest(db)))
            left = end - asyncio.get_running_loop().time()
            if found or newest < after or left <= 0 or self._closing.done():
                return answer({"notifications": found, "newest": newest})
            await asyncio.wait({told, self._closing}, timeout=left, return_when=asyncio.FIRST_COMPLETED)


def _owner(http: web.Request) -> str:
    owner = http.match_info["owner"]
    if len(owner) > LONGEST_OWNER or not owner.isprintable():
        raise Refused(400, f"An owner is named by at most {LONGEST_OWNER} printable characters.")
    return owner


def _whole(http: web.Request, name: str, most: int) -> int:
    text = http.query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise Refused(400, f"{name} is a whole number up to {most}.")
    return int(text)


def _project(db: sqlite3.Connection, owner: str) -> Project | None:
    row = db.execute("SELECT id, owner, name, badge_key FROM projects WHERE owner = ?", (owner,)).fetchone()
    return None if row is None else Project(**row)


def _known(db: sqlite3.Connection, owner: str) -> Project:
    if (project := _project(db, owner)) is None:
        raise Refused(404, f"{owner} has no project. Make it with PUT /api/projects/{owner}.")
    return project


def _newest(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'notifications'").fetchone()
    return 0 if found is None else int(found[0])


def _for_lab(db: sqlite3.Connection, after: int) -> list[dict[str, Any]]:
    found = db.execute(
        "SELECT n.id, p.owner, k.code, k.name, f.created, f.old_status, f.new_status, f.reason, (SELECT g.exitstatus FROM pings g "
        "WHERE g.check_id = k.id AND g.created = f.created AND f.reason = 'fail' ORDER BY g.n LIMIT 1) exit_status FROM notifications n "
        "JOIN channels c ON c.id = n.channel_id JOIN flips f ON f.id = n.flip_id JOIN checks k ON k.id = f.check_id "
        "JOIN projects p ON p.id = k.project_id WHERE c.kind = ? AND n.id > ? ORDER BY n.id LIMIT ?",
        (LAB, after, MOST_NOTIFICATIONS),
    )
    return [
        {
            "id": row["id"],
            "owner": row["owner"],
            "check": row["code"],
            "name": row["name"],
            "timestamp": whole_seconds(row["created"]),
            "old_status": row["old_status"],
            "new_status": row["new_status"],
            "reason": row["reason"],
            "exit_status": row["exit_status"],
        }
        for row in found
    ]
