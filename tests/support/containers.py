"""Containers of our images, run as the spawner runs them: any uid, nothing writable but the home and /tmp, no capability."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from naas_images.build import usual_tag
from waiting import wait_for

UID = 20001
TOKEN = "test-token-of-a-server-0123456789abcdef"
CONFINED = (
    *("--read-only", "--tmpfs=/tmp:exec", f"--tmpfs=/home/alice:exec,uid={UID},gid={UID}", f"--user={UID}:{UID}"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges", "--env=HOME=/home/alice", "--workdir=/home/alice"),
)
HUB_CONFIG = f"""
c = get_config()
c.JupyterHub.bind_url = "http://0.0.0.0:8000"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "alices-server", "api_token": "{TOKEN}"}}]
"""


def image(name: str) -> str:
    return f"naas/{name}:{usual_tag()}"


def docker(*argv: str, text: str | None = None, code: int = 0) -> str:
    """What a command of the client prints."""
    done = subprocess.run(["docker", *argv], input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def sh(name: str, script: str, text: str | None = None) -> str:
    """What a script prints in a confined container of an image."""
    return docker(
        "run", "--rm", "-i", *CONFINED, "--network=none", "--entrypoint=sh", image(name), "-ec", script, text=text
    )


@contextlib.contextmanager
def container(name: str, *argv: str, command: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """A confined container that runs until the end of the block: its id and its address."""
    made = docker("run", "--detach", *CONFINED, *argv, image(name), *command).strip()
    try:
        known: list[dict[str, Any]] = json.loads(docker("inspect", made))
        yield made, known[0]["NetworkSettings"]["IPAddress"]
    finally:
        docker("rm", "--force", "--volumes", made)


def answers(url: str, made: str, limit: float = 120) -> httpx.Response:
    """The first good answer from a container that starts."""
    found: list[httpx.Response] = []

    def look() -> bool:
        assert json.loads(docker("inspect", made))[0]["State"]["Running"], docker("logs", made)
        with contextlib.suppress(httpx.HTTPError):
            found[:] = [httpx.get(url, timeout=5)]
        return bool(found) and found[0].status_code == 200

    wait_for(look, url, limit)
    return found[0]


@contextlib.contextmanager
def hub(folder: Path) -> Iterator[tuple[str, str]]:
    """A hub in a container of its own."""
    file = folder / "jupyterhub_config.py"
    file.write_text(HUB_CONFIG)
    file.chmod(0o644)
    mount = f"--volume={file}:/etc/naas/jupyterhub_config.py:ro"
    with container("hub", mount, command=("jupyterhub", "-f", "/etc/naas/jupyterhub_config.py")) as (made, address):
        answers(f"http://{address}:8081/hub/api/", made)
        yield made, address


def server_environment(hub_address: str) -> list[str]:
    """What a hub tells a server at its start."""
    told = {
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": f"http://{hub_address}:8081/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"http://{hub_address}:8081/hub/api/users/alice/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/alice/oauth_callback",
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8888/user/alice/",
        "JUPYTERHUB_USER": "alice",
    }
    return [f"--env={name}={value}" for name, value in told.items()]
