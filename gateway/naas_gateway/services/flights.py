"""One piece of work at a time per key: callers that come while it runs get its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Flights(Generic[Key, Value]):
    """Running work by key. It goes on when its callers go away: half-done work at IAM would lose a token."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Value]] = {}

    async def run(self, key: Key, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """The result of the work for a key, which is started unless it runs already."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: Key, task: asyncio.Task[Value]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, even when every caller is gone

    async def drain(self, limit: float) -> None:
        """Wait for what is running, ``limit`` seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=limit)
