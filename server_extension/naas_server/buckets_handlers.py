"""``naas/api/buckets/…``: the addresses of the Buckets tab. Only HTTP; the work is `naas_storage.buckets`, in threads."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any

from jupyter_server.auth.decorator import authorized
from naas_client.errors import NaasError
from naas_client.models import NewBucket
from naas_storage.buckets import Buckets, Upload
from naas_storage.buckets.objects import Objects
from naas_storage.buckets.transfer import LARGEST
from pydantic import BaseModel, ConfigDict, Field
from tornado.ioloop import IOLoop
from tornado.web import authenticated, stream_request_body

from naas_server.base import NaasHandler
from naas_server.gateway import Gateway
from naas_server.threads import in_thread, send_file

LONGEST_BODY = 4 * 2**20
"""Bytes of a request that names objects; a thousand of the longest names are a quarter of it."""
MOST_NAMED = 10_000
"""Objects that one request may name."""


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FolderWish(_Wish):
    """``POST …/folders``."""

    prefix: str


class RenameWish(_Wish):
    """``POST …/rename``."""

    source: str
    target: str


class DeleteWish(_Wish):
    """``POST …/delete``."""

    keys: list[str] = Field(default_factory=list, max_length=MOST_NAMED)
    prefixes: list[str] = Field(default_factory=list, max_length=MOST_NAMED)


class ShareWish(_Wish):
    """``POST …/share``; without ``seconds`` an hour, or what the session allows."""

    key: str
    seconds: int | None = None


class RestoreWish(_Wish):
    """``POST …/restore``."""

    key: str
    version: str


class BucketHandler(NaasHandler):
    """What the handlers of buckets share."""

    def initialize(self, buckets: Buckets) -> None:
        """Parameters: ``buckets``, to work on."""
        self.buckets = buckets

    async def objects(self, bucket: str) -> Objects:
        """The objects of a bucket; making the client reads files."""
        return await in_thread(self.buckets.objects, bucket)


class BucketsHandler(BucketHandler):
    """``GET buckets``, ``POST buckets``."""

    def initialize(self, buckets: Buckets, gateway: Gateway) -> None:  # type: ignore[override]
        """Parameters: as `BucketHandler`; ``gateway``, which is told of a new bucket."""
        super().initialize(buckets)
        self.gateway = gateway

    @authenticated
    @authorized
    async def get(self) -> None:
        """A page of the buckets."""
        limit = max(1, min(self.number("limit", 100), 1000))
        self.answer(await in_thread(self.buckets.list, self.query("cursor"), limit))

    @authenticated
    @authorized
    async def post(self) -> None:
        """Make a bucket."""
        made = await in_thread(self.buckets.create, self.wish(NewBucket, LONGEST_BODY))
        with contextlib.suppress(NaasError):  # asked for the count, some sites put the bucket under the person's quota
            await self.gateway.send("GET", "storage/usage", request_id=self.request_id, parameters={}, body=None)
        self.answer(made, 201)


class OneBucketHandler(BucketHandler):
    """``GET buckets/{bucket}``, ``DELETE buckets/{bucket}``."""

    @authenticated
    @authorized
    async def get(self, bucket: str) -> None:
        """The bucket, counted."""
        self.answer(await in_thread(self.buckets.describe, bucket))

    @authenticated
    @authorized
    async def delete(self, bucket: str) -> None:
        """Delete it when it is empty."""
        await in_thread(self.buckets.delete, bucket)
        self.set_status(204)
        self.finish()


class ObjectsHandler(BucketHandler):
    """``GET buckets/{bucket}/objects`` and ``…/versions``."""

    @authenticated
    @authorized
    async def get(self, bucket: str, what: str) -> None:
        """A page of one level, of a search, or of an object's versions."""
        objects, limit = await self.objects(bucket), self.number("limit", 1000)
        if what == "versions":
            self.answer(await in_thread(objects.versions, self.query("key"), self.query("cursor"), limit))
            return
        place = self.query("prefix"), self.query("cursor"), limit, self.query("search")
        self.answer(await in_thread(objects.page, *place))


