"""How much of the person's own bucket is used: told by the gateway where the store can tell, else counted by listing."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from naas_client.errors import NaasError
from naas_client.files import write_private_json
from naas_client.models import Usage
from pydantic import ValidationError

from naas_storage.agent.engine import Engine, remote_name
from naas_storage.agent.rc import RcError
from naas_storage.plan import AgentPlan

USAGE_NAME = "usage.json"
SHARE_OF_COUNTS = 0.01
"""Of the time may be spent on counting: 100 000 objects take 20 s, so they are counted every half hour."""
LONGEST_COUNT = 3600.0
LONGEST_AGE = 6 * 3600.0
"""Seconds after which it is counted anew however long that takes."""
RC_LIMIT = 5.0
LEVELS = (
    (
        0.95,
        "quota-critical",
        "More than 95 % of your bucket is used. Delete what you do not need, or ask for more space.",
    ),
    (
        0.80,
        "quota-warning",
        "More than 80 % of your bucket is used. Delete what you do not need, or ask for more space.",
    ),
)
STEP_BACK = 0.02
"""A warning is taken back only this share below its limit, so that it does not come and go with each file."""

log = logging.getLogger(__name__)
Ask = Callable[[], Awaitable[Usage]]


class UsageKeeper:
    """Keeps `current` true enough: a fresh number every now and then, and what was uploaded since on top.

    ``ask`` is `GatewayClient.storage_usage`. A count comes every `Timings.usage` seconds or, in a large bucket, so rarely that it
    takes a hundredth of the time; overwritten and deleted objects are known from the next count on. It is kept over restarts.
    """

    def __init__(
        self, plan: AgentPlan, ask: Ask, engine: Callable[[], Engine | None], changed: Callable[[], None]
    ) -> None:
        self.plan, self._ask, self._engine, self._changed = plan, ask, engine, changed
        self.current: Usage | None = self._left_over()
        self.code = self.reason = ""
        self._seen: tuple[Engine | None, set[tuple[str, str]]] = (None, set())
        self._again = asyncio.Event()

    def again(self) -> None:
        """Look anew at once: somebody made room, or wants to know."""
        self._again.set()

    async def keep(self) -> None:
        """Look for ever."""
        if self.plan.own is None:
            return
        self._judge()
        pause = self._first_pause()
        while True:
            await self._follow(pause)
            pause = await self._look()

    def _first_pause(self) -> float:
        if self.current is None:
            return 0
        age = (dt.datetime.now(dt.UTC) - self.current.at).total_seconds()
        return max(0.0, self.plan.timings.usage - age)

    async def _follow(self, seconds: float) -> None:
        """Add up what rclone uploads until it is time to look again."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0 and not self._again.is_set():
            await self._add_uploads()
            try:
                await asyncio.wait_for(self._again.wait(), min(self.plan.timings.poll, left))
            except TimeoutError:
                continue
        self._again.clear()

    async def _look(self) -> float:
        """Ask or count; gives the seconds until the next time."""
        began = asyncio.get_running_loop().time()
        try:
            told = await self._ask()
            self._set(told.model_copy(update={"quota_bytes": told.quota_bytes or self.plan.quota_bytes}))
            return self.plan.timings.usage
        except NaasError as error:
            if error.status != 404:  # it can tell, but not now
                return self.plan.timings.usage
        try:
            counted = await self._count()
        except (RcError, TimeoutError, KeyError, ValueError) as error:
            log.info("the bucket could not be counted: %s", error)
            counted = False
        if not counted:
            return min(self.plan.timings.usage, self.plan.timings.retry_limit)
        took = asyncio.get_running_loop().time() - began
        return max(self.plan.timings.usage, min(took / SHARE_OF_COUNTS, LONGEST_AGE))

    async def _count(self) -> bool:
        """Let rclone list the bucket, a thousand keys a page, with the person's credentials; nothing of it is kept in memory."""
        engine, own = self._engine(), self.plan.own
        if engine is None or own is None:
            return False
        await self._add_uploads()
        answer = await engine.rc("operations/size", LONGEST_COUNT, fs=remote_name(own))
        await self._add_uploads()  # they are in the count; whatever ended meanwhile is corrected by the next one
        self._set(
            Usage(
                used_bytes=max(0, int(answer["bytes"])),
                objects=int(answer["count"]),
                quota_bytes=self.plan.quota_bytes,
                at=dt.datetime.now(dt.UTC),
                source="counted",
            )
        )
        return True

    async def _add_uploads(self) -> None:
        """What the running rclone has sent since the last look (it remembers its last hundred transfers)."""
        engine = self._engine()
        if engine is None:
            return
        try:
            answer = await engine.rc("core/transferred", RC_LIMIT)
            sent = {_identity(one): int(one["bytes"]) for one in answer["transferred"] or [] if _upload(one)}
        except (RcError, TimeoutError, KeyError, TypeError, ValueError):
            return
        same, before = self._seen[0] is engine, self._seen[1]
        self._seen = (engine, set(sent))
        new = [size for identity, size in sent.items() if not same or identity not in before]
        if new and self.current is not None:
            used = self.current.used_bytes + sum(new)
            objects = None if self.current.objects is None else self.current.objects + len(new)
            self._set(self.current.model_copy(update={"used_bytes": used, "objects": objects}))

    def _set(self, usage: Usage) -> None:
        self.current = usage
        self._judge()
        try:
            write_private_json(self.plan.run / USAGE_NAME, usage.model_dump(mode="json"))
        except OSError as error:
            log.error("%s cannot be written: %s", USAGE_NAME, error.strerror)
        self._changed()

    def _left_over(self) -> Usage | None:
        try:
            usage = Usage.model_validate_json((self.plan.run / USAGE_NAME).read_text())
        except (OSError, ValidationError):
            return None
        return usage.model_copy(update={"quota_bytes": self.plan.quota_bytes})

    def _judge(self) -> None:
        share = self.share
        for limit, code, reason in LEVELS:
            if share >= limit - (STEP_BACK if self._has_reached(code) else 0):
                self.code, self.reason = code, reason
                return
        self.code = self.reason = ""

    def _has_reached(self, code: str) -> bool:
        order = [level[1] for level in reversed(LEVELS)]
        return self.code in order and order.index(self.code) >= order.index(code)

    @property
    def share(self) -> float:
        """Used part of the quota; 0 when one of them is not known."""
        usage = self.current
        return usage.used_bytes / usage.quota_bytes if usage and usage.quota_bytes else 0.0


def _upload(transfer: dict[str, Any]) -> bool:
    return not transfer.get("error") and not transfer.get("checked") and "/vfs/" in str(transfer.get("srcFs", ""))


def _identity(transfer: dict[str, Any]) -> tuple[str, str]:
    return str(transfer["name"]), str(transfer["completed_at"])
