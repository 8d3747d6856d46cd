"""Work that blocks, away from the event loop: calls of the store, in threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
AT_ONCE = 16
"""Calls of the store at the same time; asyncio's own threads are few on a small machine, and Jupyter needs them."""

_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="naas-store")
BLOCK = 2**20
"""Bytes of a download that are in memory."""


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` returns or raises."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(*args, **kwargs))


async def send_file(handler: Any, name: str, size: int, read: Callable[[int], bytes]) -> None:
    """Answer with a file: always as an attachment, so that no page of a bucket runs in this origin.

    The size is told first, so that a client sees when the store breaks off in the middle. Raises what ``read`` raises.
    """
    handler.set_header("Content-Type", "application/octet-stream")
    handler.set_header("Content-Length", str(size))
    handler.set_attachment_header(name)
    handler.set_header("X-Content-Type-Options", "nosniff")
    while block := await in_thread(read, BLOCK):
        handler.write(block)
        await handler.flush()
