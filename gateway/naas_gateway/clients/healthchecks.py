"""Healthchecks' Management API v3 (https://healthchecks.io/docs/api/), as far as the gateway needs it.

Answers are given as the server sent them, checked only for their shape. The API key is a header, never part of an address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from naas_client.errors import Conflict, InvalidInput, NotFound, Unavailable
from naas_client.settings import HealthchecksSection
from pydantic import BaseModel, ValidationError

from naas_gateway.clients.http import Answer, Service
from naas_gateway.metrics import CHECK_REQUESTS

TITLE = "Healthchecks"
LARGEST_ANSWER = 16 << 20
"""Bytes: 10 000 checks, the most that an account has, in one list."""
TIMEOUT = 6.0
"""Seconds of one try: two of them and what is done beside still answer a panel in time."""
WAIT = 50
"""Seconds that the embedded server lets us wait for notifications."""
NOBODYS = "00000000-0000-0000-0000-000000000000"
"""No check's UUID (RFC 9562 §5.9)."""
FIRST_PAUSE = 30.0
"""Seconds to wait after a 429 that does not say how long."""

Document = dict[str, Any]


class KeyRefused(Exception):
    """The server does not know this API key (any more), or it may not do this."""


class Limited(Exception):
    """The server was asked too often with this key. ``pause``: seconds to wait."""

    def __init__(self, pause: float) -> None:
        super().__init__(f"wait {pause:.0f} s")
        self.pause = pause


class Healthchecks:
    """One server. Every call but `status` takes an API key, and may raise KeyRefused, Limited or Unavailable."""

    def __init__(self, settings: HealthchecksSection) -> None:
        self._api = f"{settings.url}/api/v3"
        self.service = Service("healthchecks", TITLE, settings.url, timeout=TIMEOUT, largest=LARGEST_ANSWER)

    def require_circuit(self) -> None:
        """Raise NeverSent while the server is not asked because it did not answer; to be called before each call with a key."""
        self.service.require_circuit()

    async def status(self) -> None:
        """Raise Unavailable unless the server and its database answer."""
        answer = await self.service.request("GET", f"{self._api}/status/")
        if answer.status != 200:
            raise self._odd(answer)

    async def may_write(self, key: str) -> bool:
        """Whether a key is a read-write one: only such a one may ask for pings, of no matter which check."""
        try:
            await self._ask("GET", f"/checks/{NOBODYS}/pings/", key)
        except NotFound:
            return True
        except KeyRefused:
            return False
        return True

    async def checks(self, key: str) -> list[Document]:
        """All checks of the project."""
        return self._list(await self._ask("GET", "/checks/", key), "checks")

    async def create(self, key: str, fields: Mapping[str, Any]) -> tuple[Document, bool]:
        """Make a check, or change the one that ``unique`` finds; the check, and whether it is new.

        Raises InvalidInput with the server's reason, Conflict (``check-limit``).
        """
        answer = await self._send("POST", "/checks/", key, fields)
        if answer.status == 403:
            raise Conflict(
                "The project has as many checks as its account may have. Delete some first.", code="check-limit"
            )
        return self._document(self._understood(answer)), answer.status == 201

    async def update(self, key: str, check: str, fields: Mapping[str, Any]) -> Document:
        """Change a check. Raises InvalidInput, NotFound."""
        return self._document(await self._ask("POST", _path(check), key, fields))

    async def delete(self, key: str, check: str) -> None:
        """Delete a check. Raises NotFound."""
        await self._ask("DELETE", _path(check), key)

    async def pause(self, key: str, check: str) -> Document:
        """Pause a check. Raises NotFound."""
        return self._document(await self._ask("POST", f"{_path(check)}/pause", key, {}))

    async def resume(self, key: str, check: str) -> Document:
        """End a pause. Raises NotFound, Conflict when there is none."""
        return self._document(await self._ask("POST", f"{_path(check)}/resume", key, {}))

    async def pings(self, key: str, check: str) -> list[Document]:
        """The logged pings of a check, newest first. Raises NotFound."""
        return self._list(await self._ask("GET", f"{_path(check)}/pings/", key), "pings")

    async def ping_body(self, key: str, check: str, n: int) -> bytes:
        """The body of a ping. Raises NotFound when it had none, or is not kept any more."""
        return (await self._ask("GET", f"{_path(check)}/pings/{n}/body", key)).body

    async def flips(self, key: str, check: str, start: int, end: int) -> list[Document]:
        """Changes of state between two Unix times. Raises NotFound."""
        answer = await self._ask("GET", f"{_path(check)}/flips/?start={start}&end={end}", key)
        found = answer.json()
        return self._list(answer, "flips") if isinstance(found, dict) else self._documents(found)

    async def channels(self, key: str) -> list[Document]:
        """The integrations of the project; needs a read-write key."""
        return self._list(await self._ask("GET", "/channels/", key), "channels")

    async def badges(self, key: str) -> Document:
        """Addresses of badges by tag."""
        found = self._document(await self._ask("GET", "/badges/", key)).get("badges")
        if not isinstance(found, dict):
            raise self._unreadable()
        return found

    async def _ask(self, method: str, path: str, key: str, fields: Mapping[str, Any] | None = None) -> Answer:
        return self._understood(await self._send(method, path, key, fields))

    async def _send(self, method: str, path: str, key: str, fields: Mapping[str, Any] | None = None) -> Answer:
        headers = {"X-Api-Key": key, "Accept": "application/json"}
        content = None
        if fields is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(fields).encode()
        try:
            answer = await self.service.request(
                method,
                f"{self._api}{path}",
                headers=headers,
                content=content,
                repeatable=method == "GET",
                checked=True,
            )
        except Unavailable:
            CHECK_REQUESTS.labels("failed").inc()
            raise
        if answer.status == 429:
            CHECK_REQUESTS.labels("limited").inc()
            raise Limited(_pause(answer))
        if answer.status == 401 and self._error(answer):  # a proxy's 401 says nothing about the key
            CHECK_REQUESTS.labels("wrong-key").inc()
            raise KeyRefused
        CHECK_REQUESTS.labels("ok" if answer.status < 300 else "refused").inc()
        return answer

    def _understood(self, answer: Answer) -> Answer:
        """The answer, if it is a good one."""
        if answer.status in (200, 201):
            return answer
        if answer.status == 400:
            why = self._error(answer).removeprefix("json validation error: ") or "it does not say why"
            raise InvalidInput(f"{TITLE} refuses this: {why[:200].rstrip('.')}. Correct it and send it again.")
        if answer.status in (403, 404):  # 403: another project's check
            raise NotFound(f"{TITLE} has no such check, ping or body in this project. Look at the list.")
        if answer.status == 409:
            raise Conflict("The check is not paused. Look at the list.", code="not-paused")
        raise self._odd(answer)

    def _odd(self, answer: Answer) -> Unavailable:
        return Unavailable(
            f"{TITLE} answered with status {answer.status}. Try again later.", code=f"{self.service.name}-down"
        )

    def _unreadable(self) -> Unavailable:
        return Unavailable(
            f"{TITLE} sent an answer that cannot be read. Ask the operators.", code=f"{self.service.name}-down"
        )

    def _error(self, answer: Answer) -> str:
        """The reason in an error of Healthchecks' own; empty for any other answer."""
        try:
            document = json.loads(answer.body)
        except ValueError:
            return ""
        return str(document.get("error", "")) if isinstance(document, dict) else ""

    def _list(self, answer: Answer, name: str) -> list[Document]:
        return self._documents(self._document(answer).get(name))

    def _documents(self, found: Any) -> list[Document]:
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._unreadable()
        return found

    def _document(self, answer: Answer) -> Document:
        found = answer.json()
        if not isinstance(found, dict):
            raise self._unreadable()
        return found


