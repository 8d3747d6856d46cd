"""``cloud-storage`` as a drive of Lab's file browser, for machines without FUSE: Jupyter's contents API over fsspec.

Paths are ``<folder>/<key>``, with the folders of `naas_storage.folders`. Every save goes to the store before it is answered.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import hashlib
import mimetypes
import tempfile
from collections.abc import Callable
from typing import IO, Any, TypeVar

import naas_storage
import nbformat
from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.manager import AsyncContentsManager
from naas_client.errors import NaasError
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets import Dict

from naas_server.threads import in_thread

T = TypeVar("T")
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
"""What a folder says of its last change: an object store does not know it."""
SPOOL = 32 * 2**20
"""Bytes of an upload in parts that are kept in memory; more goes to a temporary file."""
LARGEST_VIEW = 256 * 2**20
"""Bytes that are opened in the browser at most; larger files are downloaded."""
MOST_UPLOADS = 20
"""Uploads in parts at once; one more makes the one that waited longest for its next part start again."""
CALL_LIMIT = 300.0
"""Seconds for one call of the store, however large the file."""


class NoCheckpoints(AsyncCheckpoints):
    """The store keeps what was saved last and nothing else; Lab is told so, instead of being shown a copy that is none."""

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> dict[str, Any]:
        """Lab asks for one after each save; the saved file itself is the answer."""
        return {"id": "saved", "last_modified": (await contents_mgr.get(path, content=False))["last_modified"]}

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """None."""
        return []

    async def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        """Nothing to rename."""

    async def delete_all_checkpoints(self, path: str) -> None:
        """Nothing to delete."""

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        """Refused."""
        raise HTTPError(400, "Cloud storage keeps the last saved version only; there is nothing to go back to.")

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        """Nothing to delete."""


class CloudDrive(AsyncContentsManager):
    """Jupyter's contents manager for the person's buckets."""

    checkpoints_class = NoCheckpoints
    _filesystem = AnyTrait(help="fsspec file system; made at first use, renews its credentials by itself")
    _uploads = Dict(help="uploads in parts that are under way, by path")

    async def _run(self, work: Callable[[], T], path: str) -> T:
        """Work on the store in a thread of its own; its errors become answers that say what to do."""
        try:
            async with asyncio.timeout(CALL_LIMIT):
                return await in_thread(work)
        except TimeoutError:
            raise HTTPError(504, f"The store was too slow with {path}. Try again.") from None
        except FileNotFoundError:
            raise HTTPError(404, f"{path} does not exist.") from None
        except PermissionError:
            raise HTTPError(403, f"You may not do this with {path}: the store refused it.") from None
        except NaasError as error:
            raise HTTPError(error.status, error.message) from error
        except OSError as error:
            raise HTTPError(503, f"The store did not answer for {path}. Try again.") from error

    @property
    def fs(self) -> Any:
        """The file system, without caches: others write to these buckets too."""
        if self._filesystem is None:
            self._filesystem = naas_storage.filesystem(use_listings_cache=False, skip_instance_cache=True)
        return self._filesystem

    @staticmethod
    def key(path: str) -> str:
        """``bucket/key`` for a path. Raises HTTPError for a path that leaves the folders."""
        name, _, rest = path.strip("/").partition("/")
        folders = naas_storage.folders()
        if name not in folders or any(part in ("", ".", "..") for part in rest.split("/") if rest):
            raise HTTPError(404, f"{path} is not in your cloud storage.")
        return f"{folders[name]}/{rest}".rstrip("/")

    def _kind(self, path: str) -> str | None:
        """``directory``, ``file`` or None."""
        path = path.strip("/")
        if not path or path in naas_storage.folders():
            return "directory"
        try:
            key = self.key(path)
        except HTTPError:
            return None
        try:
            return str(self.fs.info(key)["type"])
        except FileNotFoundError:
            return "directory" if self._is_empty_folder(key) else None

    def _is_empty_folder(self, key: str) -> bool:
        """An empty folder is the object ``<key>/``, which s3fs does not look for."""
        bucket, _, rest = key.partition("/")
        try:
            self.fs.call_s3("head_object", Bucket=bucket, Key=f"{rest}/")
        except FileNotFoundError:
            return False
        return True

    async def dir_exists(self, path: str) -> bool:
        """Whether a folder is there."""
        return await self._run(lambda: self._kind(path) == "directory", path)

    async def file_exists(self, path: str = "") -> bool:
        """Whether a file is there."""
        return await self._run(lambda: self._kind(path) == "file", path)

    async def is_hidden(self, path: str) -> bool:
        """Nothing is hidden in an object store."""
        return False

    async def open(self, path: str) -> tuple[str, Any]:
        """Name and content (with its ``size``) of a file, for a download. Raises HTTPError."""
        key = path.strip("/")

        def work() -> tuple[str, Any]:
            if self._kind(key) != "file":
                raise FileNotFoundError(key)
            return key.rpartition("/")[2], self.fs.open(self.key(key), "rb")

        return await self._run(work, path)

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,
    ) -> dict[str, Any]:
        """A model of Jupyter's contents API for a file or folder."""
        return await self._run(lambda: self._get(path.strip("/"), bool(content), type, format, require_hash), path)

    def _get(self, path: str, content: bool, kind: str | None, form: str | None, require_hash: bool) -> dict[str, Any]:
        found = self._kind(path)
        if found is None:
            raise FileNotFoundError(path)
        if found == "directory":
            if kind not in (None, "directory"):
                raise HTTPError(400, f"{path} is a folder, not a {kind}.")
            return self._folder(path, content)
        if kind == "directory":
            raise HTTPError(400, f"{path} is a file, not a folder.")
        return self._file(path, content, kind, form, require_hash)

    def _folder(self, path: str, content: bool) -> dict[str, Any]:
        model = self._model(path, "directory", EPOCH)
        if content:
            model |= {"format": "json", "content": self._entries(path)}
        return model

    def _entries(self, path: str) -> list[dict[str, Any]]:
        if not path:
            return [self._model(name, "directory", EPOCH) for name in naas_storage.folders()]
        folder = self.key(path)
        try:
            rows = self.fs.ls(folder, detail=True)
        except FileNotFoundError:  # what s3fs says of an empty folder or bucket
            return []
        entries = []
        for row in rows:
            name = row["name"].removeprefix(folder).strip("/")
            if not name:
                continue
            kind = "directory" if row["type"] == "directory" else _file_kind(name)
            entries.append(self._model(f"{path}/{name}", kind, row.get("LastModified") or EPOCH, row.get("size")))
        return entries

    def _file(self, path: str, content: bool, kind: str | None, form: str | None, require_hash: bool) -> dict[str, Any]:
        row = self.fs.info(self.key(path))
        model = self._model(path, kind or _file_kind(path), row.get("LastModified") or EPOCH, row["size"])
        if (content or require_hash) and row["size"] > LARGEST_VIEW:
            raise HTTPError(
                413, f"{path} is too large to open here. Download it, or read it with naas_storage in a notebook."
            )
        if content or require_hash:
            data = self.fs.cat_file(self.key(path))
            if require_hash:
                model |= {"hash": hashlib.sha256(data).hexdigest(), "hash_algorithm": "sha256"}
            if content:
                model |= _content(data, path, model["type"], form)
        return model

    @staticmethod
    def _model(path: str, kind: str, changed: dt.datetime, size: int | None = None) -> dict[str, Any]:
        name = path.rsplit("/", 1)[-1]
        model = {
            "name": name,
            "path": path,
            "type": kind,
            "created": changed,
            "last_modified": changed,
            "writable": True,
        }
        empty = {"mimetype": None, "format": None, "content": None, "hash": None, "hash_algorithm": None}
        return {**model, **empty, "size": None if kind == "directory" else size}

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file, or make a folder; a part of a bigger upload when the model has ``chunk``."""
        path = path.strip("/")
        if model.get("chunk") is not None:
            return await self._save_part(model, path)
        if model.get("type") == "directory":
            await self._run(lambda: self._marker("put_object", path), path)
        else:
            await self._run(lambda: self.fs.pipe_file(self.key(path), _bytes(model)), path)
        return await self.get(path, content=False, type=model.get("type"))

    async def _save_part(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        chunk = model["chunk"]
        spool = self._spool(path, first=chunk == 1)
        await self._run(lambda: spool.write(_bytes(model)), path)
        if chunk != -1:
            return self._model(path, "file", dt.datetime.now(dt.UTC), spool.tell())
        try:
            await self._run(lambda: self._send(spool, path), path)
        finally:
            self._forget(path)
        return await self.get(path, content=False, type="file")

    def _spool(self, path: str, first: bool) -> IO[bytes]:
        """Where the parts of an upload are put together; at the end of the dict are those that moved last."""
        if not first and path not in self._uploads:
            raise HTTPError(400, f"The upload of {path} was interrupted. Start it again.")
        if first:
            self._forget(path)
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL) if first else self._uploads.pop(path)  # noqa: SIM115
        self._uploads[path] = spool
        for waiting in list(self._uploads)[:-MOST_UPLOADS]:
            self._forget(waiting)
        return spool

    def _send(self, spool: IO[bytes], path: str) -> None:
        spool.seek(0)
        with self.fs.open(self.key(path), "wb") as file:
            while block := spool.read(8 * 2**20):
                file.write(block)

    def _forget(self, path: str) -> None:
        if spool := self._uploads.pop(path, None):
            spool.close()

    async def delete_file(self, path: str, allow_non_empty: bool = False) -> None:
        """Delete a file, or an empty folder."""
        await self._run(lambda: self._delete(path.strip("/")), path)

    def _delete(self, path: str) -> None:
        key = self.key(path)
        if self._kind(path) == "file":
            self.fs.rm_file(key)
            return
        if self._entries(path):
            raise HTTPError(400, f"{path} is not empty. Delete what is in it first.")
        if path in naas_storage.folders():
            raise HTTPError(400, f"{path} is one of your folders in the store and stays.")
        self._marker("delete_object", path)

    def _marker(self, call: str, path: str) -> None:
        """Put or delete the empty object ``<key>/`` that stands for a folder; s3fs itself would lose the slash."""
        bucket, _, key = self.key(path).partition("/")
        self.fs.call_s3(call, Bucket=bucket, Key=f"{key}/")

    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Rename a file: the store copies it and deletes the old one. Folders are not renamed by an object store."""
        await self._run(lambda: self._rename(old_path.strip("/"), new_path.strip("/")), old_path)

    def _rename(self, old_path: str, new_path: str) -> None:
        if self._kind(new_path):
            raise HTTPError(409, f"{new_path} exists already. Choose another name.")
        if self._kind(old_path) == "directory":
            raise HTTPError(400, "An object store cannot rename folders. Make a new one and move the files.")
        self.fs.copy(self.key(old_path), self.key(new_path))
        self.fs.rm_file(self.key(old_path))


