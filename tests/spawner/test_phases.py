"""The phases of a start as a page sees them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from naas_spawner.phases import FOLDERS, GROUPS, LAB, SERVER, Progress, UsualTimes

PHASES = (GROUPS, FOLDERS, SERVER, LAB)


async def collect(progress: Progress) -> list[dict[str, Any]]:
    return [event async for event in progress.follow()]


@pytest.mark.asyncio
async def test_a_page_that_comes_late_sees_everything() -> None:
    progress = Progress(PHASES, "standard", UsualTimes())
    early = asyncio.create_task(collect(progress))
    await asyncio.sleep(0)
    progress.end(GROUPS)
    progress.begin(SERVER)
    progress.end(SERVER, "ready")
    progress.begin(FOLDERS)
    progress.end(FOLDERS, "The store does not answer.", "degraded")
    progress.close(succeeded=True)
    late = await collect(progress)
    assert await early == late
    assert [(event["phase"], event["state"]) for event in late] == [
        *((phase.name, "expected") for phase in PHASES),
        *(("groups", "done"), ("server", "now"), ("server", "done"), ("folders", "now"), ("folders", "degraded")),
    ]
    assert late[-1]["message"] == "Folders connected: The store does not answer."
    assert [event["progress"] for event in late] == sorted(event["progress"] for event in late)


@pytest.mark.asyncio
async def test_at_a_failure_the_running_phase_is_the_one_that_failed() -> None:
    progress = Progress(PHASES, "standard", UsualTimes())
    progress.end(GROUPS)
    progress.begin(SERVER)
    progress.close(succeeded=False)
    events = await collect(progress)
    assert [event["phase"] for event in events if event["state"] == "failed"] == ["server"]


@pytest.mark.asyncio
async def test_usual_times_are_medians_of_starts_that_went_well() -> None:
    usual = UsualTimes()
    for seconds in (0.2, 0.4, 9.0):
        usual.add("standard", "server", seconds)
    assert usual.median("standard", "server") == 0.4
    assert usual.median("other", "server") is None
    progress = Progress(PHASES, "standard", usual)
    progress.begin(SERVER)
    progress.close(succeeded=False)
    assert usual.median("standard", "server") == 0.4
    assert usual.median("standard") is None
    expected = {event["phase"]: event["seconds"] for event in await collect(progress) if event["state"] == "expected"}
    assert expected == {"groups": None, "folders": None, "server": 0.4, "lab": None}
