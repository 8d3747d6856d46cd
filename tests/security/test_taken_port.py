"""A process of somebody else that takes a server's port first is not given the person's browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import spawner_stack
from spawner_stack import HubUnderTest, hub_in, launcher_in, wait_for

pytestmark = [pytest.mark.server, pytest.mark.root]

SQUATTED = r'''
import subprocess, sys
from naas_spawner.local import NaasLocalSpawner

SQUATTER = r"""
import os, socket, sys, threading
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def serve():
    while True:
        caller, _ = server.accept()
        caller.recv(4096)
        caller.sendall(b"HTTP/1.0 200 OK\r\nX-JupyterHub-Version: 6.0.0\r\n\r\n")
        caller.close()
threading.Thread(target=serve, daemon=True).start()
print("listening", flush=True)
sys.stdin.read()
"""

class Squatted(NaasLocalSpawner):
    async def place(self):
        await super().place()
        argv = [sys.executable, "-c", SQUATTER, str(self.port)]
        self.squatter = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.squatter.stdout.readline() == b"listening\n"

c.JupyterHub.spawner_class = Squatted
'''


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubUnderTest]:
    monkeypatch.setattr(spawner_stack, "HUB_CONFIG", spawner_stack.HUB_CONFIG + SQUATTED)
    tmp_path.chmod(0o711)
    with launcher_in(tmp_path) as launcher, hub_in(tmp_path, launcher, {}) as running:
        yield running


def test_a_server_whose_port_was_taken_by_another_is_not_used(hub: HubUnderTest) -> None:
    assert hub.start("alice").status_code in {201, 202, 500, 503}
    wait_for(lambda: not hub.server("alice"), "the failed start is given up")
    assert "another program of this machine took its port" in (hub.data / "hub.log").read_text()
    answer = hub.http.get("/user/alice/api", follow_redirects=False)
    assert "X-JupyterHub-Version" not in answer.headers or answer.status_code != 200
