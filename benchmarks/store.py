"""The embedded store against bare `rclone serve s3`, side by side in one run: `python benchmarks/store.py [MiB]`.

boto3 with its defaults; writes and reads by one stream and by eight. Prints MB/s and the store's share of bare rclone's speed.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from naas_local.parts import PartSpec, running
from naas_local.ports import LOOPBACK, free_port
from naas_local.store import embedded_store
from naas_local.store.rclone import find
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

STREAMS = 8
ROUNDS = 3


@contextlib.contextmanager
def bare_rclone(folder: Path) -> Iterator[Any]:
    (folder / "files" / "alice").mkdir(parents=True)
    key, port = os.urandom(16).hex(), free_port()
    address = f"{LOOPBACK}:{port}"
    argv = (find(), "serve", "s3", str(folder / "files"), "--addr", address, "--config", str(folder / "none.conf"))
    spec = PartSpec("rclone", argv, f"http://{address}", environment={"RCLONE_AUTH_KEY": f'"bench,{key}"'})
    with running(spec, folder / "logs"):
        yield s3_client(spec.ready, {"AccessKeyId": "bench", "SecretAccessKey": key, "SessionToken": None})


@contextlib.contextmanager
def our_store(folder: Path) -> Iterator[Any]:
    with TokenIssuer().running() as issuer, embedded_store(folder, issuer.url) as store:
        client = s3_client(store.url, assume_role(store.url, issuer.token("alice"), store.role_arn))
        client.create_bucket(Bucket="alice")
        yield client


def read_all(client: Any, key: str) -> None:
    for _ in client.get_object(Bucket="alice", Key=key)["Body"].iter_chunks(1 << 20):
        pass


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def many(action: Callable[[int], object]) -> None:
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(action, range(STREAMS)))


def speeds(client: Any, size: int) -> dict[str, float]:
    whole, part = os.urandom(1 << 20) * size, os.urandom(1 << 20) * (size // STREAMS)
    seconds = {
        "write 1": timed(lambda: client.put_object(Bucket="alice", Key="one", Body=whole)),
        "write 8": timed(lambda: many(lambda n: client.put_object(Bucket="alice", Key=f"part{n}", Body=part))),
        "read 1": timed(lambda: read_all(client, "one")),
        "read 8": timed(lambda: many(lambda n: read_all(client, f"part{n}"))),
    }
    found = {name: size * 1.048576 / took for name, took in seconds.items()}
    small = timed(lambda: [client.put_object(Bucket="alice", Key=f"s{n}", Body=b"x" * 1024) for n in range(100)])
    again = timed(lambda: [client.get_object(Bucket="alice", Key=f"s{n}")["Body"].read() for n in range(100)])
    return {**found, "PUT 1 KiB/s": 100 / small, "GET 1 KiB/s": 100 / again}


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    best: dict[str, dict[str, float]] = {"rclone": {}, "store": {}}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clients = {
            "rclone": stack.enter_context(bare_rclone(folder / "bare")),
            "store": stack.enter_context(our_store(folder / "ours")),
        }
        for _ in range(ROUNDS):
            for name, client in clients.items():
                for what, value in speeds(client, size).items():
                    best[name][what] = max(value, best[name].get(what, 0))
    print(f"{'':12} {'rclone':>8} {'store':>8} {'share':>6}   (MB/s; best of {ROUNDS}; {size} MiB)")
    for what, bare_speed in best["rclone"].items():
        ours_speed = best["store"][what]
        print(f"{what:12} {bare_speed:8.0f} {ours_speed:8.0f} {ours_speed / bare_speed:6.0%}")


if __name__ == "__main__":
    main()
