"""boto3 and fsspec in a notebook: credentials come from the agent's file and follow it when it changes."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import naas_storage
import pytest
from naas_client.errors import Unavailable
from naas_client.models import Folder
from naas_storage.agent.access import Access
from naas_storage.plan import AgentPlan

pytestmark = pytest.mark.server


@pytest.fixture
def run(tmp_path, store, gateway, monkeypatch):
    """A run folder as the spawner and the agent leave it."""
    plan = AgentPlan(
        key="alice",
        username="alice",
        folders=[Folder(name="alice", bucket="alice"), Folder(name="scratch-alice", bucket="scratch", prefix="alice")],
        endpoint=store.url,
        gateway_url=gateway.url,
        view=tmp_path / "s3",
        run=tmp_path,
        cache=tmp_path / "cache",
    )
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    monkeypatch.setenv("NAAS_STORAGE_RUN", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebody-else")
    return plan


def renew(plan, gateway):
    """What the agent does every quarter of a credential's life, once."""
    from naas_client.gateway import GatewayClient

    async def once() -> None:
        async with GatewayClient(plan.gateway_url, "token") as client:
            await Access(plan, client.s3_credentials, lambda: None)._renew()

    asyncio.run(once())


def test_a_clock_that_goes_wrong_keeps_whoever_has_access(run, gateway):
    """Each session has ended by this machine's clock when it comes; the store, whose clock is right, accepts it."""
    from naas_client.gateway import GatewayClient

    async def renewed() -> None:
        async with GatewayClient(run.gateway_url, "token") as client:
            access = Access(run, client.s3_credentials, lambda: None)
            assert await access._renew()
            gateway.life = -600
            assert await access._renew()
            assert access.ended is None
            late = Access(run, client.s3_credentials, lambda: None)
            assert not await late._renew()
            assert late.problem is not None
            assert late.problem.code == "clock-wrong"

    asyncio.run(renewed())
    document, now = json.loads((run.run / "access.json").read_text()), dt.datetime.now(dt.UTC)
    early, ends = (dt.datetime.fromisoformat(document[key]) for key in ("Expiration", "ExpiresAt"))
    assert ends > now + dt.timedelta(minutes=50)
    assert early < now, "once the clock is right, rclone must not hold what the store has ended"


def test_folders_are_where_the_plan_says(run):
    assert naas_storage.folders() == {"alice": "alice", "scratch-alice": "scratch/alice"}


def test_boto3_reads_and_writes(run, store, gateway):
    renew(run, gateway)
    s3 = naas_storage.session().client("s3")
    assert s3.get_object(Bucket="alice", Key="welcome.txt")["Body"].read() == b"hello alice\n"
    s3.put_object(Bucket="alice", Key="by-boto3.txt", Body=b"words")
    assert store.text("alice/by-boto3.txt") == "words"


def test_fsspec_reads_and_writes(run, store, gateway):
    renew(run, gateway)
    files = naas_storage.filesystem(skip_instance_cache=True)
    assert files.ls("alice") == ["alice/welcome.txt"]
    with files.open("alice/by-fsspec.txt", "w") as file:
        file.write("words")
    assert store.text("alice/by-fsspec.txt") == "words"


@pytest.mark.parametrize("way", ["boto3", "fsspec"])
def test_a_session_follows_renewed_credentials(run, store, gateway, way):
    """The first credentials end; without looking again at the agent's file, the second call would be refused."""
    gateway.key, gateway.life = "a-key-the-store-does-not-know", 600.0
    renew(run, gateway)
    if way == "boto3":
        client = naas_storage.session().client("s3")

        def listed() -> object:
            return client.list_objects_v2(Bucket="alice")["KeyCount"]
    else:
        files = naas_storage.filesystem(skip_instance_cache=True, use_listings_cache=False)

        def listed() -> object:
            return len(files.ls("alice", refresh=True))

    with pytest.raises(Exception, match=r"InvalidAccessKeyId|does not exist in our records"):
        listed()
    gateway.key = "alice-access-key"
    renew(run, gateway)
    assert listed() == 1


def test_outside_a_server_it_says_where_it_works(monkeypatch):
    monkeypatch.delenv("NAAS_STORAGE_RUN", raising=False)
    with pytest.raises(Unavailable, match="does not run inside a server"):
        naas_storage.filesystem()


def test_without_credentials_it_says_where_to_look(run):
    with pytest.raises(Unavailable, match="no credentials for the object store"):
        naas_storage.session().client("s3")


def test_the_file_is_private_and_its_expiry_early(run, gateway):
    renew(run, gateway)
    file = run.run / "access.json"
    assert file.stat().st_mode & 0o777 == 0o600
    document = json.loads(file.read_text())
    early, true = (dt.datetime.fromisoformat(document[key]) for key in ("Expiration", "ExpiresAt"))
    assert early < true