def _file_kind(name: str) -> str:
    return "notebook" if name.endswith(".ipynb") else "file"


def _content(data: bytes, path: str, kind: str, form: str | None) -> dict[str, Any]:
    """Content, format and media type of a file, as the contents API wants them."""
    if kind == "notebook":
        try:
            return {"content": nbformat.reads(data.decode(), as_version=4), "format": "json"}
        except ValueError as error:
            raise HTTPError(400, f"{path} is not a notebook: {error}") from error
    media = mimetypes.guess_type(path)[0]
    if form != "base64":
        try:
            return {"content": data.decode(), "format": "text", "mimetype": media or "text/plain"}
        except UnicodeDecodeError:
            if form == "text":
                raise HTTPError(400, f"{path} is not text.") from None
    return {
        "content": base64.b64encode(data).decode(),
        "format": "base64",
        "mimetype": media or "application/octet-stream",
    }


def _bytes(model: dict[str, Any]) -> bytes:
    """What a model wants written. Raises HTTPError for content that is not of the format it names."""
    content, kind = model.get("content"), model.get("type")
    if kind == "notebook":
        return str(nbformat.writes(nbformat.from_dict(content), version=nbformat.NO_CONVERT)).encode() + b"\n"
    if not isinstance(content, str) or model.get("format") not in ("text", "base64"):
        raise HTTPError(400, "Nothing was saved: the content must be text or base64.")
    try:
        return content.encode() if model["format"] == "text" else base64.b64decode(content, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise HTTPError(400, f"Nothing was saved: {error}") from error
