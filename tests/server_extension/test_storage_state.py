"""``GET naas/api/storage``: what the mount agent says, with what the panel needs on top; its absence is a state."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from lab_server import Desk, Stack, jupyter
from naas_client.errors import ErrorAnswer
from naas_client.models import FolderState, FolderStatus
from naas_server.storage import PanelStatus, Storage, browser_path
from panel_stand_ins import folder, status, uploads

pytestmark = pytest.mark.server


def test_the_agents_document_comes_whole(stack: Stack, api: httpx.Client) -> None:
    sent = status(
        stack.desk.home, state="degraded", reason="alice: slow", code="slow", **uploads(("a.h5", 5, "failed"))
    )
    stack.agent.set(sent)
    answer = api.get("storage")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    got = PanelStatus.model_validate_json(answer.content)
    assert [f.browser_path for f in got.folders] == [
        "cloud-storage/alice",
        "cloud-storage/scratch",
        "cloud-storage/scratch-alice",
    ]
    without_paths = got.model_dump(exclude={"folders": {"__all__": {"browser_path"}}})
    assert without_paths == sent.model_dump()


def test_without_a_run_folder_the_state_says_so(tmp_path: Path) -> None:
    with jupyter(Desk.at(tmp_path)) as server, server.client() as api:
        found = PanelStatus.model_validate_json(api.get("storage").content)
        assert (found.state, found.code) == ("degraded", "no-storage")
        assert found.reason == "This server was started without cloud storage."
        refused = api.get("health")
        assert refused.status_code == 503
        assert ErrorAnswer.model_validate(refused.json()).error.code == "no-gateway"


@pytest.mark.asyncio
async def test_an_agent_that_is_not_there_yet_is_starting_and_then_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path, tmp_path)
    assert (await storage.status()).state == "starting"
    monkeypatch.setattr("naas_server.storage.AGENT_START", 0)
    found = await storage.status()
    assert (found.state, found.code) == ("degraded", "no-agent")
    assert found.reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{home}/cloud-storage/alice", "cloud-storage/alice"),
        ("{view}/alice", "cloud-storage/alice"),
        ("/somewhere/else", None),
        ("{home}/../other/alice", None),
    ],
    ids=["below the root", "through the link in the home", "out of reach", "a path that climbs out"],
)
def test_the_file_browsers_path(tmp_path: Path, path: str, expected: str | None) -> None:
    home, view = tmp_path / "home", tmp_path / "run" / "s3"
    home.mkdir()
    view.mkdir(parents=True)
    (home / "cloud-storage").symlink_to(view)
    found = FolderStatus(name="alice", path=path.format(home=home, view=view), state=FolderState.OK)
    assert browser_path(home, found) == expected


def test_a_folder_that_hangs_is_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda self, strict=False: looked.append(str(self)) or real(self, strict))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cloud-storage").symlink_to(tmp_path / "view")
    found = folder(tmp_path / "view", "alice")
    browser_path(tmp_path / "home", found.model_copy(update={"path": str(tmp_path / "view" / "alice")}))
    assert looked
    assert not [path for path in looked if path.endswith("alice")]


def test_the_agent_is_told_to_retry_and_to_reconnect(stack: Stack, api: httpx.Client) -> None:
    stack.agent.words.clear()
    assert api.post("storage/retry").json()["state"] == "mounted"
    answer = api.post("storage/reconnect", json={"name": "scratch"})
    assert answer.json()["folders"][0]["browser_path"] == "cloud-storage/alice"
    assert [word for word in stack.agent.words if word not in ("status", "watch")] == ["retry", "reconnect scratch"]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"name": "nobody"}', b'{"name": "alice\\nstop"}', b'{"name": 7}', b"[]", b"x" * 5000]
)
def test_only_ones_own_folders_are_reconnected(stack: Stack, api: httpx.Client, body: bytes) -> None:
    stack.agent.words.clear()
    assert api.post("storage/reconnect", content=body).status_code in (400, 404, 413)
    assert set(stack.agent.words) <= {"status", "watch"}


def test_actions_are_posts_of_the_signed_in(stack: Stack, api: httpx.Client) -> None:
    assert api.get("storage/retry").status_code == 405
    assert httpx.post(f"{api.base_url}storage/retry").status_code == 403
