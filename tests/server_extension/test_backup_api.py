"""The backup of a home through a real Jupyter server, to the real embedded store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab_server import Desk, drive_store, jupyter
from naas_client.errors import ErrorAnswer
from naas_client.models import BackupRun, BackupStatus, ObjectPage, Page
from naas_storage.agent.engine import write_configuration
from naas_storage.plan import AgentPlan
from waiting import wait_for

pytestmark = pytest.mark.server


@dataclass
class BackupServer:
    """A Jupyter server of alice whose home is backed up."""

    http: httpx.Client
    s3: Any
    home: Path

    def status(self) -> BackupStatus:
        return BackupStatus.model_validate_json(self.http.get("backup").content)

    def ended(self) -> BackupStatus:
        return wait_for(
            lambda: (now := self.status()).running is None and (now.last or now.problem) and now, "the end", 120
        )


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupServer]:
    desk = Desk.at(tmp_path_factory.mktemp("backup"))
    with drive_store(desk) as s3:
        plan = AgentPlan.model_validate_json((desk.run / "plan.json").read_text())
        write_configuration(plan, plan.endpoint)
        with jupyter(desk, NAAS_STORAGE_RUN=str(desk.run)) as server, server.client() as http:
            yield BackupServer(http, s3, desk.home)


def test_from_a_click_to_a_file_that_is_back(alice: BackupServer) -> None:
    (alice.home / "local").mkdir()
    (alice.home / "local/notes.txt").write_text("first")
    (alice.home / "random.py").write_text("raise SystemExit('a module of the person, not Python')")
    begun = alice.http.post("backup/runs")
    assert begun.status_code == 202
    assert begun.json()["running"]["what"] == "backup"  # at once: the process has not taken its lock yet
    assert begun.json()["home"] == "."
    done = alice.ended()
    assert done.problem == ""
    assert done.last is not None
    assert done.last.errors == []
    assert alice.s3.get_object(Bucket="alice", Key="naas-backup/home/local/notes.txt")["Body"].read() == b"first"

    runs = Page[BackupRun].model_validate_json(alice.http.get("backup/runs").content)
    assert [one.id for one in runs.items] == [done.last.id]
    address = f"backup/runs/{done.last.id}/files"
    assert listed(alice, address, prefix="local/") == {"local/notes.txt": 5}
    assert listed(alice, address)["local/"] == 5
    assert listed(alice, address, search="NOTES") == {"local/notes.txt": 5}
    order = {"run": done.last.id, "paths": ["local/notes.txt"]}
    assert alice.http.post("backup/restore", json=order).json()["running"]["what"] == "restore"
    restored = wait_for(lambda: alice.ended().restored, "the restore's result", 120)
    assert (restored.files, restored.replaced, restored.problem) == (1, "", "")
    assert (alice.home / restored.folder / "local/notes.txt").read_text() == "first"


def listed(alice: BackupServer, address: str, **parameters: str) -> dict[str, int]:
    """Keys and sizes of a page of a backup's files."""
    page = ObjectPage.model_validate_json(alice.http.get(address, params=parameters).content)
    return {item.key: item.size for item in page.items}


def test_a_restore_that_cannot_be_says_why(alice: BackupServer) -> None:
    alice.http.post("backup/restore", json={"run": "2020-01-01T000000Z"})
    restored = wait_for(lambda: (now := alice.ended()).restored is not None and now.restored.problem, "the cause", 120)
    assert "There is no backup" in restored


def test_wishes_are_kept_and_say_when_the_next_one_is(alice: BackupServer) -> None:
    wish = {"every_hours": 24, "keep_days": 30, "exclude": ["/local/big/**"]}
    answer = alice.http.put("backup/settings", json=wish)
    assert answer.status_code == 200
    kept = BackupStatus.model_validate_json(answer.content)
    assert (kept.settings.every_hours, kept.settings.exclude) == (24, ["/local/big/**"])
    assert kept.next_at is not None
    assert alice.http.put("backup/settings", json={"every_hours": 0}).json()["next_at"] is None


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("PUT", "backup/settings", {"every_hours": -1}),
        ("PUT", "backup/settings", {"ping_url": "file:///etc/passwd"}),
        ("PUT", "backup/settings", {"exclude": ["a\nb"]}),
        ("PUT", "backup/settings", {"exclude": ["***"]}),
        ("POST", "backup/restore", {"run": "x" * 41}),
        ("POST", "backup/restore", {"run": 1}),
        ("POST", "backup/restore", {"paths": []}),
        ("POST", "backup/restore", {"run": "2026-11-24T120000Z", "paths": ["a\0b"]}),
        ("GET", "backup/runs/2020-01-01T000000Z/files", {}),
        ("GET", "backup/runs/..%2F..%2Fsettings/files", {}),
        ("GET", "backup/runs/2020-01-01T000000Z/files?limit=x", {}),
    ],
)
def test_bad_input_is_refused(alice: BackupServer, method: str, path: str, document: dict[str, Any]) -> None:
    answer = alice.http.request(method, path, json=document)
    assert answer.status_code == 400
    assert ErrorAnswer.model_validate(answer.json()).error.message


def test_without_a_token_nothing_is_told(alice: BackupServer) -> None:
    for method, path in (
        ("GET", "backup"),
        ("POST", "backup/runs"),
        ("PUT", "backup/settings"),
        ("GET", "backup/runs"),
        ("GET", "backup/runs/2026-11-24T120000Z/files"),
    ):
        assert httpx.request(method, f"{alice.http.base_url}{path}").status_code in (401, 403)
