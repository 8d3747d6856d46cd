"""A busy machine is not a hung mount."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time

import pytest
from naas_storage.agent.probe import in_thread, open_files, waited_for_a_cpu


@pytest.mark.asyncio
async def test_an_answer_that_came_in_time_counts_although_the_loop_was_late():
    """The agent itself gets no processor for longer than the limit: the probe has answered long before."""
    answer = asyncio.create_task(in_thread(lambda: "alive", 0.3))
    await asyncio.sleep(0)
    time.sleep(1)  # noqa: ASYNC251 - the loop is to be held up
    assert await answer == "alive"


@pytest.mark.asyncio
async def test_no_answer_within_the_limit_is_a_hang():
    never = threading.Event()
    with pytest.raises(TimeoutError):
        await in_thread(never.wait, 0.1)
    never.set()


@pytest.mark.asyncio
async def test_what_the_function_raises_is_raised():
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        await in_thread(fail, 5)


def test_waiting_for_a_processor_is_seen(wait):
    spinners = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        wait(lambda: waited_for_a_cpu(spinners[0].pid) > 0.2, "time in the run queue")
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert waited_for_a_cpu(2**22 + 1) == 0


def test_open_files_of_programs_are_seen(tmp_path):
    assert not open_files(tmp_path)
    with (tmp_path / "x").open("w"):
        assert open_files(tmp_path)
    assert not open_files(tmp_path)
