"""Badges: small pictures and documents that tell the state of all checks with a tag, or of one check, to whoever has the address."""

from __future__ import annotations

import base64
import hmac
import sqlite3
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from naas_local.healthchecks.checks import Check
from naas_local.healthchecks.clock import Clock
from naas_local.healthchecks.database import Database
from naas_local.healthchecks.keys import Keys

TWO_STATES = "-2"
"""At the end of a signature: late counts as up."""
SIGNATURE = 8
"""Characters."""
LABEL = "Healthchecks"
"""What the badge of all checks is called."""
FORMATS = ("svg", "json", "shields")
_COLOURS = {"up": ("#4c1", "success"), "late": ("#fe7d37", "important"), "down": ("#e05d44", "critical")}
_NARROW, _WIDE = set("fijlrt-I1.,: "), set("mwMW@")
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {status}">'
    "<title>{label}: {status}</title>"
    '<clipPath id="r"><rect width="{width}" height="20" rx="3" fill="#fff"/></clipPath><g clip-path="url(#r)">'
    '<rect width="{left}" height="20" fill="#555"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
    '<g fill="#fff" text-anchor="middle" font-family="DejaVu Sans,Verdana,Geneva,sans-serif" font-size="11">'
    '<text x="{left_middle}" y="14">{label}</text><text x="{right_middle}" y="14">{status}</text></g></svg>'
)


def addresses(base: str, badge_key: str, keys: Keys, tags: list[str]) -> dict[str, dict[str, str]]:
    """Per tag, the addresses of its badges; ``*`` is all checks."""
    found = {}
    for tag in tags:
        signature = _signature(keys, badge_key, tag)
        end = "" if tag == "*" else f"/{quote(tag, safe='')}"
        found[tag] = {
            f"{kind}{states}": f"{base}/badge/{badge_key}/{signature}{'' if states else TWO_STATES}{end}.{kind}"
            for kind in FORMATS
            for states in ("", "3")
        }
    return found


def _signature(keys: Keys, badge_key: str, tag: str) -> str:
    digest = keys.kept(f"badge {badge_key} {tag}")
    return base64.urlsafe_b64encode(digest).decode()[:SIGNATURE]


class Badges:
    """Shows the badges of one server."""

    def __init__(self, database: Database, clock: Clock, keys: Keys) -> None:
        self._database, self._clock, self._keys = database, clock, keys

    def add_routes(self, app: web.Application) -> None:
        """Let an application answer them."""
        kind = f"{{kind:{'|'.join(FORMATS)}}}"
        app.router.add_get(f"/badge/{{key}}/{{signature}}.{kind}", self._of_tag)
        app.router.add_get(f"/badge/{{key}}/{{signature}}/{{tag}}.{kind}", self._of_tag)
        app.router.add_get(f"/b/{{states:[23]}}/{{key}}.{kind}", self._of_check)

    async def _of_tag(self, http: web.Request) -> web.Response:
        key, signature = http.match_info["key"], http.match_info["signature"]
        tag = http.match_info.get("tag", "*")
        two_states = signature.endswith(TWO_STATES)
        given = signature.removesuffix(TWO_STATES).encode()
        if not hmac.compare_digest(given, _signature(self._keys, key, tag).encode()):
            raise web.HTTPNotFound
        sql = "SELECT c.* FROM checks c JOIN projects p ON p.id = c.project_id WHERE p.badge_key = ?"
        checks = await self._checks(sql, key)
        shown = [check for check in checks if tag == "*" or tag in check.tag_list]
        return self._badge(http, LABEL if tag == "*" else tag, shown, late=not two_states)

    async def _of_check(self, http: web.Request) -> web.Response:
        checks = await self._checks("SELECT * FROM checks WHERE badge_key = ?", http.match_info["key"])
        if not checks:
            raise web.HTTPNotFound
        return self._badge(http, checks[0].title, checks, late=http.match_info["states"] == "3")

    async def _checks(self, sql: str, key: str) -> list[Check]:
        def work(db: sqlite3.Connection) -> list[Check]:
            return [Check.of(row) for row in db.execute(sql, (key,))]

        return await self._database.read(work)

    def _badge(self, http: web.Request, label: str, checks: list[Check], *, late: bool) -> web.Response:
        now = self._clock.now()
        states = [check.state(now) for check in checks]
        status = "down" if "down" in states else "late" if late and "grace" in states else "up"
        headers = {"Cache-Control": "no-cache, no-store, must-revalidate", "Access-Control-Allow-Origin": "*"}
        if http.match_info["kind"] == "svg":
            return web.Response(text=_picture(label, status), content_type="image/svg+xml", headers=headers)
        document: dict[str, Any] = {
            "status": status,
            "total": len(states),
            "grace": states.count("grace"),
            "down": states.count("down"),
        }
        if http.match_info["kind"] == "shields":
            document = {"schemaVersion": 1, "label": label, "message": status, "color": _COLOURS[status][1]}
        return web.json_response(document, headers=headers)


def _picture(label: str, status: str) -> str:
    left, right = _width(label) + 10, _width(status) + 10
    return _SVG.format(
        width=left + right,
        left=left,
        right=right,
        left_middle=left / 2,
        right_middle=left + right / 2,
        label=escape(label, {'"': "&quot;"}),
        status=status,
        colour=_COLOURS[status][0],
    )


def _width(text: str) -> int:
    """About how many pixels a text takes."""
    return sum(4 if letter in _NARROW else 10 if letter in _WIDE else 7 for letter in text)
