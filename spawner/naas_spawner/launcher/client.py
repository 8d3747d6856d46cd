"""The hub's side of the launcher's socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, Unavailable
from naas_client.sockets import connect

from naas_spawner.launcher.protocol import LONGEST_LINE, Kind, Task

LOOK = 0.01
"""Seconds between two looks at a child that ends."""


@dataclass(frozen=True)
class Started:
    """A process: its pid and its start in clock ticks since boot."""

    pid: int
    started: int


@dataclass(frozen=True)
class Polled:
    """How a process is; ``exit`` as a shell counts it, None when unknown or running."""

    running: bool
    pid: int | None
    exit: int | None


class _ChildRefused(InvalidInput):
    """The forked child, not the launcher, has refused."""


class LauncherClient:
    """The launcher behind its socket.

    Every call raises `Unavailable` (code ``no-launcher``) when it does not answer within ``timeout`` seconds, and `InvalidInput`
    (code ``launcher-refused``) with its own sentence when it refuses.
    """

    def __init__(self, path: Path, timeout: float = 20) -> None:
        self.path, self.timeout = path, timeout

    async def start(self, kind: Kind, key: str, uid: int | None, task: Task) -> Started:
        """Fork a process. The task goes to the child alone, after the launcher's word."""
        header = {"op": "start", "key": key, "kind": kind, "uid": uid}
        try:
            answer = await self._ask(header, task.model_dump_json().encode())
        except _ChildRefused as error:
            await self._wait_ended(kind, key)  # it is about to end; a new try must not meet it
            raise InvalidInput(error.message, code=error.code) from None
        return Started(answer["pid"], answer["started"])

    async def _wait_ended(self, kind: Kind, key: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timeout):
                while (await self.poll(kind, key)).running:  # noqa: ASYNC110 - another process ends
                    await asyncio.sleep(LOOK)

    async def poll(self, kind: Kind, key: str) -> Polled:
        """Whether a process runs."""
        answer = await self._ask({"op": "poll", "key": key, "kind": kind})
        return Polled(answer["running"], answer["pid"], answer["exit"])

    async def stop(self, kind: Kind, key: str, grace: float) -> None:
        """End a process and everything below it; returns when it is gone."""
        await self._ask({"op": "stop", "key": key, "kind": kind, "grace": grace}, more_time=grace)

    async def _ask(self, request: dict[str, Any], second: bytes | None = None, more_time: float = 0) -> dict[str, Any]:
        try:
            answer = await asyncio.wait_for(self._exchange(request, second), self.timeout + more_time)
        except (OSError, ValueError, TimeoutError) as error:
            raise Unavailable(
                "The launcher of servers does not answer. Try again in a moment; operators find the cause in its log.",
                code="no-launcher",
            ) from error
        if "error" in answer:
            refused = _ChildRefused if answer.get("child") else InvalidInput
            raise refused(answer["error"], code="launcher-refused")
        return answer

    async def _exchange(self, request: dict[str, Any], second: bytes | None) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(sock=connect(self.path), limit=LONGEST_LINE)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await reader.readline())
            if second is not None and answer.get("send"):
                writer.write(second + b"\n")
                answer = json.loads(await reader.readline())
            return answer
        finally:
            writer.close()
