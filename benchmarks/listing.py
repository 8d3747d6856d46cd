"""The first page of a large bucket, as the Buckets tab asks for it: `python benchmarks/listing.py [--store ceph] [--keys 100000]`.

A real Jupyter server with our extension and a real store; all keys are on one level. Prints one JSON document, times in seconds.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
from naas_local.store import embedded_store

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "support"))
from ceph import personal_role, shared_cluster  # noqa: E402
from lab_server import Desk, jupyter  # noqa: E402
from run_folder import prepare_run_folder  # noqa: E402
from s3_people import assume_role, s3_client  # noqa: E402
from token_issuer import TokenIssuer  # noqa: E402

WRITERS = 16
LIFE = 3600


def names(keys: int) -> Iterator[str]:
    return (f"key-{number:08d}" for number in range(keys))


@contextlib.contextmanager
def embedded(folder: Path, issuer: TokenIssuer, keys: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with embedded_store(folder, issuer.url) as store:
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=LIFE)
        s3_client(store.url, session).create_bucket(Bucket="alice")
        for name in names(keys):
            (store.buckets / "alice" / name).write_bytes(b"x")
        yield store.url, session


@contextlib.contextmanager
def ceph(folder: Path, issuer: TokenIssuer, keys: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with shared_cluster(folder) as store:
        admin = store.client("s3")
        admin.create_bucket(Bucket="alice")
        role = personal_role(store, f"{issuer.url}/", "alice")
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(lambda name: admin.put_object(Bucket="alice", Key=name, Body=b"x"), names(keys)):
                pass
        yield store.url, assume_role(store.url, issuer.token("alice"), role, seconds=LIFE)


STORES = {"embedded": embedded, "ceph": ceph}


def page(http: httpx.Client, cursor: str | None = None) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = http.get("buckets/alice/objects", params={"cursor": cursor} if cursor else {})
    took = time.perf_counter() - began
    return took, answer.raise_for_status().json()


@click.command()
@click.option("--store", type=click.Choice(sorted(STORES)), default="embedded", show_default=True)
@click.option("--keys", default=100_000, show_default=True)
@click.option("--runs", default=5, show_default=True)
def main(store: str, keys: int, runs: int) -> None:
    """Print the times of the first page, their median, and the time of the second page."""
    with tempfile.TemporaryDirectory(prefix="naas-listing-") as base, TokenIssuer().running() as issuer:
        desk, began = Desk.at(Path(base)), time.perf_counter()
        (desk.run.parent / "store").mkdir()
        with STORES[store](desk.run.parent / "store", issuer, keys) as (url, session):
            filled = time.perf_counter() - began
            prepare_run_folder(desk.run, url, session)
            with jupyter(desk, NAAS_STORAGE_RUN=str(desk.run)) as server, server.client() as http:
                http.timeout = httpx.Timeout(120)
                found = [page(http) for _ in range(runs)]
                second, _ = page(http, found[0][1]["next"])
    result = {
        "store": store,
        "keys": keys,
        "entries": [len(one["items"]) for _, one in found],
        "first": [round(took, 3) for took, _ in found],
        "median": round(statistics.median(took for took, _ in found), 3),
        "second": round(second, 3),
        "filled": round(filled, 1),
        "load": [round(value, 1) for value in os.getloadavg()],
    }
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
