"""The steps of one visit of `benchmarks/storage.py`, in a process of their own: through a mount (`Files`) or boto3 (`Api`).

    python storage_steps.py '{"side": {…}, "steps": [["read", {"keys": ["a"]}], …]}'

prints the numbers that were measured. What is written counts when a listing of the store shows it in full, so every key is new.
Keys of the store: AWS_ACCESS_KEY_ID and its like.
"""

from __future__ import annotations

import concurrent.futures
import io
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

MIB = 1 << 20
PART = 16 * MIB
"""What every side sends and fetches at once."""
SMALL = b"x" * 1024
PAGE = 4096
COLUMNS = ["c3", "c11"]
RANDOM_LIMIT = 20.0
"""Seconds after which random reads end; the rate is of those that were made."""
STORED_LIMIT = 120.0
"""Seconds for written files to be in the store."""
LOOK = 0.02


def client(endpoint: str, signed: bool = True) -> Any:
    """boto3 with its own defaults but for paths, and bodies that are not hashed where ``signed`` is false."""
    options = Config(
        s3={"addressing_style": "path", **({} if signed else {"payload_signing_enabled": False})},
        signature_version="s3v4",
        max_pool_connections=32,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=options)


def noise(size: int) -> Iterable[memoryview]:
    """``size`` MiB that no engine can compress, made before anything is timed."""
    block = memoryview(os.urandom(2 * MIB))
    return [block[shift % MIB : shift % MIB + MIB] for shift in range(0, size * 4099, 4099)]


def in_store(store: Any, bucket: str, prefix: str) -> dict[str, int]:
    """Size by key; without what s3fs-fuse writes for a folder."""
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    entries = (entry for page in pages for entry in page.get("Contents", []))
    return {entry["Key"]: entry["Size"] for entry in entries if not entry["Key"].endswith("/")}


class Side:
    """What both ways have: the store itself, and the clock."""

    def __init__(self, endpoint: str, bucket: str, streams: int = 1, signed: bool = True) -> None:
        self.store, self.bucket, self.streams = client(endpoint, signed), bucket, streams
        self.store.list_objects_v2(Bucket=bucket, MaxKeys=1)  # the connection is there before the clock runs

    def wait_stored(self, prefix: str, sizes: dict[str, int]) -> None:
        """Return when the store has these objects, and no other ones, below a prefix."""
        end = time.monotonic() + STORED_LIMIT
        while (found := in_store(self.store, self.bucket, prefix)) != sizes:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {len(sizes)} objects are in the store after {STORED_LIMIT:g} s")
            time.sleep(LOOK)

    def each(self, action: Callable[[Any], Any], things: Iterable[Any], streams: int | None = None) -> None:
        """Do it to each, in as many threads as there are streams."""
        with concurrent.futures.ThreadPoolExecutor(streams or self.streams) as pool:
            list(pool.map(action, things))


