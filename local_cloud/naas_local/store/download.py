"""GET and HEAD of an object: rclone says what it is, the content goes from the file straight to the socket.

sendfile(2) moves it without a copy through Python or rclone. It is used only when size and time of the open file are those that rclone just
told; an object that changes in between is asked for again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from naas_local.store.conditions import Answer, decide
from naas_local.store.errors import S3Error
from naas_local.store.headers import to_caller
from naas_local.store.upstream import Query, Upstream

AT_ONCE = 64 * 1024
"""Bytes up to which content is read and sent with the headers; more goes by sendfile."""
PIECE = 1 << 20
TRIES = 3


class Downloads:
    """Serves objects of one store."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def describe(self, path: str, query: Query = ()) -> CIMultiDictProxy[str]:
        """rclone's headers for an object. Raises S3Error when there is none."""
        async with self._upstream.send("HEAD", path, query) as answer:
            if answer.status == 404:
                raise S3Error("NoSuchKey", "The specified key does not exist.")
            if answer.status != 200:
                raise S3Error("SlowDown", "The object cannot be read just now. Try again in a few seconds.")
            return answer.headers

    async def answer(self, request: web.Request, path: str, file: Path, query: Query) -> web.StreamResponse:
        """Answer a GET or HEAD of ``path``, whose content is in ``file``."""
        for _ in range(TRIES):
            found = await self.describe(path, query)
            etag, modified, size = _facts(found)
            plan = decide(request.headers, etag, modified, size)
            headers = _headers(found, plan, size)
            if request.method == "HEAD" or plan.status == 304:
                return await _headers_only(request, plan.status, headers)
            content = await asyncio.to_thread(_open, file, size, modified)
            if content:
                with content:
                    return await _send(request, plan, headers, content)
        return await self._relay(request, plan, headers, path)

    async def _relay(
        self, request: web.Request, plan: Answer, headers: CIMultiDict[str], path: str
    ) -> web.StreamResponse:
        """The slow way: rclone keeps the file under another name (it quotes some characters), or it changes all the time."""
        wish = CIMultiDict({"Range": f"bytes={plan.offset}-{plan.offset + plan.count - 1}"} if plan.count else {})
        async with self._upstream.send("GET", path, headers=wish) as answer:
            if answer.status not in (200, 206) or answer.headers.get("ETag") != headers["ETag"]:
                raise S3Error("SlowDown", "The object is being changed. Try again in a few seconds.")
            response = web.StreamResponse(status=plan.status, headers=headers)
            await response.prepare(request)
            async for piece in answer.content.iter_chunked(PIECE):
                await response.write(piece)
            await response.write_eof()
            return response

    @asynccontextmanager
    async def open_range(
        self, path: str, file: Path, wish: str, etag: str
    ) -> AsyncIterator[tuple[AsyncIterator[bytes], int]]:
        """The content of (a range of) an object and its length, for a copy. ``wish``: as in Range; ``etag``: it must have, or empty."""
        found = await self.describe(path)
        known, modified, size = _facts(found)
        conditions = {"Range": wish} if wish else {}
        plan = decide({**conditions, "If-Match": etag} if etag else conditions, known, modified, size)
        if wish and plan.status != 206:
            raise S3Error("InvalidArgument", "x-amz-copy-source-range must be bytes=FIRST-LAST. Give one range.")
        content = await asyncio.to_thread(_open, file, size, modified)
        if not content:
            raise S3Error("SlowDown", "The source is being changed, or its name needs a copy in one piece. Try again.")
        with content:
            yield _pieces(content, plan), plan.count


def _facts(found: CIMultiDictProxy[str]) -> tuple[str, dt.datetime, int]:
    return found["ETag"], parsedate_to_datetime(found["Last-Modified"]), int(found["Content-Length"])


def _headers(found: CIMultiDictProxy[str], plan: Answer, size: int) -> CIMultiDict[str]:
    headers = to_caller(found)
    if plan.status == 206:
        headers["Content-Range"] = f"bytes {plan.offset}-{plan.offset + plan.count - 1}/{size}"
    if plan.status != 304:
        headers["Content-Length"] = str(plan.count)
    return headers


def _open(file: Path, size: int, modified: dt.datetime) -> BinaryIO | None:
    """The open file, if it is the one that rclone described."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    content = os.fdopen(descriptor, "rb", buffering=0)
    if status.st_size == size and status.st_mtime_ns // 10**9 == int(modified.timestamp()):
        return content
    content.close()
    return None


async def _headers_only(request: web.Request, status: int, headers: CIMultiDict[str]) -> web.StreamResponse:
    response = web.Response(status=status, headers=headers)
    await response.prepare(request)
    await response.write_eof()
    return response


async def _send(request: web.Request, plan: Answer, headers: CIMultiDict[str], content: BinaryIO) -> web.StreamResponse:
    if plan.count <= AT_ONCE:
        small = web.Response(
            status=plan.status, headers=headers, body=os.pread(content.fileno(), plan.count, plan.offset)
        )
        await small.prepare(request)
        await small.write_eof()
        return small
    response = web.StreamResponse(status=plan.status, headers=headers)
    await response.prepare(request)
    if request.transport is None:
        raise ConnectionResetError("the caller has gone")
    loop = asyncio.get_running_loop()
    await loop.sendfile(request.transport, content, plan.offset, plan.count)
    await response.write_eof()
    return response


async def _pieces(content: BinaryIO, plan: Answer) -> AsyncIterator[bytes]:
    offset, end = plan.offset, plan.offset + plan.count
    while offset < end:
        piece = await asyncio.to_thread(os.pread, content.fileno(), min(PIECE, end - offset), offset)
        if not piece:
            raise OSError("the file was cut while it was copied")
        offset += len(piece)
        yield piece
