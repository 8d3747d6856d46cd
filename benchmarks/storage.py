"""How fast a folder of the cloud is: our mount, today's and s3fs-fuse, against boto3 on the same store, in one interleaved run.

    python benchmarks/storage.py [--store ceph|embedded] [--size MIB] [--rounds N] [--only VISIT ...] [--side SIDE ...] [--docs]

Needs root. Each visit to a mount starts with a new process and an empty cache ("cold"); steps named "again" come right after on the same
mount. Each written file has a new name and counts when it is in the store. Printed are medians. Only ratios within one run mean anything:
client and store share the machine.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from storage_engines import BUCKET, MOUNTS, STORES, Access, Mount
from storage_report import Results, write_docs
from storage_steps import client

HERE = Path(__file__).parent
BOTO: dict[str, dict[str, Any]] = {
    "boto3 x1": {"streams": 1},
    "boto3 x8": {"streams": 8},
    "boto3 x1 unsigned": {"streams": 1, "signed": False},
    "boto3 x8 unsigned": {"streams": 8, "signed": False},
}
VISITS: dict[str, list[str]] = {
    "write": ["write"],
    "write4": ["write4"],
    "read": ["read", "read again"],
    "read4": ["read4"],
    "random": ["random", "random again"],
    "small": ["create", "list", "read small", "metadata"],
    "parquet": ["parquet", "parquet again"],
}
"""Steps by the name that ``--only`` knows. Small files are created in one visit and used in another."""
SENDS = ("write", "write4", "small")
"""Where it matters whether the body is signed."""
VISIT_LIMIT = 900


class Run:
    """One run on one store. Parameters: ``size`` of the large file in MiB, ``count`` of small files and of random reads."""

    def __init__(self, access: Access, folder: Path, size: int, count: int) -> None:
        self.access, self.size, self.count = access, size, count
        self.results = Results()
        self.mounts: dict[str, Mount] = {name: kind(access, folder / name) for name, kind in MOUNTS.items()}
        os.environ.update(access.environment)
        self.store = client(access.endpoint)
        self._written = 0

    def prepare(self) -> None:
        """The files that are read: one large, four of a quarter, one table of twenty columns."""
        with contextlib.suppress(self.store.exceptions.BucketAlreadyOwnedByYou):
            self.store.create_bucket(Bucket=BUCKET)
        for prefix, files in (("large", 1), ("quarters", 4)):
            self._steps("boto3 x8", [("write", {"prefix": f"base/{prefix}", "size": self.size, "files": files})], None)
        self.store.upload_fileobj(io.BytesIO(table(self.size)), BUCKET, "base/table.parquet")

    def visit(self, name: str, side: str) -> None:
        """The steps of one visit on one side."""
        if name == "small":
            prefix = self._new_prefix()
            for steps in (["create"], ["list", "read small"], ["metadata"]):
                self._visit(steps, side, prefix)
        else:
            self._visit(VISITS[name], side, self._new_prefix())
        self._clean()

    def _new_prefix(self) -> str:
        self._written += 1
        return f"new/{self._written:04d}"

    def _visit(self, steps: list[str], side: str, prefix: str) -> None:
        with self._place(side) as place:
            values = self._steps(side, [self._what(step, prefix) for step in steps], place)
        for step, value in zip(steps, values, strict=True):
            self.results.add(step, side, value)

    def _place(self, side: str) -> contextlib.AbstractContextManager[str | None]:
        return self.mounts[side].mounted() if side in self.mounts else contextlib.nullcontext()

    def _what(self, step: str, prefix: str) -> tuple[str, dict[str, Any]]:
        """The word and the parameters of `storage_steps`."""
        small = {"prefix": prefix, "count": self.count}
        known: dict[str, tuple[str, dict[str, Any]]] = {
            "write": ("write", {"prefix": prefix, "size": self.size, "files": 1}),
            "write4": ("write", {"prefix": prefix, "size": self.size, "files": 4}),
            "read": ("read", {"keys": ["base/large/0"]}),
            "read4": ("read", {"keys": [f"base/quarters/{number}" for number in range(4)]}),
            "random": ("random", {"key": "base/large/0", "count": self.count}),
            "create": ("create", small),
            "list": ("list", small),
            "read small": ("read_small", small),
            "metadata": ("metadata", small),
            "parquet": ("parquet", {"key": "base/table.parquet"}),
        }
        return known[step.removesuffix(" again")]

    def _steps(self, side: str, steps: list[tuple[str, dict[str, Any]]], place: str | None) -> list[float]:
        where = {"folder": place} if place else BOTO[side]
        given = {"side": {"endpoint": self.access.endpoint, "bucket": BUCKET, **where}, "steps": steps}
        argv = [sys.executable, str(HERE / "storage_steps.py"), json.dumps(given)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=VISIT_LIMIT, env=os.environ)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise click.ClickException(f"{side}, {', '.join(word for word, _ in steps)}: {reason}")
        return list(json.loads(done.stdout))

    def _clean(self) -> None:
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="new/")
        for page in pages:
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                self.store.delete_objects(Bucket=BUCKET, Delete={"Objects": keys, "Quiet": True})
        self.access.collect()


def table(size: int) -> bytes:
    """A Parquet file of ``size`` MiB: twenty columns of random numbers, ten row groups."""
    import numpy
    import pyarrow
    from pyarrow import parquet

    rows, numbers = size * 2**20 // 160, numpy.random.default_rng(1)
    columns = {f"c{number}": numbers.random(rows) for number in range(20)}
    target = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), target, row_group_size=max(1, rows // 10), compression=None)
    return target.getvalue()


def sides(visit: str, wanted: tuple[str, ...]) -> list[str]:
    """Who takes part in a visit; without ``wanted``, everybody whose program is installed."""
    everybody = wanted or [*(name for name in MOUNTS if name != "s3fs" or shutil.which("s3fs")), *BOTO]
    return [name for name in everybody if visit in SENDS or "unsigned" not in name]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Not /tmp when the caller says so (TMPDIR): caches and objects of the embedded store are as fast as its disk."""
    folder = Path(tempfile.mkdtemp(prefix="naas-speed-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def private_mounts() -> None:
    """Go on in a mount namespace of our own, so that nothing stays mounted whatever happens to us."""
    if os.environ.get("NAAS_SPEED_APART") != "1":
        os.environ["NAAS_SPEED_APART"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


@click.command()
@click.option("--store", "kind", type=click.Choice(list(STORES)), default="ceph", show_default=True)
@click.option("--size", default=256, show_default=True, help="MiB of the large file")
@click.option("--count", default=200, show_default=True, help="small files, and random reads")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(VISITS)), help="these visits only; may be repeated")
@click.option("--side", "wanted", multiple=True, type=click.Choice([*MOUNTS, *BOTO]), help="these sides only")
@click.option("--docs", is_flag=True, help="write table and plot into docs/")
def main(
    kind: str, size: int, count: int, rounds: int, only: tuple[str, ...], wanted: tuple[str, ...], docs: bool
) -> None:
    """Print a table of medians, and how far each target is met."""
    if os.geteuid() != 0:
        raise click.ClickException("Mounts are made here as the mount helper makes them: start it as root.")
    private_mounts()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended early"))  # so that the store and its folder go too
    visits = [name for name in VISITS if name in only] if only else list(VISITS)
    with temporary_folder() as folder, STORES[kind](folder / "store", max(4 << 30, 12 * size << 20)) as access:
        run = Run(access, folder, size, count)
        run.prepare()
        for number in range(rounds):
            for visit in visits:
                names = sides(visit, wanted)
                for side in names[number % len(names) :] + names[: number % len(names)]:
                    click.echo(f"round {number + 1} of {rounds}: {visit}, {side}", err=True)
                    run.visit(visit, side)
            headline = f"{access.kind} ({access.version}), {size} MiB, {count} small files, rounds: {number + 1}"
            report = run.results.report(headline)
            if docs:  # after each round: a long run that is ended early has shown something
                write_docs(report, run.results)
    click.echo(report)


if __name__ == "__main__":
    main()
