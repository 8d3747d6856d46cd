"""The clients that people use: boto3, s3fs and rclone write and read what they mean to, with their own defaults."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import s3fs
from naas_local.store import EmbeddedStore
from naas_local.store.rclone import find
from s3_people import refusal, s3_client

pytestmark = pytest.mark.server

Session = dict[str, Any]
LARGE = os.urandom(1 << 20) * 20
"""20 MiB: a multipart upload for every client."""


def test_boto3_sends_and_gets_a_large_object_in_parts(store: EmbeddedStore, alice: Any) -> None:
    alice.upload_fileobj(io.BytesIO(LARGE), "alice", "large")
    target = io.BytesIO()
    alice.download_fileobj("alice", "large", target)
    assert target.getvalue() == LARGE
    assert (store.buckets / "alice" / "large").read_bytes() == LARGE


def test_boto3_copies_a_large_object_in_parts(alice: Any) -> None:
    alice.upload_fileobj(io.BytesIO(LARGE), "alice", "large")
    alice.copy({"Bucket": "alice", "Key": "large"}, "alice", "large copy")
    assert alice.get_object(Bucket="alice", Key="large copy")["Body"].read() == LARGE


def test_the_etag_of_an_object_is_its_md5_however_it_came(alice: Any) -> None:
    alice.upload_fileobj(io.BytesIO(LARGE), "alice", "large")
    assert alice.head_object(Bucket="alice", Key="large")["ETag"] == f'"{hashlib.md5(LARGE).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
@pytest.mark.parametrize("checks", ["when_supported", "when_required"])
def test_every_size_comes_back_as_it_went(store: EmbeddedStore, alice_session: Session, size: int, checks: str) -> None:
    client = s3_client(
        store.url, alice_session, request_checksum_calculation=checks, response_checksum_validation=checks
    )
    content = os.urandom(size)
    client.put_object(Bucket="alice", Key="sized", Body=content)
    found = client.get_object(Bucket="alice", Key="sized")
    assert (found["Body"].read(), found["ContentLength"]) == (content, size)


def test_an_object_keeps_its_headers(alice: Any) -> None:
    given = {
        "ContentType": "text/x-data",
        "CacheControl": "no-cache",
        "ContentDisposition": "attachment",
        "ContentEncoding": "gzip",
        "Metadata": {"unit": "cm", "long-name": "a b"},
    }
    alice.put_object(Bucket="alice", Key="described", Body=b"x", **given)
    found = alice.get_object(Bucket="alice", Key="described")
    assert {name: found[name] for name in given} == given


def test_what_somebody_wrote_runs_in_no_browser_as_a_page_of_the_store(alice: Any) -> None:
    """The hub's cookies are sent to all ports of its host."""
    alice.put_object(Bucket="alice", Key="page", Body=b"<script>1</script>", ContentType="text/html")
    for wish in ({}, {"ResponseContentType": "text/html", "ResponseContentDisposition": "inline"}):
        answer = httpx.get(alice.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "page", **wish}))
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_link_can_name_the_file_to_save(alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="saved", Body=b"x")
    wish = {"ResponseContentType": "text/csv", "ResponseContentDisposition": "attachment; filename=a.csv"}
    answer = httpx.get(alice.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "saved", **wish}))
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == tuple(wish.values())


RANGES = {
    "bytes=0-0": (206, 0, 1),
    "bytes=10-19": (206, 10, 20),
    "bytes=99990-": (206, 99990, 100000),
    "bytes=-7": (206, 99993, 100000),
    "bytes=-200000": (206, 0, 100000),
    "bytes=99999-200000": (206, 99999, 100000),
    "bytes=5-4": (200, 0, 100000),
    "bytes=0-1,5-6": (200, 0, 100000),
    "lines=1-2": (200, 0, 100000),
}


@pytest.mark.parametrize("wish", RANGES)
def test_a_range_gives_its_bytes(alice: Any, wish: str) -> None:
    status, start, end = RANGES[wish]
    content = LARGE[:100_000]
    alice.put_object(Bucket="alice", Key="ranged", Body=content)
    found = alice.get_object(Bucket="alice", Key="ranged", Range=wish)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == status
    assert found["Body"].read() == content[start:end]
    if status == 206:
        assert found["ContentRange"] == f"bytes {start}-{end - 1}/100000"


