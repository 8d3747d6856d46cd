"""The whole product, started as a user would: `naas up` in a process of its own, with a data folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from naas_local.parts import log_tail
from naas_local.ports import free_port

NAAS = str(Path(sys.executable).with_name("naas"))
START_LIMIT, STOP_LIMIT = 240, 120
OPERATOR_SECRET = f"the-password-in-the-operators-shell-{secrets.token_hex(8)}"
"""New for each run: this file may lie where a test looks for it."""
ACCESS_AGE = 6
"""Seconds of ``iam.auth_refresh_age`` in the shared product: by then lost access must have taken effect."""


@dataclass
class Product:
    """A running product. ``state`` is what `naas status --json` printed when it became ready."""

    data: Path
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def status(self) -> dict[str, Any]:
        """What `naas status --json` prints now."""
        answer = subprocess.run(
            [NAAS, "status", "--json", "--data", str(self.data)], capture_output=True, text=True, check=False
        )
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def pid(self, part: str) -> int:
        """The process id of a part, from the supervisor's own record."""
        rows = json.loads((self.data / "run" / "supervisor.json").read_text())["parts"]
        return next(int(row["pid"]) for row in rows if row["name"] == part)

    def site(self) -> dict[str, Any]:
        """The effective settings of the parts."""
        document: dict[str, Any] = yaml.safe_load((self.data / "run" / "site.yaml").read_text())
        return document


@contextlib.contextmanager
def naas_up(
    folder: Path, settings: dict[str, Any] | None = None, port: int | None = None, options: tuple[str, ...] = ()
) -> Iterator[Product]:
    """`naas up` for the length of a `with` block; ended by Ctrl-C, and for certain. ``options``: more of its own."""
    data, config, log = folder / "data", folder / "naas.yaml", folder / "up.log"
    config.write_text(yaml.safe_dump(settings or {}))
    argv = [NAAS, "up", "--data", str(data), "--config", str(config), *options]
    argv += [] if (data / "ports.json").exists() else ["--port", str(port or free_port())]
    with log.open("ab") as output:
        environment = {**os.environ, "OPERATOR_PASSWORD": OPERATOR_SECRET}
        process = subprocess.Popen(
            argv, stdout=output, stderr=output, cwd=folder, env=environment, start_new_session=True
        )
    product = Product(data, "", process, log)
    try:
        product.url = _wait_ready(product)
        yield product
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def _wait_ready(product: Product) -> str:
    end = time.monotonic() + START_LIMIT
    state = product.data / "run" / "supervisor.json"
    while True:
        assert product.process.poll() is None, f"naas up ended:\n{log_tail(product.log, 40)}"
        assert time.monotonic() < end, f"naas up was not ready within {START_LIMIT} s:\n{log_tail(product.log, 40)}"
        if state.exists():
            document = json.loads(state.read_text())
            if document["ready"] and document["pid"] == product.process.pid:
                return str(document["url"])
        time.sleep(0.05)
