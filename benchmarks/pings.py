"""Pings per second, side by side in one run: `python benchmarks/pings.py [--against URL KEY]… [--seconds 5]`.

The embedded server and any other given by its address and a read-write API key; each client is a process that pings one check after
the other, on a new connection each time as cron jobs do, or (`--keep-alive`) on one. A ping counts when it was answered 200. The servers
take turns. What is measured is durable: the embedded server answers after fsync(2). Checks made on another server are deleted again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx
from naas_local.healthchecks import embedded_healthchecks

CHECKS = 50
CLIENTS = (1, 4, 8, 16)
LIMIT = 30


@contextlib.contextmanager
def checks(url: str, key: str) -> Iterator[list[str]]:
    """Addresses of pings of checks that are gone afterwards."""
    with httpx.Client(base_url=url, headers={"X-Api-Key": key}, timeout=LIMIT) as api:
        made = [
            api.post("/api/v3/checks/", json={"name": f"bench {n}", "timeout": 86400}).raise_for_status().json()
            for n in range(CHECKS)
        ]
        try:
            yield [one["ping_url"] for one in made]
        finally:
            for one in made:
                api.delete(one["update_url"])


@contextlib.contextmanager
def embedded() -> Iterator[tuple[str, str]]:
    folder = tempfile.TemporaryDirectory(prefix="naas-pings-")
    with folder as base, embedded_healthchecks(Path(base), pings_per_minute=0) as server:
        yield server.url, server.project("bench")["api_key"]


def connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=LIMIT)


@dataclass(frozen=True)
class Load:
    """How it is pinged. Parameters: ``pause``, seconds from one ping of a client to its next; 0: as fast as it can."""

    clients: int
    seconds: float
    keep_alive: bool
    pause: float = 0

    def next(self, began: float) -> float:
        """Wait for the next ping's time. A server that is slow makes it late, and that counts as its time as well."""
        if not self.pause:
            return time.perf_counter()
        due = began + self.pause
        time.sleep(max(0, due - time.perf_counter()))
        return due


def client(number: int, urls: list[str], load: Load) -> tuple[list[float], int]:
    """Milliseconds of each answered ping, and how many were refused."""
    times, refused, n, line, keep_alive = [], 0, number, connection(urls[0]), load.keep_alive
    began = load.next(time.perf_counter() - load.pause * number / load.clients)  # the clients take turns
    end = began + load.seconds
    while began < end:
        line = line if keep_alive else connection(urls[0])
        line.request("GET", urlsplit(urls[n % len(urls)]).path)
        answer = line.getresponse()
        answer.read()
        if answer.status == 200:
            times.append((time.perf_counter() - began) * 1000)
        else:
            refused += 1
        if not keep_alive:
            line.close()
        n += 7
        began = load.next(began)
    return times, refused


def measure(urls: list[str], load: Load) -> tuple[float, float, float, int]:
    """Pings a second, median and 95th percentile in milliseconds, and how many were refused."""
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(load.clients, mp_context=fork) as pool:
        done = [pool.submit(client, n, urls, load) for n in range(load.clients)]
        results = [one.result() for one in done]
    times = sorted(one for found, _ in results for one in found)
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else float("nan")
    return len(times) / load.seconds, statistics.median(times or [float("nan")]), p95, sum(bad for _, bad in results)


@click.command()
@click.option("--against", nargs=2, multiple=True, metavar="URL KEY", help="Another server; may be given again.")
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--rate", default=200, show_default=True, help="Pings a second of the steady measurement.")
@click.option("--keep-alive", is_flag=True, help="One connection per client.")
def main(against: list[tuple[str, str]], seconds: float, rate: int, keep_alive: bool) -> None:
    with contextlib.ExitStack() as stack:
        servers = {"embedded": stack.enter_context(embedded()), **{url: (url, key) for url, key in against}}
        urls = {name: stack.enter_context(checks(*server)) for name, server in servers.items()}
        print(f"{'server':40} {'clients':>7} {'wanted/s':>8} {'pings/s':>8} {'p50 ms':>7} {'p95 ms':>7} {'refused':>7}")
        steady = Load(8, seconds, keep_alive, 8 / rate)
        for load in (steady, *(Load(clients, seconds, keep_alive) for clients in CLIENTS)):
            for name in servers:
                found, p50, p95, refused = measure(urls[name], load)
                wanted = f"{rate}" if load.pause else "most"
                print(
                    f"{name:40} {load.clients:7} {wanted:>8} {found:8.0f} {p50:7.1f} {p95:7.1f} {refused:7}", flush=True
                )
    print(f"load {' '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