class HealthchecksAdmin:
    """What only the embedded server has (`naas_local.healthchecks.admin`): projects made by call. Parameters: ``key``, its admin key."""

    def __init__(self, settings: HealthchecksSection, service: Service, key: str) -> None:
        self._projects, self._service, self._key = f"{settings.url}/api/projects", service, key

    async def project(self, owner: str, email: str) -> str:
        """A read-write API key of somebody's project, which is made when it is not there yet.

        The server keeps no key that it could tell again: of a project that is there, the keys before end. Raises Unavailable.
        """
        made = await self.make(owner, email)
        key = made.get("api_key") or (await self._send("POST", f"{self._of(owner)}/keys", {})).get("api_key")
        if not isinstance(key, str):
            raise Unavailable(f"{TITLE} gave no key for a new project. Ask the operators.", code="healthchecks-down")
        return key

    async def make(self, owner: str, email: str) -> Document:
        """Make somebody's project, unless it is there, with this e-mail address for its alerts (empty: none). Raises Unavailable."""
        return await self._send("PUT", self._of(owner), {"name": owner, "email": email})

    def _of(self, owner: str) -> str:
        return f"{self._projects}/{quote(owner, safe='')}"

    async def _send(self, method: str, address: str, fields: Document) -> Document:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        content = json.dumps(fields).encode()
        answer = await self._service.request(method, address, headers=headers, content=content, repeatable=False)
        found = answer.json() if answer.status in (200, 201) else None
        if not isinstance(found, dict):
            raise Unavailable(
                f"{TITLE} does not make a project: status {answer.status}. Check healthchecks.admin_key_file.",
                code="healthchecks-down",
            )
        return found


class Notification(BaseModel):
    """What the embedded server has for somebody's channel *Lab*: a check of theirs has another state."""

    id: int
    owner: str
    check: str
    name: str
    old_status: str
    new_status: str
    reason: str
    exit_status: int | None


class _Notifications(BaseModel):
    notifications: list[Notification]
    newest: int


class Notifications:
    """Notifications of the embedded server, on a circuit and with a limit of their own: who waits for them is answered late.

    Parameters: ``key``, its admin key.
    """

    def __init__(self, settings: HealthchecksSection, key: str) -> None:
        self.url, self._key = settings.url, key
        self.service = Service("healthchecks-notifications", TITLE, settings.url, timeout=WAIT + TIMEOUT)

    async def after(self, position: int, *, wait: bool) -> tuple[list[Notification], int]:
        """Those after a position, oldest first (perhaps not all), and the id of the newest that there was. Raises Unavailable.

        Parameters: ``wait``, for the next, at most `WAIT` seconds; without, only the newest id is of use.
        """
        address = f"{self.url}/api/notifications?after={position}&wait={WAIT if wait else 0}"
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = await self.service.request("GET", address, headers=headers)
        try:
            found = _Notifications.model_validate_json(answer.body if answer.status == 200 else b"")
        except ValidationError:
            raise Unavailable(
                f"{TITLE} does not tell its notifications: status {answer.status}. Check healthchecks.admin_key_file.",
                code="healthchecks-down",
            ) from None
        return found.notifications, found.newest


def _path(check: str) -> str:
    return f"/checks/{quote(check, safe='')}"


def _pause(answer: Answer) -> float:
    """Seconds of ``Retry-After`` (RFC 9110 §10.2.3); a date is not worth reading."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else FIRST_PAUSE
