"""A home goes to the bucket and comes back as it was, by the command that people type."""

from __future__ import annotations

import datetime as dt
import fcntl
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from naas_client.errors import InvalidInput
from naas_client.models import BackupRun, BackupSettings
from naas_local.store import embedded_store
from naas_local.store.embedded import EmbeddedStore
from naas_storage.agent.engine import find_rclone, write_configuration
from naas_storage.backup.remote import shell_safe
from naas_storage.backup.state import Attempt, BackupState
from naas_storage.plan import AgentPlan
from run_folder import prepare_run_folder
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer

COMMAND = (sys.executable, "-c", "from naas_client.cli import main; main()", "backup")
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


class Person:
    """Somebody with a home and a server, and a real store that can be stopped."""

    def __init__(self, folder: Path, store: EmbeddedStore, s3: Any) -> None:
        self.home, self.run_folder, self.store, self.s3 = folder / "home", folder / "run", store, s3
        (self.home / "local").mkdir(parents=True)

    def write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def stored(self, name: str) -> str | None:
        path = self.store.buckets / "alice/naas-backup" / name
        return path.read_text() if path.is_file() else None

    def backup(self, *arguments: str, code: int = 0) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "NAAS_STORAGE_RUN": str(self.run_folder)}
        done = subprocess.run(
            [*COMMAND, *arguments], env=environment, cwd=self.home, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self) -> str:
        """One backup; its name, which is the second of its start: the caller sees to it that there are never two in one."""
        self.backup("run")
        return BackupState(self.home).known_runs()[0].id


@pytest.fixture
def alice(tmp_path):
    with TokenIssuer().running() as issuer, embedded_store(tmp_path, issuer.url) as store:
        session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=3600)
        s3 = s3_client(store.url, session)
        s3.create_bucket(Bucket="alice")
        run = tmp_path / "run"
        run.mkdir()
        prepare_run_folder(run, store.url, session)
        write_configuration(AgentPlan.model_validate_json((run / "plan.json").read_text()), store.url)
        yield Person(tmp_path, store, s3)


