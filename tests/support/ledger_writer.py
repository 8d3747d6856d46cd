"""A program that works in a folder and keeps a ledger of what it was told: run as ``python ledger_writer.py OPTIONS``.

OPTIONS is one JSON object: ``folder`` to work in; ``ledger``, a file on a local disk; ``prefix`` of its files' names; ``count`` of files
(0: until ``stop`` exists); ``size`` of each in bytes; ``pause`` seconds between two; ``stop``, a file that ends it; ``read``, read
an earlier file after each; ``hold``, a file: the first file is written by half and synced, and goes on when ``hold`` exists;
``names``, after so many files the names begin anew, so that files are written over.

Each line of the ledger is written before the next step is begun: ``begin``, ``synced`` (fsync returned), ``saved`` (close returned),
``error``, ``read`` (the right bytes came back), ``wrong`` (others came back). Standard library only: it runs as a person's program does.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

BLOCK = 2**20
HOLD_LIMIT = 600


class Program:
    def __init__(self, options: dict[str, Any]) -> None:
        self.given = {"prefix": "f", "count": 0, "size": 1000, "pause": 0.0, "names": 10**9, **options}
        self.folder = Path(self.given["folder"])
        self.ledger = os.open(self.given["ledger"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.known: dict[str, str] = {}

    def note(self, event: str, name: str, **more: object) -> None:
        os.write(self.ledger, json.dumps({"event": event, "name": name, "at": time.time(), **more}).encode() + b"\n")

    def told_to_stop(self) -> bool:
        return bool(self.given.get("stop")) and Path(self.given["stop"]).exists()

    def run(self) -> None:
        for number in itertools.count():
            if self.told_to_stop() or (self.given["count"] and number >= self.given["count"]):
                break
            name = f"{self.given['prefix']}{number % self.given['names']:05d}"
            self.guarded(self.write, name, number == 0)
            if self.given.get("read") and self.known:
                self.guarded(self.read, random.choice(sorted(self.known)))
            time.sleep(self.given["pause"])
        self.note("end", "")

    def guarded(self, work: Any, name: str, *more: Any) -> None:
        try:
            work(name, *more)
        except OSError as error:
            self.known.pop(name, None)
            self.note("error", name, errno=error.errno, text=str(error))

    def write(self, name: str, first: bool) -> None:
        digest, left = hashlib.md5(), self.given["size"]
        self.known.pop(name, None)
        self.note("begin", name)
        file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if first and self.given.get("hold"):
                left -= self.put(file, digest, left // 2)
                os.fsync(file)
                self.note("synced", name, size=self.given["size"] - left, md5=digest.hexdigest())
                self.wait(Path(self.given["hold"]))
            self.put(file, digest, left)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(file)
            raise
        os.close(file)
        self.known[name] = digest.hexdigest()
        self.note("saved", name, size=self.given["size"], md5=digest.hexdigest())

    @staticmethod
    def put(file: int, digest: Any, size: int) -> int:
        left = size
        while left:
            block = os.urandom(min(BLOCK, left))
            written = os.write(file, block)
            digest.update(block[:written])
            left -= written
        return size

    @staticmethod
    def wait(path: Path) -> None:
        end = time.monotonic() + HOLD_LIMIT
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.02)

    def read(self, name: str) -> None:
        digest = hashlib.md5()
        with (self.folder / name).open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        right = digest.hexdigest() == self.known[name]
        self.note("read" if right else "wrong", name, md5=digest.hexdigest())


if __name__ == "__main__":
    Program(json.loads(sys.argv[1])).run()
