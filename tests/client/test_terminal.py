"""What others wrote is printed and never obeyed."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from naas_client.terminal import plain

TITLE = "\x1b]0;obeyed\x07"


@pytest.fixture
def hostile() -> Iterator[str]:
    """The address of a service whose sentences are orders to a terminal."""
    body = json.dumps({"error": {"code": "no-client", "message": f"No.{TITLE}"}}).encode()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.server
def test_a_sentence_of_a_service_moves_no_cursor(hostile: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from naas_client.cli import main; main()", "login", hostile],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: No.�]0;obeyed�\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("è 日本 a b\nc", "è 日本 a b\nc"),
        ("\x1b[2J", "�[2J"),
        ("a\rb\tc", "a�b�c"),
        ("txt.\u202egpj", "txt.�gpj"),
        ("\x9b31m", "�31m"),
        ("\udcff", "�"),
    ],
)
def test_what_is_printed(text: str, shown: str) -> None:
    assert plain(text) == shown