@pytest.mark.server
def test_every_version_comes_back(alice, wait):
    alice.write("local/notes.txt", "first")
    alice.write("local/gone.txt", "to be deleted")
    alice.write('local/sub dir/$(touch pwned) `x` "q" è.txt', "odd name")
    alice.write(".gitconfig", "settings")
    alice.write(".ssh/id_ed25519", "a private key")
    alice.write("local/.venv/lib/big.py", "made again")
    (alice.home / "cloud-storage").symlink_to(alice.home / "local")
    first = alice.run()
    alice.write("local/notes.txt", "second")
    alice.write("local/new.txt", "new")
    (alice.home / "local/gone.txt").unlink()
    wait(lambda: dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ") != first, "the next second")
    second = alice.run()

    top = alice.store.buckets / "alice/naas-backup/home"
    stored = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    assert not [name for name in stored if ".ssh" in name or ".venv" in name or "cloud-storage" in name]
    assert {".gitconfig", "local/notes.txt"} <= stored
    assert alice.stored(f"versions/{second}/local/gone.txt") == "to be deleted"

    assert "4 files are back" in alice.backup("restore", first)
    [back] = alice.home.glob("local/restored-*")
    assert (back / "local/notes.txt").read_text() == "first"
    assert (back / "local/gone.txt").read_text() == "to be deleted"
    assert (back / 'local/sub dir/$(touch pwned) `x` "q" è.txt').read_text() == "odd name"
    assert not (back / "local/new.txt").exists()
    assert not list(alice.home.rglob("pwned"))
    assert not list(alice.run_folder.glob("pwned"))

    alice.backup("restore", first, "local/notes.txt", "--in-place")
    assert (alice.home / "local/notes.txt").read_text() == "first"
    [aside] = alice.home.glob("local/replaced-*")
    assert (aside / "local/notes.txt").read_text() == "second"

    listed = alice.backup("list").splitlines()
    assert [line.split()[0] for line in listed] == [second, first]
    assert "local/gone.txt" not in alice.backup("files", second)
    assert "local/gone.txt" in alice.backup("files", first)


@pytest.mark.server
def test_what_a_broken_backup_moved_aside_comes_back(alice, wait):
    """One that is killed before it has written its record has replaced files already."""
    alice.write("local/notes.txt", "first")
    first = alice.run()
    alice.write("local/notes.txt", "second")
    wait(lambda: dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ") != first, "the next second")
    broken = alice.run()
    for suffix in ("json", "list"):
        (BackupState(alice.home).runs / f"{broken}.{suffix}").unlink()
        alice.s3.delete_object(Bucket="alice", Key=f"naas-backup/runs/{broken}.{suffix}")
    assert [line.split()[0] for line in alice.backup("list").splitlines()] == [first]
    alice.backup("restore", first)
    [back] = alice.home.glob("local/restored-*")
    assert (back / "local/notes.txt").read_text() == "first"


@pytest.mark.server
def test_a_new_home_finds_the_backups_of_the_old_one(alice, tmp_path):
    alice.write("local/notes.txt", "kept")
    run = alice.run()
    alice.home = tmp_path / "new-home"
    (alice.home / "local").mkdir(parents=True)
    alice.backup("restore", run, "--in-place")
    assert (alice.home / "local/notes.txt").read_text() == "kept"


@pytest.mark.server
def test_the_rclone_that_the_site_names_does_the_work(alice, tmp_path):
    other = tmp_path / "rclone-of-the-site"
    other.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/asked\nexec {find_rclone()} "$@"\n')
    other.chmod(0o755)
    plan = AgentPlan.model_validate_json((alice.run_folder / "plan.json").read_text())
    (alice.run_folder / "plan.json").write_text(plan.model_copy(update={"rclone": other}).model_dump_json())
    alice.write("local/notes.txt", "kept")
    alice.backup("run")
    assert alice.stored("home/local/notes.txt") == "kept"
    assert "sync" in (tmp_path / "asked").read_text().split()


@pytest.mark.server
def test_what_is_asked_for_wrongly_is_said_and_changes_nothing(alice):
    alice.write("local/notes.txt", "kept")
    run = alice.run()
    assert "There is no backup 'x; rm -rf /'" in alice.backup("restore", "x; rm -rf /", code=1)
    assert "does not hold 'local/other.txt'" in alice.backup("restore", run, "local/other.txt", code=1)
    assert "does not hold '../../etc'" in alice.backup("restore", run, "../../etc", code=1)
    assert not list(alice.home.glob("local/re*"))


@pytest.mark.server
def test_old_versions_are_forgotten(alice, wait):
    alice.write("local/notes.txt", "first")
    old = alice.run()
    state = BackupState(alice.home)
    record = state.runs / f"{old}.json"
    run = BackupRun.model_validate_json(record.read_text())
    aged = run.model_copy(update={"started_at": run.started_at - dt.timedelta(days=100)})
    record.write_text(aged.model_dump_json())
    alice.write("local/notes.txt", "second")
    wait(lambda: dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ") != old, "the next second")
    ancient = "versions/2020-01-01T000000Z/notes.txt"
    alice.s3.put_object(Bucket="alice", Key=f"naas-backup/{ancient}", Body=b"long ago")
    new = alice.run()
    assert [one.id for one in state.known_runs()] == [new]
    assert alice.stored(ancient) is None
    assert alice.stored(f"runs/{old}.json") is None
    assert alice.stored(f"versions/{new}/local/notes.txt") == "first"


@pytest.fixture
def heard():
    """What a healthcheck's address is told; the first item is the address."""
    told = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.append(f"http://127.0.0.1:{server.server_port}/ping/1")
    yield told
    server.shutdown()
    server.server_close()


@pytest.mark.server
def test_a_store_that_is_away_is_said_and_tried_again_later(alice, heard):
    alice.write("local/notes.txt", "kept")
    alice.backup("settings", "--every", "24", "--ping-url", heard[0])
    alice.store.stop()
    assert "The backup failed. The object store does not answer" in alice.backup("run", code=1)
    state = BackupState(alice.home)
    status = state.status(NOW)
    assert status.last is None
    assert "does not answer" in status.problem
    assert not state.due(dt.datetime.now(dt.UTC))
    assert state.due(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=31))
    alice.store.start()
    alice.backup("run")
    assert state.status(NOW).problem == ""
    assert heard[1:] == ["/ping/1/start", "/ping/1/fail", "/ping/1/start", "/ping/1"]


def test_one_at_a_time(tmp_path):
    state = BackupState(tmp_path)
    with (tmp_path / ".local/state/naas-backup/lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        (state.folder / "progress.json").write_text(
            json.dumps({"what": "backup", "started_at": NOW.isoformat(), "files": 3})
        )
        assert state.status(NOW).running.files == 3
        with pytest.raises(Exception, match="A backup or a restore is running"), state.alone():
            pass
    assert state.status(NOW).running is None


def test_a_list_names_files_with_every_character_but_a_line_feed(tmp_path):
    names = {"a\rb": 1, "c\x85d\u2028e\x0bf": 2, "g\rh\ti": 3, "..": 4, "x/../y": 4, "/etc": 4}
    state, run = BackupState(tmp_path), "2026-11-24T120000Z"
    record = BackupRun(id=run, started_at=NOW, ended_at=NOW, files=3, bytes=6, sent_files=3, sent_bytes=6)
    state.runs.mkdir()
    (state.runs / f"{run}.json").write_text(record.model_dump_json())
    (state.runs / f"{run}.list").write_text(
        "".join(f"{size}\t{name}\n" for name, size in names.items()) + "?\tspoilt\n"
    )
    assert state.files_of(run) == {name: size for name, size in names.items() if size < 4}


@pytest.mark.server
def test_an_address_that_dns_cannot_ask_for_stops_no_backup(alice):
    alice.write("local/notes.txt", "kept")
    alice.backup("settings", "--ping-url", f"http://{'a' * 70}.example.org/ping")
    alice.backup("run")
    assert alice.stored("home/local/notes.txt") == "kept"


@pytest.mark.parametrize(
    ("every", "last", "attempt", "next_at"),
    [
        (0, None, None, None),
        (24, None, None, NOW),
        (24, NOW, None, NOW + dt.timedelta(hours=24)),
        (24, None, Attempt(at=NOW, problem="away"), NOW + dt.timedelta(minutes=30)),
    ],
    ids=["never", "first", "later", "after-a-failure"],
)
def test_when_the_next_one_is(tmp_path, every, last, attempt, next_at):
    state = BackupState(tmp_path)
    state.change(BackupSettings(every_hours=every))
    if attempt:
        state.ended(attempt, None)
    if last:
        ended = BackupRun(
            id="2026-11-24T120000Z", started_at=last, ended_at=last, files=1, bytes=1, sent_files=1, sent_bytes=1
        )
        state.ended(Attempt(at=last), ended)
    assert state.status(NOW).next_at == next_at


@pytest.mark.parametrize("pattern", ["", "a\nb", "x" * 501])
def test_patterns_are_one_line(pattern):
    with pytest.raises(ValueError, match="one line"):
        BackupSettings(exclude=[pattern])


@pytest.mark.parametrize("pattern", ["***", "{{(", "[a"])
def test_patterns_that_rclone_cannot_read_are_refused(tmp_path, pattern):
    state = BackupState(tmp_path)
    with pytest.raises(InvalidInput, match="cannot be used"):
        state.change(BackupSettings(exclude=[pattern]))
    assert state.settings.exclude == []


def test_a_home_with_a_shells_characters_is_refused():
    with pytest.raises(InvalidInput, match="characters"):
        shell_safe(Path("/home/$(id)"))
