"""The store as a process: restarts, a killed rclone, who may read what on the machine, plain files, quiet logs."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import iam_login
import psutil
import pytest
from naas_local.iam import EmbeddedIam
from naas_local.parts import PartFailed, RunningPart
from naas_local.ports import LOOPBACK
from naas_local.store import EmbeddedStore, embedded_store, prepare
from s3_people import assume_role, refusal, s3_client
from token_issuer import TokenIssuer
from waiting import wait_for

pytestmark = pytest.mark.server


def rclone_of(part: RunningPart) -> psutil.Process:
    children: list[psutil.Process] = []

    def found() -> bool:
        children[:] = [c for c in psutil.Process(part.process.pid).children() if c.name() == "rclone"]
        return bool(children)

    wait_for(found, "the store's rclone")
    return children[0]


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_a_token_of_the_embedded_iam_opens_the_store(iam: EmbeddedIam, tmp_path: Path, user: str) -> None:
    with embedded_store(tmp_path, iam.issuer) as store:
        token = iam_login.sign_in(iam, user, audience="object").access_token
        client = s3_client(store.url, assume_role(store.url, token, store.role_arn))
        client.create_bucket(Bucket=user)
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [user, "scratch"]


def test_who_is_in_no_storage_group_of_the_embedded_iam_gets_nothing(iam: EmbeddedIam, tmp_path: Path) -> None:
    with embedded_store(tmp_path, iam.issuer) as store:
        token = iam_login.sign_in(iam, "erin", audience="object").access_token
        assert refusal(lambda: assume_role(store.url, token, store.role_arn)) == "AccessDenied"


def test_sessions_buckets_and_owners_survive_a_restart(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url) as store:
        session = assume_role(store.url, issuer.token("alice"), store.role_arn)
        client = s3_client(store.url, session)
        client.create_bucket(Bucket="alice")
        client.put_object(Bucket="alice", Key="a/b", Body=b"kept", Metadata={"mtime": "1000000000.5"})
    with embedded_store(tmp_path, issuer.url) as store:
        client = s3_client(store.url, session)
        found = client.get_object(Bucket="alice", Key="a/b")
        assert (found["Body"].read(), found["LastModified"].timestamp()) == (b"kept", 1_000_000_000)
        taken = issuer.token("mallory", preferred_username="alice")
        assert refusal(lambda: assume_role(store.url, taken, store.role_arn)) == "AccessDenied"


def test_a_killed_rclone_is_started_again_and_callers_are_told_to_wait(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url) as store:
        client = s3_client(store.url, assume_role(store.url, issuer.token("alice"), store.role_arn))
        client.create_bucket(Bucket="alice")
        client.put_object(Bucket="alice", Key="x", Body=b"x")
        leftover = store.buckets / "alice" / ".rclone_temp_put_1"
        leftover.write_text("half an upload")
        first = rclone_of(store.part)
        seen = set()

        def well() -> bool:
            seen.add(refusal(lambda: client.head_object(Bucket="alice", Key="x")))
            return "allowed" in seen

        first.kill()
        wait_for(well, "the store recovers")
        assert seen <= {"503", "allowed"}
        assert rclone_of(store.part).pid != first.pid
        assert client.get_object(Bucket="alice", Key="x")["Body"].read() == b"x"
        assert not leftover.exists()


def test_ready_says_whether_files_can_be_had(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url) as store:
        rclone = rclone_of(store.part)
        assert httpx.get(store.spec.ready).status_code == 200
        rclone.suspend()
        try:
            assert httpx.get(store.spec.ready, timeout=10).status_code == 503
        finally:
            rclone.resume()
        wait_for(lambda: httpx.get(store.spec.ready, timeout=10).status_code == 200, "the store is ready again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_rclone_ends_with_the_store(issuer: TokenIssuer, tmp_path: Path, number: signal.Signals) -> None:
    with embedded_store(tmp_path, issuer.url) as store:
        rclone = rclone_of(store.part)
        store.part.process.send_signal(number)
        wait_for(lambda: not rclone.is_running() or rclone.status() == "zombie", f"rclone ends after {number.name}")
        code = store.part.process.wait(10)
        assert code == (0 if number != signal.SIGKILL else -number)


def test_only_loopback_is_listened_on(store: EmbeddedStore) -> None:
    for process in (psutil.Process(store.part.process.pid), rclone_of(store.part)):
        listening = [c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert listening
        assert set(listening) == {LOOPBACK}


def test_rclone_itself_gives_nothing_without_its_key(store: EmbeddedStore, alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="x", Body=b"x")
    ports = [c.laddr.port for c in rclone_of(store.part).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    for path in ("/", "/alice", "/alice/x"):
        answer = httpx.get(f"http://{LOOPBACK}:{ports[0]}{path}")
        assert (answer.is_client_error, "alice" in answer.text.lower()) == (True, False)


def test_no_secret_is_in_arguments_or_open_files(
    store: EmbeddedStore, alice: Any, alice_session: dict[str, Any]
) -> None:
    key = (store.data / "rclone.key").read_text().strip()
    for process in (psutil.Process(store.part.process.pid), rclone_of(store.part)):
        assert key not in " ".join(process.cmdline())
    kept = [path for path in store.data.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in kept} == {path.name: 0 for path in kept}
    log = store.part.log.read_text()
    for secret in (key, alice_session["SecretAccessKey"], alice_session["SessionToken"]):
        assert secret not in log


def test_the_log_names_who_did_what_and_no_signature(
    store: EmbeddedStore, alice: Any, alice_session: dict[str, Any], issuer: TokenIssuer
) -> None:
    token = issuer.token("alice")
    assume_role(store.url, token, store.role_arn)
    link = alice.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "logged"})
    alice.put_object(Bucket="alice", Key="logged", Body=b"x")
    httpx.get(link, headers={"X-Request-ID": "given-by-caller"})
    # The caller has its answer before the line is written.
    wait_for(lambda: "given-by-caller" in store.part.log.read_text(), "the line of the last request")
    lines = [json.loads(line) for line in store.part.log.read_text().splitlines() if line.startswith('{"at"')]
    found = next(line for line in lines if line.get("request_id") == "given-by-caller")
    assert "GetObject /alice/logged 200 user=alice" in found["message"]
    text = json.dumps(lines)
    assert token not in text
    assert "X-Amz-Signature" not in text
    assert "AWS4-HMAC" not in text


def test_objects_are_plain_files_and_files_are_objects(store: EmbeddedStore, alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="plain/file.txt", Body=b"text")
    file = store.buckets / "alice" / "plain" / "file.txt"
    assert file.read_bytes() == b"text"
    file.write_bytes(b"changed by hand")
    (file.parent / "new.txt").write_bytes(b"made by hand")

    def seen() -> bool:
        return [
            refusal(lambda k=key: alice.get_object(Bucket="alice", Key=k))
            for key in ("plain/file.txt", "plain/new.txt")
        ] == ["allowed"] * 2

    wait_for(seen, "files made by hand are objects")
    wait_for(
        lambda: alice.get_object(Bucket="alice", Key="plain/file.txt")["Body"].read() == b"changed by hand",
        "the change by hand was not seen within 15 s",
    )


def test_a_link_in_the_folder_leads_nowhere(store: EmbeddedStore, alice: Any, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("not an object")
    (store.buckets / "alice" / "leading-out").symlink_to(tmp_path / "outside")
    assert refusal(lambda: alice.get_object(Bucket="alice", Key="leading-out")) == "NoSuchKey"


BAD = {"port": 0, "issuer": "ftp://x", "role_arn": "", "audience": "", "unknown": 1}


@pytest.mark.parametrize("key", BAD)
def test_bad_settings_are_named(issuer: TokenIssuer, tmp_path: Path, key: str) -> None:
    prepare(
        tmp_path, 8182, issuer=issuer.url, audience="object", role_arn="arn:aws:iam:::role/IAMaccess", storage_groups=[]
    )
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), key: BAD[key]}))
    done = started(config)
    assert (done.returncode, key in done.stderr) == (1, True), done.stderr


def started(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "naas_local.store", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_settings_that_others_can_read_are_refused(issuer: TokenIssuer, tmp_path: Path) -> None:
    prepare(
        tmp_path, 8182, issuer=issuer.url, audience="object", role_arn="arn:aws:iam:::role/IAMaccess", storage_groups=[]
    )
    (tmp_path / "config.json").chmod(0o644)
    assert "readable by others" in started(tmp_path / "config.json").stderr


def test_a_session_key_that_others_can_read_stops_the_start(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url) as store:
        key = store.data / "session.key"
    key.chmod(0o640)
    with pytest.raises(PartFailed, match="readable by others"), embedded_store(tmp_path, issuer.url):
        pass


def test_a_taken_port_is_said(store: EmbeddedStore, issuer: TokenIssuer, tmp_path: Path) -> None:
    port = int(store.url.rpartition(":")[2])
    prepare(tmp_path, port, issuer=issuer.url, audience="object", role_arn=store.role_arn, storage_groups=[])
    done = started(tmp_path / "config.json")
    assert (done.returncode, "address already in use" in done.stderr) == (1, True), done.stderr


def test_without_a_shared_bucket_there_is_none(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url, scratch_bucket="") as store:
        client = s3_client(store.url, assume_role(store.url, issuer.token("alice"), store.role_arn))
        assert refusal(lambda: client.list_objects_v2(Bucket="scratch")) == "AccessDenied"
        assert list(store.buckets.iterdir()) == []
