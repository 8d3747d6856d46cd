"""What the commands of ``%storage`` do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from naas_client.durations import seconds
from naas_client.errors import InvalidInput, NotFound
from naas_client.models import StorageStatus
from naas_storage import connect
from naas_storage.buckets import Buckets
from naas_storage.client import AgentClient

from naas_server.magics.parser import Parser
from naas_server.magics.paths import place
from naas_server.magics.views import BucketsView, LinkView, ListingView, StatusView, UsageView

T = TypeVar("T")


def _parser() -> Parser:
    parser = Parser("%storage")
    for name in ("status", "usage", "retry"):
        parser.command(name)
    parser.command("ls").add_argument("path", nargs="?", default="")
    share = parser.command("share")
    share.add_argument("path")
    share.add_argument("--expires", default="")
    return parser


def run(line: str) -> Any:
    """Do what a line says; the answer shows itself in the notebook. Raises NaasError."""
    wish = _parser().read(line, "status")
    commands: dict[str, Callable[[argparse.Namespace], Any]] = {
        "status": lambda _: StatusView(_asked(_agent().status())),
        "retry": lambda _: StatusView(_asked(_agent().retry())),
        "usage": lambda _: _usage(),
        "ls": lambda wish: _list(wish.path),
        "share": lambda wish: _share(wish.path, wish.expires),
    }
    return commands[wish.command](wish)


def _agent() -> AgentClient:
    return AgentClient(connect.plan().socket)


def _asked(question: Coroutine[Any, Any, T]) -> T:
    """An answer of the agent; in a thread of its own, because the kernel's event loop is running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


def _usage() -> UsageView:
    """What the agent knows, else counted now."""
    status: StorageStatus = _asked(_agent().status())
    if status.usage is not None:
        return UsageView(connect.plan().username, status.usage)
    username = connect.plan().username
    return UsageView(username, Buckets().count(username))


def _list(path: str) -> BucketsView | ListingView:
    bucket, prefix = place(path) if path else ("", "")
    if not bucket:
        return BucketsView(Buckets().list().items)
    objects = Buckets().objects(bucket)
    page = objects.page(prefix and f"{prefix.rstrip('/')}/")
    if not page.items and prefix and not prefix.endswith("/"):
        return ListingView(bucket, prefix.rpartition("/")[0], objects.page(prefix))
    return ListingView(bucket, prefix, page)


def _share(path: str, expires: str) -> LinkView:
    bucket, key = place(path)
    life = seconds(expires, "a life of a link") if expires else None
    if not key or key.endswith("/"):
        raise InvalidInput(
            "A link opens one file, not a folder. Name it as BUCKET/KEY, or by its path below cloud-storage."
        )
    try:
        return LinkView(f"{bucket}/{key}", Buckets().objects(bucket).share(key, life))
    except NotFound as error:
        hint = " If you just wrote it, `%storage` shows whether it is uploaded."
        raise NotFound(f"{error.message}{hint}", code=error.code) from None
