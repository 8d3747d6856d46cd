"""`naas keys` on one's own computer and in a server's terminal, with a real IAM, store and gateway; the secret works where it says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from laptop import NAAS, Laptop, Site, laptop_site
from naas_client.gateway import API_PATH
from naas_local.store.rclone import find

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rules = {"groups": ["users/s3"], "longest_days": 30}
    with laptop_site(tmp_path_factory.mktemp("site"), long_lived_keys=rules) as running:
        yield running


@pytest.fixture
def alices(tmp_path: Path, site: Site) -> Laptop:
    laptop = Laptop(tmp_path)
    laptop.sign_in(site.url, "alice")
    return laptop


def block(printed: str, title: str) -> str:
    """What a person copies from below a title, as it stands in their file."""
    found = re.search(rf"{re.escape(title)}:\n\n((?:  .*\n)+)", printed)
    assert found is not None, printed
    return re.sub(r"(?m)^  ", "", found[1])


def test_a_key_is_made_used_as_it_says_and_revoked(
    alices: Laptop, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alices.say("keys", "list") == "You have no keys. You may have 5, for at most 30 days each.\n"
    printed = alices.say("keys", "make", "Backup of the lab", "--days", "7")
    assert f"for the bucket alice at {site.store.url}" in printed
    credentials = tmp_path / "credentials"
    credentials.write_text(block(printed, "For AWS tools, in ~/.aws/credentials"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3 = boto3.Session(profile_name="naas-key").client("s3")
    s3.put_object(Bucket="alice", Key="saved", Body=b"content")
    remote = tmp_path / "rclone.conf"
    remote.write_text(block(printed, "For rclone, in ~/.config/rclone/rclone.conf"))
    rclone = [str(find()), "--config", str(remote)]
    subprocess.run([*rclone, "copyto", str(remote), "naas-key:alice/by-rclone"], check=True, timeout=60)
    listed = subprocess.run([*rclone, "lsf", "naas-key:alice"], check=True, timeout=60, capture_output=True, text=True)
    assert {"saved", "by-rclone"} <= set(listed.stdout.split())

    row = alices.say("keys", "list")
    secret = re.search(r"Secret key  (\S+)", printed)
    assert secret is not None
    assert secret[1] not in row
    number, access_key = row.split()[:2]
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC +read-write +Backup of the lab\n", row)
    assert alices.say("keys", "revoke", number) == f"The key {access_key} (Backup of the lab) opens nothing any more.\n"
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_objects_v2(Bucket="alice")
    assert not [path for path in alices.config.rglob("*") if path.is_file() and secret[1] in path.read_text()]


def test_in_a_terminal_of_ones_server_no_sign_in_is_needed(tmp_path: Path, site: Site) -> None:
    server = {"NAAS_GATEWAY_URL": site.url + API_PATH, "JUPYTERHUB_API_TOKEN": site.hub.user_token("alice")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **server}

    def run(*words: str) -> str:
        command = [NAAS, "keys", *words]
        return subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True, text=True).stdout

    number = re.search(r"Key (\d+), read only", run("make", "Instrument", "--days", "1", "--read-only"))
    assert number is not None
    site.stop_store()
    try:
        assert "The object store does not answer." in run("revoke", number[1])
        assert re.search(r"being revoked +read only +Instrument\n", run("list"))
    finally:
        site.start_store()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("make", "x" * 10_000, "--days", "1"), "description: String should have at most 100 characters"),
        (("make", "a\x1b[31mb", "--days", "1"), "description: write one line without control characters"),
        (("make", "x", "--days", "0"), "days: Input should be greater than or equal to 1"),
        (("make", "x", "--days", "-1"), "days: Input should be greater than or equal to 1"),
        (("make", "x", "--days", "1000000000"), "days: Input should be less than or equal to 366"),
        (("make", "x", "--days", "31"), "days: a key lives at most 30 days here."),
        (("make", "x", "--days", "week"), "'week' is not a valid integer"),
        (("make", "x"), "Missing option '--days'"),
        (("revoke", "0"), "0 is not in the range"),
        (("revoke", "77777"), "There is no such key."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(alices: Laptop, words: tuple[str, ...], why: str) -> None:
    done = alices.run("keys", *words)
    assert done.returncode in (1, 2)
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert "NAAS" not in done.stdout


def test_a_site_without_keys_says_so(tmp_path: Path) -> None:
    with laptop_site(tmp_path / "site") as site:
        laptop = Laptop(tmp_path)
        laptop.sign_in(site.url, "alice")
        done = laptop.run("keys", "make", "x", "--days", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There are no keys for other programs here: the operators have not named a group" in done.stderr
