"""A scientist's own laptop against the whole product: sign in with a code, boto3, a folder, sign out."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from hub_session import HubSession
from laptop import Laptop
from product import Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


def test_from_sign_in_to_sign_out(product: Product, person: Callable[[str], HubSession], tmp_path: Path) -> None:
    person("alice").start_server()  # which makes her bucket
    laptop = Laptop(tmp_path)
    done = laptop.login(f"{product.url}/hub/home", "alice")
    assert done.returncode == 0, done.stderr
    assert f"Signed in as alice at {product.url}." in done.stdout
    endpoint = product.site()["storage"]["url"]
    assert f"Object store: {endpoint} " in done.stdout

    found = json.loads(laptop.say("s3-credentials"))
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
        config=Config(s3={"addressing_style": "path"}),
    )
    s3.put_object(Bucket="alice", Key="laptop/by-boto3.txt", Body=b"1")

    log = tmp_path / "mount.log"
    with log.open("w") as output:
        terminal = laptop.start("mount", "alice/laptop", "work", stdout=output, stderr=output, start_new_session=True)
    try:
        folder = tmp_path / "work"
        wait_for(lambda: f"alice/laptop is at {folder}." in log.read_text(), "the folder")
        assert (folder / "by-boto3.txt").read_text() == "1"
        (folder / "by-mount.txt").write_text("2")
        assert laptop.say("unmount", "work") == "Ended; everything is in the store.\n"
        assert terminal.wait(60) == 0
    finally:
        if terminal.poll() is None:
            os.killpg(terminal.pid, signal.SIGQUIT)
            terminal.wait(60)
    assert not os.path.lexists(folder)
    assert s3.get_object(Bucket="alice", Key="laptop/by-mount.txt")["Body"].read() == b"2"

    laptop.say("logout")
    for command in (("token", "object"), ("s3-credentials",), ("mount", "alice", "work")):
        refused = laptop.run(*command)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Run `naas login URL`" in refused.stderr
    assert laptop.secrets() == []
