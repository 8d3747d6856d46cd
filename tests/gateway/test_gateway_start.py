"""The start: bad settings and secrets stop it with a sentence; two replicas can start at once; an end is quick."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import postgres
import pytest
import yaml
from cryptography.fernet import Fernet
from gateway_app import HubStandIn, gateway_app, gateway_settings
from naas_client.errors import Unavailable
from naas_client.gateway import API_PATH, SyncGatewayClient
from naas_gateway.__main__ import BAD_SETTINGS, listen_on
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server


def start(folder: Path, iam: EmbeddedIam, /, **sections: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    config = folder / "naas.yaml"
    config.write_text(yaml.safe_dump(gateway_settings(folder, iam, **sections)))
    environment = {**os.environ, "NAAS_CONFIG": str(config)}
    argv = [sys.executable, "-m", "naas_gateway"]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)


def secret(folder: Path, content: str, mode: int = 0o600) -> str:
    path = folder / "given"
    path.write_text(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("section", "key", "content", "mode", "words"),
    [
        ("gateway", "hub_token_file", "test_token", 0o600, "default or too short secret"),
        ("gateway", "hub_token_file", "", 0o600, "default or too short secret"),
        ("gateway", "hub_token_file", "a" * 40, 0o644, "readable by others"),
        ("iam", "client_secret_file", "changeme", 0o600, "default or too short secret"),
        ("iam", "client_secret_file", "b" * 40, 0o640, "readable by others"),
        ("gateway", "keys_file", Fernet.generate_key().decode(), 0o604, "readable by others"),
        ("gateway", "keys_file", "", 0o600, "one Fernet key a line"),
        ("gateway", "keys_file", "A" * 43 + "=", 0o600, "one Fernet key a line"),
        ("gateway", "keys_file", "short", 0o600, "one Fernet key a line"),
    ],
)
def test_an_unusable_secret_stops_the_start(
    tmp_path: Path, iam: EmbeddedIam, section: str, key: str, content: str, mode: int, words: str
) -> None:
    done = start(tmp_path, iam, **{section: {key: secret(tmp_path, content, mode)}})
    assert done.returncode == BAD_SETTINGS
    assert f"{section}.{key}" in done.stderr
    assert words in done.stderr
    assert not content or content not in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gateway": {"hub_token_file": None}}, "gateway.hub_token_file: missing"),
        ({"gateway": {"keys_file": None}}, "gateway.keys_file: missing"),
        (
            {"iam": {"client_secret_file": "/nonexistent/secret"}},
            "iam.client_secret_file: /nonexistent/secret cannot be read",
        ),
        ({"iam": {"second_client_id": "other"}}, "iam.second_client_secret_file: missing"),
        ({"gateway": {"database_url": "mysql://x"}}, "gateway.database_url: write sqlite"),
        ({"gateway": {"database_url": "rubbish"}}, "gateway.database_url: write sqlite"),
        ({"gateway": {"unknown": 1}}, "gateway.unknown: unknown key"),
        ({"iam": {"issuer": "ftp://x"}}, "iam.issuer: an address starts with"),
    ],
)
def test_a_mistake_in_the_settings_stops_the_start(
    tmp_path: Path, iam: EmbeddedIam, change: dict[str, Any], words: str
) -> None:
    done = start(tmp_path, iam, **change)
    assert (done.returncode, words in done.stderr) == (BAD_SETTINGS, True), done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8183", ("127.0.0.1", 8183)),
        ("http://localhost:8183", ("localhost", 8183)),
        ("http://[::1]:8183", ("::1", 8183)),
        ("http://gateway:8183", ("0.0.0.0", 8183)),
        ("http://10.0.0.4", ("10.0.0.4", 80)),
    ],
)
def test_it_listens_where_its_address_says(url: str, expected: tuple[str, int]) -> None:
    assert listen_on(url) == expected


def test_files_are_private_and_the_key_is_made(tmp_path: Path, iam: EmbeddedIam) -> None:
    with gateway_app(tmp_path / "new", iam):
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new").iterdir()}
    assert {"keys", "gateway.sqlite"} <= set(modes)
    assert set(modes.values()) == {"0o600"}


def test_an_end_does_not_wait_for_event_streams(
    tmp_path: Path, iam: EmbeddedIam, hub: HubStandIn, eventually: Callable[..., Any]
) -> None:
    with gateway_app(tmp_path, iam, gateway={"hub_api_url": hub.url}) as gateway:
        gateway.sign_in("alice")
        headers = {"Authorization": f"Bearer {hub.user_token('alice')}"}
        url = f"{gateway.url}{API_PATH}/events"
        with httpx.Client(trust_env=False) as client, client.stream("GET", url, headers=headers, timeout=30) as answer:
            assert next(answer.iter_lines()) == ": open"
            started = time.monotonic()
            gateway.stop()
            assert time.monotonic() - started < 5


def test_two_replicas_can_start_on_an_empty_database_at_once(tmp_path: Path, iam: EmbeddedIam) -> None:
    def run(name: str) -> str:
        url = {"database_url": f"sqlite+aiosqlite:///{tmp_path / 'both.sqlite'}"}
        with (
            gateway_app(tmp_path, iam, name=name, gateway=url) as gateway,
            SyncGatewayClient(gateway.url + API_PATH, "") as c,
        ):
            return c.health().parts[0].state

    gateway_settings(tmp_path, iam)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, ("one", "two"))) == ["ok", "ok"]


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there")
def test_on_postgresql_it_works_and_says_when_the_database_is_gone(
    tmp_path: Path, iam: EmbeddedIam, eventually: Callable[..., Any]
) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(ExitStack())
        url = database.enter_context(postgres.postgres())
        gateway = stack.enter_context(gateway_app(tmp_path / "gateway", iam, gateway={"database_url": url}))
        gateway.sign_in("alice")
        assert gateway.hub.claims("alice", 0).groups
        database.close()
        eventually(lambda: gateway.hub.health().status == "down", "the loss of the database in /health")
        assert httpx.get(f"{gateway.url}{API_PATH}/health", trust_env=False).status_code == 503
        with pytest.raises(Unavailable, match="database"):
            gateway.hub.claims("alice", 0)