@pytest.mark.parametrize("wish", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(alice: Any, wish: str) -> None:
    alice.put_object(Bucket="alice", Key="ranged", Body=LARGE[:100_000])
    assert refusal(lambda: alice.get_object(Bucket="alice", Key="ranged", Range=wish)) == "InvalidRange"


LATER, EARLIER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC), dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
CONDITIONS = [
    ({"IfMatch": "ETAG"}, "allowed"),
    ({"IfMatch": '"other"'}, "PreconditionFailed"),
    ({"IfMatch": "*"}, "allowed"),
    ({"IfNoneMatch": "ETAG"}, "304"),
    ({"IfNoneMatch": '"other"'}, "allowed"),
    ({"IfModifiedSince": LATER}, "304"),
    ({"IfModifiedSince": EARLIER}, "allowed"),
    ({"IfUnmodifiedSince": EARLIER}, "PreconditionFailed"),
    ({"IfUnmodifiedSince": LATER}, "allowed"),
    ({"IfMatch": "ETAG", "IfUnmodifiedSince": EARLIER}, "allowed"),
    ({"IfNoneMatch": '"other"', "IfModifiedSince": LATER}, "allowed"),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_conditions_of_a_read_count(alice: Any, conditions: dict[str, Any], expected: str) -> None:
    etag = alice.put_object(Bucket="alice", Key="conditional", Body=b"x")["ETag"]
    given = {name: etag if value == "ETAG" else value for name, value in conditions.items()}
    assert refusal(lambda: alice.get_object(Bucket="alice", Key="conditional", **given)) == expected
    headed = refusal(lambda: alice.head_object(Bucket="alice", Key="conditional", **given))
    assert headed == {"PreconditionFailed": "412"}.get(expected, expected)


NAMES = [
    "plain",
    "with space",
    "ünïcödé/文件",
    "a+b&c=d%20",
    "q?u#e",
    "'\"<>\\|*",
    "-dash",
    ".hidden",
    "~tilde",
    "a／b",
    "‛a",
]


@pytest.mark.parametrize("key", NAMES)
def test_a_name_is_kept_listed_and_deleted(alice: Any, key: str) -> None:
    alice.put_object(Bucket="alice", Key=f"names/{key}", Body=key.encode())
    assert alice.get_object(Bucket="alice", Key=f"names/{key}")["Body"].read() == key.encode()
    assert f"names/{key}" in [
        item["Key"] for item in alice.list_objects_v2(Bucket="alice", Prefix="names/")["Contents"]
    ]
    alice.delete_object(Bucket="alice", Key=f"names/{key}")
    assert refusal(lambda: alice.head_object(Bucket="alice", Key=f"names/{key}")) == "404"


def test_a_long_listing_comes_in_pages(alice: Any) -> None:
    keys = [f"pages/{n // 10}/{n:03}" for n in range(35)]
    for key in keys:
        alice.put_object(Bucket="alice", Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(
            alice.get_paginator(operation).paginate(Bucket="alice", Prefix="pages/", PaginationConfig={"PageSize": 10})
        )
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    folders = alice.list_objects_v2(Bucket="alice", Prefix="pages/", Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == [f"pages/{n}/" for n in range(4)]


def test_s3fs_works_with_its_defaults(store: EmbeddedStore, alice: Any, alice_session: Session) -> None:
    fs = s3fs.S3FileSystem(
        key=alice_session["AccessKeyId"],
        secret=alice_session["SecretAccessKey"],
        token=alice_session["SessionToken"],
        endpoint_url=store.url,
        skip_instance_cache=True,
    )
    with fs.open("alice/s3fs/large", "wb") as file:
        file.write(LARGE)
    with fs.open("alice/s3fs/large", "rb") as file:
        file.seek(1_000_000)
        assert file.read(10) == LARGE[1_000_000:1_000_010]
    assert fs.cat("alice/s3fs/large") == LARGE
    fs.pipe("alice/s3fs/small", b"small")
    fs.cp("alice/s3fs/small", "alice/s3fs/copy")
    assert sorted(fs.ls("alice/s3fs")) == ["alice/s3fs/copy", "alice/s3fs/large", "alice/s3fs/small"]
    fs.rm("alice/s3fs", recursive=True)
    assert not fs.exists("alice/s3fs")
    assert sorted(fs.ls("")) == ["alice", "scratch"]


@pytest.fixture
def rclone(store: EmbeddedStore, alice: Any, alice_session: Session, tmp_path: Path) -> Any:
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": alice_session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": alice_session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": alice_session["SessionToken"],
        "RCLONE_CONFIG_STORE_TYPE": "s3",
        "RCLONE_CONFIG_STORE_PROVIDER": "Rclone",
        "RCLONE_CONFIG_STORE_ENV_AUTH": "true",
        "RCLONE_CONFIG_STORE_ENDPOINT": store.url,
        "RCLONE_CONFIG_STORE_REGION": "us-east-1",
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
    }
    (tmp_path / "rclone.conf").touch()

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [find(), *arguments, "--retries", "1", "--low-level-retries", "1"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_rclone_copies_there_and_back(rclone: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "large").write_bytes(LARGE)
    (source / "small").write_text("small")
    os.utime(source / "small", (1_000_000_000, 1_000_000_000))
    rclone("copy", str(source), "store:alice/rclone", "--s3-upload-cutoff", "8M", "--s3-chunk-size", "8M")
    rclone("check", str(source), "store:alice/rclone", "--download")
    rclone("copy", "store:alice/rclone", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "large").read_bytes() == LARGE
    assert int((tmp_path / "back" / "small").stat().st_mtime) == 1_000_000_000


def test_rclone_moves_lists_and_purges(rclone: Any, store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("small")
    rclone("copyto", str(tmp_path / "small"), "store:alice/moves/first")
    rclone("moveto", "store:alice/moves/first", "store:alice/moves/second")
    assert rclone("lsf", "store:alice/moves").split() == ["second"]
    rclone("touch", "-t", "2001-02-03T04:05:06", "store:alice/moves/second")
    assert "2001-02-03" in rclone("lsl", "store:alice/moves")
    rclone("copyto", str(tmp_path / "small"), "store:scratch/alice/shared")
    assert (store.buckets / "scratch" / "alice" / "shared").read_text() == "small"
    rclone("purge", "store:alice/moves")
    assert not (store.buckets / "alice" / "moves").exists()
