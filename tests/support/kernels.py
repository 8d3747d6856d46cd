"""Real kernels, as a server of the platform starts them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

LIMIT = 60
"""Seconds for a kernel to start, and for one cell."""


@dataclass
class Kernel:
    """A kernel with somebody's environment."""

    client: Any

    def run(self, code: str) -> dict[str, Any]:
        """What a cell showed: ``text``, ``html``, ``error``, ``stderr``."""
        shown: dict[str, Any] = {"text": "", "html": "", "error": "", "stderr": ""}

        def listen(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] in ("execute_result", "display_data"):
                shown["text"] += content["data"].get("text/plain", "")
                shown["html"] += content["data"].get("text/html", "")
            elif message["msg_type"] == "stream":
                shown["text" if content["name"] == "stdout" else "stderr"] += content["text"]
            elif message["msg_type"] == "error":
                shown["error"] = "\n".join(content["traceback"])

        self.client.execute_interactive(code, timeout=LIMIT, output_hook=listen)
        return shown

    def refused(self, code: str) -> str:
        shown = self.run(code)
        assert "Traceback" not in shown["error"] + shown["stderr"]
        said = re.sub(r"\x1b\[[0-9;]*m", "", shown["stderr"] + shown["error"]).strip()
        assert "\n" not in said.removeprefix("UsageError: "), said
        return said


@contextlib.contextmanager
def kernel(home: Path, **environment: str) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NAAS_STORAGE_RUN", "JUPYTERHUB_API_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in {"HOME": str(home), "IPYTHONDIR": str(home / ".ipython"), **environment}.items():
            patch.setenv(name, value)
        manager, client = start_new_kernel(startup_timeout=LIMIT, cwd=str(home))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