class ChangesHandler(BucketHandler):
    """``POST buckets/{bucket}/…``: folders, rename, delete, share, restore."""

    _track_activity = True

    @authenticated
    @authorized
    async def post(self, bucket: str, what: str) -> None:
        """Do it."""
        await getattr(self, f"_{what}")(await self.objects(bucket))

    async def _folders(self, objects: Objects) -> None:
        self.answer(await in_thread(objects.make_folder, self.wish(FolderWish, LONGEST_BODY).prefix))

    async def _rename(self, objects: Objects) -> None:
        wish = self.wish(RenameWish, LONGEST_BODY)
        self.answer({"moved": await in_thread(objects.rename, wish.source, wish.target)})

    async def _delete(self, objects: Objects) -> None:
        wish = self.wish(DeleteWish, LONGEST_BODY)
        self.answer(asdict(await in_thread(objects.delete, wish.keys, wish.prefixes)))

    async def _share(self, objects: Objects) -> None:
        wish = self.wish(ShareWish, LONGEST_BODY)
        self.answer(await in_thread(objects.share, wish.key, wish.seconds))

    async def _restore(self, objects: Objects) -> None:
        wish = self.wish(RestoreWish, LONGEST_BODY)
        self.answer(await in_thread(objects.restore, wish.key, wish.version))


@stream_request_body
class ObjectHandler(BucketHandler):
    """``GET buckets/{bucket}/object`` (download) and ``PUT`` of it (upload), both streamed."""

    _track_activity = True
    upload: Upload | None = None
    problem: Exception | None = None

    async def prepare(self) -> None:
        """Before the first byte of an upload: who is it, may they, and can the object be written?"""
        await super().prepare()
        if self.request.method == "PUT" and not self._finished:
            try:
                await self._begin()
            except NaasError as error:  # told after the body: an early answer would be lost with the connection
                self.problem = error

    @authenticated
    @authorized
    async def _begin(self) -> None:
        self.request.connection.set_max_body_size(LARGEST)
        length = self.request.headers.get("Content-Length", "")
        objects = await self.objects(self.path_args[0])
        self.upload = await in_thread(
            objects.upload,
            self.query("key"),
            new=self.request.headers.get("If-None-Match", "").strip() == "*",
            length=int(length) if length.isdigit() else None,
        )

    async def data_received(self, chunk: bytes) -> None:
        """Pass the body on part by part; the next is read when the store has this one. An error is told when the request is over."""
        if self.upload is None or self.problem is not None:
            return
        try:
            if self.upload.add(chunk):
                await in_thread(self.upload.send)
        except Exception as error:
            self.problem = error
            await in_thread(self.upload.abort)

    def on_connection_close(self) -> None:
        """The caller left in the middle: what is at the store already goes away, and there is no object."""
        super().on_connection_close()
        if self.upload is not None:  # `put` takes it over when the body is whole
            IOLoop.current().add_callback(in_thread, self.upload.abort)
            self.upload = None

    @authenticated
    @authorized
    async def put(self, _bucket: str) -> None:
        """The body is here: make the object."""
        upload, self.upload = self.upload, None
        if self.problem is not None:
            raise self.problem
        if upload is None:
            return  # nobody is there to be told
        try:
            stored = await in_thread(upload.finish)
        except BaseException:
            await in_thread(upload.abort)
            raise
        self.answer(stored)

    @authenticated
    @authorized
    async def get(self, bucket: str) -> None:
        """Stream the object."""
        objects = await self.objects(bucket)
        download = await in_thread(objects.download, self.query("key"), self.query("version"))
        try:
            await send_file(self, download.name, download.size, download.read)
        finally:
            download.close()
        self.finish(set_content_type="application/octet-stream")


def buckets_handlers(api: str, buckets: Buckets, gateway: Gateway) -> list[tuple[Any, ...]]:
    """The addresses and their handlers. Parameters: ``api``, the path of our API."""
    options, one = {"buckets": buckets}, rf"{api}/buckets/([^/]+)"
    return [
        (rf"{api}/buckets", BucketsHandler, {**options, "gateway": gateway}),
        (one, OneBucketHandler, options),
        (rf"{one}/(objects|versions)", ObjectsHandler, options),
        (rf"{one}/object", ObjectHandler, options),
        (rf"{one}/(folders|rename|delete|share|restore)", ChangesHandler, options),
    ]
