"""What each allowed operation does: answered here, or sent on to rclone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from xml.sax.saxutils import escape

from aiohttp import ClientResponse, web
from multidict import CIMultiDict

from naas_local.store import deletes, files, folders
from naas_local.store.address import copy_source
from naas_local.store.body import Body
from naas_local.store.download import Downloads
from naas_local.store.errors import S3Error
from naas_local.store.headers import to_caller, to_upstream
from naas_local.store.rules import Op, Request, Rights
from naas_local.store.settings import StoreConfig
from naas_local.store.upstream import Upstream, source_header

LARGEST_FORM = 4 << 20
"""Bytes of the XML that completes a multipart upload or creates a bucket."""
XML = "application/xml"
EMPTY_ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'


@dataclass(frozen=True)
class Call:
    """One checked request of a known person."""

    rights: Rights
    request: Request
    http: web.Request
    body: Body

    @property
    def path(self) -> str:
        """The decoded path for rclone."""
        return f"/{self.request.bucket}/{self.request.key}"


def xml(text: str, status: int = 200) -> web.Response:
    """An XML answer."""
    return web.Response(status=status, text=text, content_type=XML)


async def _hand_on(answer: ClientResponse) -> web.Response:
    """rclone's answer; its documents are small (a listing's page has at most 1000 keys)."""
    response = web.Response(status=answer.status, headers=to_caller(answer.headers), body=await answer.read() or None)
    if answer.status == 204 or not response.body:
        response.headers.pop("Content-Type", None)
    return response


class Operations:
    """The operations of one store, by name."""

    def __init__(self, config: StoreConfig, upstream: Upstream) -> None:
        self._config, self._upstream = config, upstream
        self._files, self._downloads = files.Files(config.buckets), Downloads(upstream)
        self._special: dict[Op, Callable[[Call], Awaitable[web.StreamResponse]]] = {
            Op.LIST_BUCKETS: self._list_buckets,
            Op.HEAD_BUCKET: self._head_bucket,
            Op.CREATE_BUCKET: self._create_bucket,
            Op.DELETE_BUCKET: self._delete_bucket,
            Op.LIST_OBJECTS: self._list_objects,
            Op.GET_LOCATION: self._document(files.location(config.region)),
            Op.GET_VERSIONING: self._document(files.versioning()),
            Op.GET_OBJECT: self._read,
            Op.HEAD_OBJECT: self._read,
            Op.PUT_OBJECT: self._put,
            Op.DELETE_OBJECT: self._delete,
            Op.COPY_OBJECT: self._copy,
            Op.COPY_PART: self._copy_part,
            Op.DELETE_OBJECTS: self._delete_many,
            Op.CREATE_UPLOAD: self._create_upload,
            Op.LIST_UPLOADS: self._list_uploads,
        }

    async def answer(self, call: Call) -> web.StreamResponse:
        """Do it. Access has been checked; keys in bodies and copy sources are checked here."""
        op = call.request.op
        if op not in (Op.LIST_BUCKETS, Op.CREATE_BUCKET):
            self._files.check_bucket(call.request.bucket)
        return await self._special.get(op, self._forward)(call)

    async def _forward(self, call: Call) -> web.Response:
        """UploadPart, CompleteMultipartUpload, AbortMultipartUpload, ListParts."""
        body = call.body if call.request.op in (Op.UPLOAD_PART, Op.COMPLETE_UPLOAD) else None
        if call.request.op is Op.COMPLETE_UPLOAD:
            self._files.check_free(call.request.bucket, call.request.key)
            if call.body.length > LARGEST_FORM:
                raise S3Error("MalformedXML", "The list of parts is too long. Upload fewer, larger parts.")
        path = call.path if call.request.key else f"/{call.request.bucket}"
        async with self._upstream.send(call.http.method, path, call.request.query, body=body) as answer:
            return await _hand_on(answer)

    def _document(self, text: str) -> Callable[[Call], Awaitable[web.StreamResponse]]:
        async def answer(_: Call) -> web.StreamResponse:
            return xml(text)

        return answer

    async def _list_buckets(self, call: Call) -> web.StreamResponse:
        return xml(self._files.list_buckets(call.rights.name, call.rights.sees))

    async def _head_bucket(self, _: Call) -> web.StreamResponse:
        return web.Response(headers={"x-amz-bucket-region": self._config.region}, content_type=XML)

    async def _create_bucket(self, call: Call) -> web.StreamResponse:
        await call.body.read(LARGEST_FORM)
        bucket = call.request.bucket
        if self._files.has_bucket(bucket):
            raise S3Error("BucketAlreadyOwnedByYou", "Your bucket exists already.")
        async with self._upstream.send("PUT", f"/{bucket}") as answer:
            if answer.status != 200:
                raise S3Error("SlowDown", "The bucket could not be made just now. Try again in a few seconds.")
        return web.Response(headers={"Location": f"/{bucket}"})

    async def _list_objects(self, call: Call) -> web.StreamResponse:
        bucket, query = call.request.bucket, dict(call.request.query)
        async with self._upstream.send("GET", f"/{bucket}", call.request.query) as answer:
            response = await _hand_on(answer)
        if response.status == 200 and isinstance(response.body, bytes):
            response.body = await asyncio.to_thread(
                folders.as_on_disk, response.body, self._files.path(bucket, ""), query
            )
        return response

    async def _delete_bucket(self, call: Call) -> web.StreamResponse:
        bucket = call.request.bucket
        self._files.remove_empty_folders(bucket)
        async with self._upstream.send("DELETE", f"/{bucket}") as answer:
            return await _hand_on(answer)

    async def _read(self, call: Call) -> web.StreamResponse:
        bucket, key = call.request.bucket, call.request.key
        if key.endswith("/"):
            self._files.check_folder(bucket, key)
            shown = {"ETag": EMPTY_ETAG, "Content-Type": "application/x-directory", "Content-Length": "0"}
            return web.Response(headers=shown)
        return await self._downloads.answer(call.http, call.path, self._files.path(bucket, key), call.request.query)

    async def _put(self, call: Call) -> web.StreamResponse:
        bucket, key = call.request.bucket, call.request.key
        if key.endswith("/"):
            if await call.body.read(LARGEST_FORM):
                raise S3Error("InvalidArgument", "A key that ends with a slash is a folder, which has no content.")
            self._files.make_folder(bucket, key)
            return web.Response(headers={"ETag": EMPTY_ETAG})
        self._files.check_free(bucket, key)
        headers = to_upstream(call.http.headers)
        async with self._upstream.send("PUT", call.path, headers=headers, body=call.body) as answer:
            return await _hand_on(answer)

    async def _create_upload(self, call: Call) -> web.StreamResponse:
        self._files.check_free(call.request.bucket, call.request.key)
        headers = to_upstream(call.http.headers)
        async with self._upstream.send("POST", call.path, call.request.query, headers) as answer:
            return await _hand_on(answer)

    async def _list_uploads(self, call: Call) -> web.StreamResponse:
        async with self._upstream.send("GET", f"/{call.request.bucket}", call.request.query) as answer:
            if answer.status == 404:  # rclone's way to say that there has been no upload yet
                return xml(files.no_uploads(call.request.bucket))
            return await _hand_on(answer)

    async def _delete(self, call: Call) -> web.StreamResponse:
        if call.request.key.endswith("/"):
            self._files.remove_folder(call.request.bucket, call.request.key)
            return web.Response(status=204)
        if self._files.path(call.request.bucket, call.request.key).is_dir():
            return web.Response(status=204)  # a folder is no object, and S3 deletes what is not there without a word
        async with self._upstream.send("DELETE", call.path) as answer:
            return await _hand_on(answer)

    def _source(self, call: Call) -> tuple[str, str]:
        bucket, key = copy_source(call.http.headers["x-amz-copy-source"])
        if not call.rights.may_read(bucket, key):
            raise S3Error("AccessDenied", "Access Denied: the source of the copy is not yours to read.")
        self._files.check_bucket(bucket)
        return bucket, key

    async def _copy(self, call: Call) -> web.StreamResponse:
        source, headers = self._source(call), call.http.headers
        replace = headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
        same = source == (call.request.bucket, call.request.key)
        if same and not replace:
            raise S3Error("InvalidRequest", "An object can be copied onto itself only with new metadata (REPLACE).")
        self._files.check_free(call.request.bucket, call.request.key)
        found = await self._downloads.describe("/" + "/".join(source))
        if (etag := headers.get("x-amz-copy-source-if-match")) and etag.strip('"') != found["ETag"].strip('"'):
            raise S3Error("PreconditionFailed", "The source is not the object that you gave the ETag of.")
        wish = to_upstream(headers) if replace else CIMultiDict[str]()
        wish["x-amz-copy-source"] = source_header(*source)
        async with self._upstream.send("PUT", call.path, headers=wish) as answer:
            return await _hand_on(answer)

    async def _copy_part(self, call: Call) -> web.StreamResponse:
        """UploadPartCopy: rclone would take it for an empty part, so the part's content is sent from the source's file."""
        source, headers = self._source(call), call.http.headers
        opened = self._downloads.open_range(
            "/" + "/".join(source),
            self._files.path(*source),
            headers.get("x-amz-copy-source-range", ""),
            headers.get("x-amz-copy-source-if-match", ""),
        )
        send = partial(self._upstream.send, "PUT", call.path, call.request.query)
        async with opened as (content, length), send(content=content, length=length) as answer:
            if answer.status != 200:
                return await _hand_on(answer)
            etag = escape(answer.headers.get("ETag", ""))
        return xml(f'<?xml version="1.0" encoding="UTF-8"?>\n<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>')

    async def _delete_many(self, call: Call) -> web.StreamResponse:
        bucket = call.request.bucket
        content = await call.body.read(deletes.LARGEST_BODY)
        deletion = deletes.read(content, lambda key: call.rights.may_write(bucket, key))
        for folder in deletion.folders:
            self._files.remove_folder(bucket, folder)
        files_only = [key for key in deletion.keys if not self._files.path(bucket, key).is_dir()]
        upstream = None
        if files_only:
            wish = deletes.request_xml(files_only)
            query = (("delete", ""),)
            async with self._upstream.send("POST", f"/{bucket}", query, content=wish, length=len(wish)) as answer:
                upstream = await answer.read()
                if answer.status != 200:
                    return await _hand_on(answer)
        return xml(deletes.answer_xml(deletion, upstream))
