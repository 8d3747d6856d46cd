"""A real store with a session from STS, and short ways to put, read and list."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from naas_local.store import embedded_store
from naas_storage.buckets import Buckets
from naas_storage.buckets.objects import Objects
from run_folder import prepare_run_folder
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

LIFE = 1800
"""Seconds of alice's session."""


@dataclass
class Site:
    """A store, and alice's run folder that leads to it."""

    url: str
    run: Path
    bob: Any
    session: dict[str, Any]
    buckets: Buckets

    @property
    def alice(self) -> Objects:
        return self.buckets.objects("alice")


def put(objects: Objects, key: str, data: bytes = b"x", *, new: bool = False) -> None:
    upload = objects.upload(key, new=new)
    if upload.add(data):
        upload.send()
    assert upload.finish().size == len(data)


def read(objects: Objects, key: str, version: str = "") -> bytes:
    with contextlib.closing(objects.download(key, version)) as download:
        return b"".join(iter(lambda: download.read(2**20), b""))


def keys(objects: Objects, prefix: str = "", **query: Any) -> list[str]:
    return [entry.key for entry in objects.page(prefix, **query).items]


def uploads_left(objects: Objects) -> list[Any]:
    return list(objects.s3.list_multipart_uploads(Bucket=objects.bucket).get("Uploads", []))


@contextlib.contextmanager
def bucket_site(folder: Path, run: Path) -> Iterator[Site]:
    """The embedded store with files of alice and bob; this process is alice's as long as the block lasts."""
    with (
        TokenIssuer().running() as issuer,
        embedded_store(folder, issuer.url) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=LIFE)
        bob = s3_client(store.url, assume_role(store.url, issuer.token("bob"), store.role_arn))
        s3_client(store.url, session).create_bucket(Bucket="alice")
        bob.create_bucket(Bucket="bob")
        bob.put_object(Bucket="bob", Key="secret.txt", Body=b"bob's own")
        bob.put_object(Bucket="scratch", Key="bob/shown.txt", Body=b"for all")
        prepare_run_folder(run, store.url, session)
        patch.setenv("NAAS_STORAGE_RUN", str(run))
        yield Site(store.url, run, bob, session, Buckets())
