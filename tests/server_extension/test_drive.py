"""Files without FUSE: the drive of the file browser, on the real embedded store, through a real Jupyter server."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from lab_server import Desk, drive_store, jupyter

pytestmark = pytest.mark.server
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass
class DriveServer:
    """A Jupyter server of alice without mounts, and what she has in the store."""

    http: httpx.Client
    s3: Any

    def contents(self, method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> httpx.Response:
        return self.http.request(method, f"drive/contents/{path}", json=body, params=query)

    def put(self, path: str, text: str) -> httpx.Response:
        return self.contents("PUT", path, {"type": "file", "format": "text", "content": text})

    def stored(self, bucket: str, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriveServer]:
    desk = Desk.at(tmp_path_factory.mktemp("drive"))
    with drive_store(desk) as s3, jupyter(desk, NAAS_STORAGE_RUN=str(desk.run)) as server, server.client() as http:
        yield DriveServer(http, s3)


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(row["name"] for row in answer.json()["content"])


def test_the_top_of_the_drive_is_the_folders(drive: DriveServer) -> None:
    assert names(drive.contents("GET", "")) == ["alice", "scratch", "scratch-alice"]
    assert names(drive.contents("GET", "scratch-alice")) == ["mine"]
    assert names(drive.contents("GET", "scratch")) == ["alice", "bob"]


def test_a_saved_file_is_in_the_bucket_and_comes_back(drive: DriveServer) -> None:
    assert drive.put("alice/notes/today.txt", "grüße\n").status_code == 201
    assert drive.stored("alice", "notes/today.txt") == "grüße\n".encode()
    model = drive.contents("GET", "alice/notes/today.txt", hash="1").json()
    assert model["content"] == "grüße\n"
    assert model["hash_algorithm"] == "sha256"
    assert drive.put("alice/notes/today.txt", "changed").status_code == 200
    assert drive.stored("alice", "notes/today.txt") == b"changed"


def test_a_notebook_and_bytes_keep_their_kind(drive: DriveServer) -> None:
    assert (
        drive.contents("PUT", "alice/n.ipynb", {"type": "notebook", "format": "json", "content": NOTEBOOK}).status_code
        == 201
    )
    assert json.loads(drive.stored("alice", "n.ipynb"))["nbformat"] == 4
    assert drive.contents("GET", "alice/n.ipynb").json()["type"] == "notebook"
    data = bytes(range(256))
    body = {"type": "file", "format": "base64", "content": base64.b64encode(data).decode()}
    assert drive.contents("PUT", "alice/bytes", body).status_code == 201
    assert base64.b64decode(drive.contents("GET", "alice/bytes").json()["content"]) == data
    download = drive.http.get("drive/files/alice/bytes")
    assert download.content == data
    assert download.headers["content-disposition"].startswith("attachment")


def test_an_upload_in_parts_arrives_whole(drive: DriveServer) -> None:
    data = secrets.token_bytes(3_000_000)
    parts = [data[:1_000_000], data[1_000_000:2_000_000], data[2_000_000:]]
    for number, part in zip((1, 2, -1), parts, strict=True):
        body = {"type": "file", "format": "base64", "chunk": number, "content": base64.b64encode(part).decode()}
        assert drive.contents("PUT", "alice/big", body).status_code in (200, 201)
    assert drive.stored("alice", "big") == data
    lost = {"type": "file", "format": "base64", "chunk": 2, "content": ""}
    assert drive.contents("PUT", "alice/never-begun", lost).status_code == 400


def test_a_huge_file_is_downloaded_not_opened(drive: DriveServer) -> None:
    parts = drive.s3.create_multipart_upload(Bucket="alice", Key="huge")["UploadId"]
    block, etags = bytes(65 * 2**20), []
    for number in range(1, 6):
        part = drive.s3.upload_part(Bucket="alice", Key="huge", UploadId=parts, PartNumber=number, Body=block)
        etags.append({"PartNumber": number, "ETag": part["ETag"]})
    drive.s3.complete_multipart_upload(Bucket="alice", Key="huge", UploadId=parts, MultipartUpload={"Parts": etags})
    refused = drive.contents("GET", "alice/huge")
    assert refused.status_code == 413
    assert "Download it" in refused.json()["message"]
    with drive.http.stream("GET", "drive/files/alice/huge") as answer:
        assert sum(len(block) for block in answer.iter_bytes()) == 5 * 65 * 2**20


def test_uploads_that_were_left_are_not_kept_for_ever(drive: DriveServer) -> None:
    body = {"type": "file", "format": "text", "content": "begun"}
    for number in range(25):
        drive.contents("PUT", f"alice/left-{number}", {**body, "chunk": 1})
    assert drive.contents("PUT", "alice/left-0", {**body, "chunk": -1}).status_code == 400
    assert drive.contents("PUT", "alice/left-24", {**body, "chunk": -1}).status_code in (200, 201)


def test_files_are_renamed_copied_and_deleted(drive: DriveServer) -> None:
    drive.put("alice/a.txt", "a")
    assert drive.contents("PATCH", "alice/a.txt", {"path": "alice/b.txt"}).status_code == 200
    assert drive.contents("POST", "alice", {"copy_from": "alice/b.txt"}).json()["path"] == "alice/b-Copy1.txt"
    assert drive.contents("PATCH", "alice/b.txt", {"path": "alice/b-Copy1.txt"}).status_code == 409
    assert drive.contents("DELETE", "alice/b.txt").status_code == 204
    assert drive.contents("GET", "alice/b.txt").status_code == 404
    assert drive.stored("alice", "b-Copy1.txt") == b"a"


def test_a_folder_is_made_and_goes_when_it_is_empty(drive: DriveServer) -> None:
    answer = drive.contents("POST", "alice", {"type": "directory"})
    assert answer.status_code == 201, answer.text
    made = answer.json()["path"]
    drive.put(f"{made}/x", "x")
    assert drive.contents("DELETE", made).status_code == 400
    drive.contents("DELETE", f"{made}/x")
    assert drive.contents("DELETE", made).status_code == 204
    assert drive.contents("DELETE", "alice").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "scratch/bob/theirs", 403),
        ("PUT", "scratch/new", 403),
        ("DELETE", "scratch/bob/theirs", 403),
        ("GET", "nobody/x", 404),
        ("GET", "alice/%2e%2e/bob/x", 404),
        ("PUT", "alice/%2e%2e/bob/x", 404),
        ("GET", "../secrets", 404),
    ],
)
def test_what_is_not_hers_is_refused(drive: DriveServer, method: str, path: str, status: int) -> None:
    body = {"type": "file", "format": "text", "content": "x"} if method == "PUT" else None
    assert drive.contents(method, path, body).status_code == status
    assert drive.stored("scratch", "bob/theirs") == b"theirs"


def test_the_drive_is_only_for_the_signed_in(drive: DriveServer) -> None:
    for path, status in (("contents/alice", 403), ("files/alice/n.ipynb", 302)):
        assert httpx.get(f"{drive.http.base_url}drive/{path}").status_code == status