class Files(Side):
    """The store as folder ``folder`` of a mount."""

    def __init__(self, folder: str, **options: Any) -> None:
        super().__init__(**options)
        self.folder = Path(folder)
        if self.folder.stat().st_dev == self.folder.parent.stat().st_dev:
            raise RuntimeError(f"{folder} is not mounted")

    def write(self, prefix: str, size: int, files: int) -> float:
        blocks = noise(size // files)
        (self.folder / prefix).mkdir(parents=True)

        def one(number: int) -> None:
            with (self.folder / prefix / str(number)).open("wb", buffering=0) as file:
                for block in blocks:
                    file.write(block)

        start = time.perf_counter()
        self.each(one, range(files), files)
        self.wait_stored(f"{prefix}/", {f"{prefix}/{number}": size // files * MIB for number in range(files)})
        return size * MIB / 1e6 / (time.perf_counter() - start)

    def read(self, keys: list[str]) -> float:
        def one(key: str) -> int:
            with (self.folder / key).open("rb", buffering=0) as file:
                return sum(iter(lambda: len(file.read(MIB)), 0))

        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(len(keys)) as pool:
            total = sum(pool.map(one, keys))
        return total / 1e6 / (time.perf_counter() - start)

    def random(self, key: str, count: int) -> float:
        pages = (self.folder / key).stat().st_size // PAGE
        descriptor = os.open(self.folder / key, os.O_RDONLY)
        return rate(lambda page: os.pread(descriptor, PAGE, page * PAGE), pages, count)

    def create(self, prefix: str, count: int) -> float:
        start = time.perf_counter()
        (self.folder / prefix).mkdir(parents=True)
        for number in range(count):
            (self.folder / prefix / f"{number:05d}").write_bytes(SMALL)
        self.wait_stored(f"{prefix}/", {f"{prefix}/{number:05d}": len(SMALL) for number in range(count)})
        return count / (time.perf_counter() - start)

    def list(self, prefix: str, count: int) -> float:
        start = time.perf_counter()
        with os.scandir(self.folder / prefix) as entries:
            sizes = [entry.stat().st_size for entry in entries]
        took = time.perf_counter() - start
        check(sizes == [len(SMALL)] * count, f"{len(sizes)} of {count} files listed")
        return count / took

    def read_small(self, prefix: str, count: int) -> float:
        start = time.perf_counter()
        for number in range(count):
            check((self.folder / prefix / f"{number:05d}").read_bytes() == SMALL, "a small file has other content")
        return count / (time.perf_counter() - start)

    def metadata(self, prefix: str, count: int) -> float:
        """Look at, rename and remove each file; it counts when the store shows none."""
        start = time.perf_counter()
        for number in range(count):
            file = self.folder / prefix / f"{number:05d}"
            check(file.stat().st_size == len(SMALL), "a small file has another size")
            file.rename(file.with_suffix(".new")).unlink()
        self.wait_stored(f"{prefix}/", {})
        return 3 * count / (time.perf_counter() - start)

    def parquet(self, key: str) -> float:
        return read_columns(self.folder / key)


class Api(Side):
    """The store through boto3, the measure of everything."""

    def write(self, prefix: str, size: int, files: int) -> float:
        data = b"".join(noise(size // files))
        many = self.streams > 1
        options = TransferConfig(use_threads=many, max_concurrency=self.streams, multipart_chunksize=PART)
        start = time.perf_counter()
        for number in range(files):
            self.store.upload_fileobj(io.BytesIO(data), self.bucket, f"{prefix}/{number}", Config=options)
        return size * MIB / 1e6 / (time.perf_counter() - start)

    def read(self, keys: list[str]) -> float:
        sizes = {key: self.store.head_object(Bucket=self.bucket, Key=key)["ContentLength"] for key in keys}

        def part(where: tuple[str, int]) -> None:
            key, first = where
            self._drain(key, Range=f"bytes={first}-{min(first + PART, sizes[key]) - 1}")

        start = time.perf_counter()
        if self.streams == 1:
            for key in keys:
                self._drain(key)
        else:
            self.each(part, [(key, first) for key in keys for first in range(0, sizes[key], PART)])
        return sum(sizes.values()) / 1e6 / (time.perf_counter() - start)

    def _drain(self, key: str, **options: Any) -> None:
        body = self.store.get_object(Bucket=self.bucket, Key=key, **options)["Body"]
        while body.read(MIB):
            pass

    def random(self, key: str, count: int) -> float:
        def one(page: int) -> bytes:
            where = f"bytes={page * PAGE}-{page * PAGE + PAGE - 1}"
            return bytes(self.store.get_object(Bucket=self.bucket, Key=key, Range=where)["Body"].read())

        pages = self.store.head_object(Bucket=self.bucket, Key=key)["ContentLength"] // PAGE
        return rate(one, pages, count, self.streams)

    def create(self, prefix: str, count: int) -> float:
        def one(number: int) -> None:
            self.store.put_object(Bucket=self.bucket, Key=f"{prefix}/{number:05d}", Body=SMALL)

        return self._timed(one, count)

    def list(self, prefix: str, count: int) -> float:
        start = time.perf_counter()
        found = in_store(self.store, self.bucket, f"{prefix}/")
        took = time.perf_counter() - start
        check(len(found) == count, f"{len(found)} of {count} objects listed")
        return count / took

    def read_small(self, prefix: str, count: int) -> float:
        return self._timed(lambda number: self._drain(f"{prefix}/{number:05d}"), count)

    def metadata(self, prefix: str, count: int) -> float:
        def one(number: int) -> None:
            here = {"Bucket": self.bucket, "Key": f"{prefix}/{number:05d}"}
            there = {**here, "Key": f"{here['Key']}.new"}
            self.store.head_object(**here)
            self.store.copy_object(CopySource=here, **there)
            self.store.delete_object(**here)
            self.store.delete_object(**there)

        return 3 * self._timed(one, count)

    def _timed(self, action: Callable[[int], None], count: int) -> float:
        start = time.perf_counter()
        if self.streams == 1:
            for number in range(count):
                action(number)
        else:
            self.each(action, range(count))
        return count / (time.perf_counter() - start)

    def parquet(self, key: str) -> float:
        start = time.perf_counter()
        body = self.store.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        took = time.perf_counter() - start

        from pyarrow import BufferReader

        return took + read_columns(BufferReader(body))


def rate(read: Callable[[int], bytes], pages: int, count: int, streams: int = 1) -> float:
    """Random pages a second; the same pages in the same order for everybody."""
    order = random.Random(7)
    wanted = [order.randrange(pages) for _ in range(count)]
    start = time.perf_counter()

    def one(page: int) -> bool:
        if time.perf_counter() - start > RANDOM_LIMIT:
            return False
        check(len(read(page)) == PAGE, "a short read")
        return True

    if streams == 1:
        made = sum(map(one, wanted))
    else:
        with concurrent.futures.ThreadPoolExecutor(streams) as pool:
            made = sum(pool.map(one, wanted))
    return made / (time.perf_counter() - start)


def read_columns(source: Any) -> float:
    """Seconds for two of twenty columns."""
    from pyarrow import parquet

    start = time.perf_counter()
    table = parquet.read_table(source, columns=COLUMNS)
    check(table.num_columns == len(COLUMNS), "not the columns that were asked for")
    return time.perf_counter() - start


def check(right: bool, sentence: str) -> None:
    """A benchmark of wrong answers is none."""
    if not right:
        raise RuntimeError(sentence)


def main() -> None:
    """Do the steps of a visit."""
    given = json.loads(sys.argv[1])
    side = Files(**given["side"]) if "folder" in given["side"] else Api(**given["side"])
    print(json.dumps([getattr(side, step)(**what) for step, what in given["steps"]]))


if __name__ == "__main__":
    main()
