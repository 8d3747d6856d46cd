"""`%storage` in a real kernel of a server: loaded by itself, a table and its text, one sentence for an error."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from kernels import LIMIT, Kernel, kernel
from lab_server import Desk, drive_store
from naas_client.durations import seconds
from naas_client.models import Upload, Usage
from naas_server.magics.paths import place
from panel_stand_ins import AgentSocket, status

pytestmark = pytest.mark.server


@dataclass
class AliceKernel(Kernel):
    """A kernel with alice's environment, and what it works with."""

    agent: AgentSocket
    home: Path
    s3: Any


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AliceKernel]:
    desk = Desk.at(tmp_path_factory.mktemp("magic"))
    link = Path(sys.prefix) / "etc" / "ipython" / "ipython_config.py"
    assert link.exists(), "run tools/link-labextension.sh (or `make install`)"
    agent = AgentSocket(desk.run / "agent.sock", status(desk.home))
    with (
        contextlib.closing(agent),
        drive_store(desk) as s3,
        kernel(desk.home, NAAS_STORAGE_RUN=str(desk.run)) as client,
    ):
        s3.put_object(Bucket="alice", Key="runs/a b.csv", Body=b"1,2")
        s3.put_object(Bucket="alice", Key="runs/<img src=x>.txt", Body=b"odd")
        yield AliceKernel(client, agent, desk.home, s3)


def test_it_is_there_without_being_loaded(alice: AliceKernel) -> None:
    shown = alice.run("%storage")
    assert "Storage is mounted." in shown["text"]
    assert "Everything is saved in the store." in shown["text"]
    assert re.search(r"scratch +ok +read-only", shown["text"])
    assert "<table>" in shown["html"]
    assert alice.run("%storage status")["text"] == shown["text"]
    assert "share PATH [--expires 1h]" in alice.run("print(get_ipython().find_line_magic('storage').__doc__)")["text"]


def test_it_says_what_is_not_saved(alice: AliceKernel) -> None:
    failed = Upload(
        folder="alice", name="big.bin", size=2048, state="failed", error="big.bin is not saved: it is full."
    )
    alice.agent.set(status(alice.home, uploads=[failed], uploads_total=1, bytes_pending=2048))
    shown = alice.run("%storage")["text"]
    alice.agent.set(status(alice.home))
    assert "Not in the store yet: 1 file (2 KiB)." in shown
    assert "alice/big.bin: big.bin is not saved: it is full." in shown


def test_usage_is_the_agents_or_counted(alice: AliceKernel) -> None:
    assert re.search(r"alice: \d+ B are used in \d+ objects", alice.run("%storage usage")["text"])
    now = status(alice.home)
    usage = Usage(used_bytes=2**30, quota_bytes=4 * 2**30, at=now.updated_at, source="store")
    alice.agent.set(status(alice.home, usage=usage))
    shown = alice.run("%storage usage")["text"]
    alice.agent.set(now)
    assert "1 GiB of 4 GiB (25%) are used" in shown


def test_ls_lists_buckets_and_what_is_in_them(alice: AliceKernel) -> None:
    shown = alice.run("%storage ls")["text"]
    assert re.search(r"^alice ", shown, re.MULTILINE)
    for path in (
        "cloud-storage/alice/runs",
        "~/cloud-storage/alice/runs/",
        "alice/runs",
        "s3://alice/runs",
        str(alice.home / "cloud-storage/alice/runs"),
    ):
        assert "alice/runs/a b.csv" in alice.run(f"%storage ls {path}")["text"], path
    assert "scratch/alice/mine" in alice.run("%storage ls cloud-storage/scratch-alice")["text"]
    odd = alice.run("%storage ls alice/runs")["html"]
    assert "&lt;img src=x&gt;" in odd
    assert "<img" not in odd


def test_a_link_is_a_value(alice: AliceKernel) -> None:
    shown = alice.run("link = %storage share 'cloud-storage/alice/runs/a b.csv' --expires 5m\nprint(link.url)")
    assert shown["error"] == ""
    assert httpx.get(shown["text"].strip()).content == b"1,2"
    left = alice.run("import datetime as dt\nprint((link.expires_at - dt.datetime.now(dt.UTC)).total_seconds())")
    assert 0 < float(left["text"]) <= 300
    shown = alice.run("%storage share 'alice/runs/a b.csv'")
    assert "Whoever has this link can download alice/runs/a b.csv until" in shown["text"]
    assert "<a href='http" in shown["html"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("share alice/not-there", "does not exist"),
        ("share bob/secret", "does not let you"),
        ("share alice", "one file, not a folder"),
        ("share alice/runs/ --expires 1h", "one file, not a folder"),
        ("share 'alice/runs/a b.csv' --expires 9d", "minutes at most"),
        ("share 'alice/runs/a b.csv' --expires soon", "is not a life"),
        ("share", "required: path"),
        ("share 'open", "quote is not closed"),
        ("ls /etc", "not below cloud-storage"),
        ("ls cloud-storage/../../etc", "no folder .."),
        ("ls cloud-storage/nobody", "no folder nobody"),
        ("ls bob", "does not let you"),
        ("format", "invalid choice"),
    ],
)
def test_an_error_is_one_sentence(alice: AliceKernel, line: str, said: str) -> None:
    assert said in alice.refused(f"%storage {line}")


def test_tab_offers_commands_and_folders(alice: AliceKernel) -> None:
    def offered(text: str) -> list[str]:
        reply = alice.client.complete(text, len(text), reply=True, timeout=LIMIT)
        matches: list[str] = reply["content"]["matches"]
        return matches

    assert {"status", "usage", "share", "retry"} <= set(offered("%storage "))
    assert "cloud-storage/alice/" in offered("%storage ls ")


def test_retry_asks_the_agent(alice: AliceKernel) -> None:
    assert "Storage is mounted." in alice.run("%storage retry")["text"]


def test_outside_a_server_there_is_none_and_by_hand_it_says_why(tmp_path: Path) -> None:
    with kernel(tmp_path) as client:
        outside = Kernel(client)
        assert "not found" in outside.refused("%storage")
        assert outside.run("%load_ext naas_server.magics")["error"] == ""
        assert "does not run inside a server" in outside.refused("%storage")


def test_an_agent_that_is_gone_is_a_sentence(alice: AliceKernel, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.json").write_text("{}")
    shown = alice.refused(
        f"import os; here = os.environ['NAAS_STORAGE_RUN']; os.environ['NAAS_STORAGE_RUN'] = {str(run)!r}\n%storage"
    )
    alice.run("os.environ['NAAS_STORAGE_RUN'] = here")
    assert "This server has no storage." in shown


@pytest.mark.parametrize(("text", "life"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)])
def test_lives(text: str, life: int) -> None:
    assert seconds(text, "a life") == life


def test_places_are_found_without_touching_the_disk(alice: AliceKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAAS_STORAGE_RUN", str(alice.home.parent / "run"))
    monkeypatch.setenv("HOME", str(alice.home))
    monkeypatch.chdir(alice.home)
    assert place("cloud-storage/scratch-alice/x/y.csv") == ("scratch", "alice/x/y.csv")
    assert place("cloud-storage") == ("", "")
    assert place("alice--photos/x") == ("alice--photos", "x")
    assert place("s3://alice/cloud-storage/x") == ("alice", "cloud-storage/x")
    monkeypatch.chdir(alice.home / "cloud-storage" / "alice")
    assert place("x.csv") == ("alice", "x.csv")
