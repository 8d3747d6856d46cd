"""What the look after withdrawn names does when something else happens while it waits for the store.

No store can be made to answer in just that moment, so rclone's remote control is a function of the test here; `tests/faults` has the
rows with a real rclone and real stores.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from naas_client.models import Folder
from naas_storage.agent.engine import Engine, in_cache
from naas_storage.agent.withdrawn import Withdrawn

LIMIT = 20.0
"""Seconds; the second look at a name comes after one."""
NOW = "2026-01-02T03:04:05.678901234Z"


class RemoteControl:
    """Answers as an rclone does that finds nothing, or as ``stat`` says. ``asked``: the names that were asked for."""

    def __init__(self, stat: Callable[[str], Awaitable[None]]) -> None:
        self._stat, self.asked = stat, cast("list[str]", [])

    async def rc(self, method: str, _limit: float, **parameters: Any) -> dict[str, Any]:
        assert method == "operations/stat"
        self.asked.append(parameters["remote"])
        await self._stat(parameters["remote"])
        return {"item": None}


def say(withdrawn: Withdrawn, name: str, *messages: str) -> None:
    """Rclone says these about a file."""
    for message in messages:
        withdrawn.note(name, f"vfs cache: {message}", NOW)


@contextlib.asynccontextmanager
async def two_names(tmp_path: Path, store: RemoteControl) -> AsyncIterator[Withdrawn]:
    """Two names, due at the same time, and the look after them."""
    withdrawn = Withdrawn(Folder(name="alice", bucket="alice"), tmp_path)
    for name in ("one", "two"):
        say(withdrawn, name, "queuing for upload in 100ms", "upload canceled")
    keeping = asyncio.create_task(withdrawn.keep(cast("Engine", store), tmp_path, 0.4))
    try:
        yield withdrawn
        assert not keeping.done(), keeping.exception()
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def until(holds: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + LIMIT
    while not holds():
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {LIMIT:g} s"
        await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_a_name_that_is_sent_anew_while_another_is_looked_after(tmp_path: Path) -> None:
    """The first version took the second name from its list although it was settled, and all folders ended."""

    async def stat(name: str) -> None:
        if name == "one" and "two" in withdrawn.names:
            file = in_cache(withdrawn.folder, tmp_path / "vfs") / "two"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"new")
            say(withdrawn, "two", "queuing for upload in 100ms", "upload succeeded try #1")

    store = RemoteControl(stat)
    async with two_names(tmp_path, store) as withdrawn:
        await until(lambda: store.asked.count("one") > 1, "one is looked after again")
    assert set(store.asked) == {"one"}
    assert set(withdrawn.names) == {"one"}


@pytest.mark.asyncio
async def test_what_goes_wrong_with_one_name_is_logged_and_keeps_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def stat(name: str) -> None:
        if name == "one":
            raise LookupError("nobody thought of this")

    store = RemoteControl(stat)
    async with two_names(tmp_path, store) as withdrawn:
        await until(lambda: store.asked.count("two") > 1 and store.asked.count("one") > 1, "both are looked after")
        assert withdrawn.names["one"].looks, "a look that went wrong is one too, so that they end"
    assert "alice: one could not be looked after" in caplog.text
    assert "nobody thought of this" in caplog.text


@pytest.mark.asyncio
async def test_a_line_of_the_log_that_nobody_understands_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    withdrawn = Withdrawn(Folder(name="alice", bucket="alice"), tmp_path)
    withdrawn.note("one", "vfs cache: queuing for upload in 100ms", "yesterday")
    assert "what rclone said of one is not understood" in caplog.text
