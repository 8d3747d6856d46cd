"""The contract of long-lived keys: one's own bucket and prefix, nothing that opens or makes a bucket, an end that comes for certain."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from naas_client.errors import NotFound
from s3_actions import ACTIONS, READS, REFUSED, UNKNOWN, WRITES
from s3_opening import bucket_settings
from s3_people import refusal
from waiting import wait_for

pytestmark = pytest.mark.server

ENDED = {"InvalidAccessKeyId", "AccessDenied"}


@pytest.fixture(scope="module", autouse=True)
def _offered(isolated: Any) -> None:
    """Where there are no such keys, that is all there is to say."""
    if not isolated.people_make_buckets:
        with pytest.raises(NotFound, match="one role for everybody") as caught:
            isolated.make_key("alice")
        assert caught.value.code == "no-s3-keys"
        isolated.revoke_key("alice", "NAASAAAAAAAAAAAAAAAA")
        pytest.skip("this store offers no long-lived keys, and says why")


@pytest.fixture(scope="module")
def key(isolated: Any) -> Any:
    """A client with a key of alice's and no session token."""
    return isolated.make_key("alice")[1]


@pytest.fixture(scope="module")
def reader(isolated: Any) -> Any:
    """The same for reading only."""
    return isolated.make_key("alice", read_only=True)[1]


SHARED_READS = ("get", "get range", "head")
MATRIX = [
    *(("key", action, "alice", "private", True) for action in (*READS, *WRITES)),
    *(("key", action, "scratch", "alice/shared", True) for action in (*SHARED_READS, *WRITES)),
    *(("key", action, "scratch", "bob/shared", False) for action in (*SHARED_READS, "list", "list v1", "head bucket")),
    *(("key", action, "scratch", "bob/shared", False) for action in ("put", "overwrite", "multipart", "delete")),
    *(("key", action, "bob", "private", False) for action in (*READS, *WRITES)),
    *(("key", action, "cygno-data", "raw", False) for action in (*READS, *WRITES)),
    *(("key", action, "many-runs", "runs/2026/raw", False) for action in (*READS, *WRITES)),
    *(("reader", action, "alice", "private", True) for action in READS if action != "list uploads"),
    *(("reader", action, "alice", "private", False) for action in WRITES),
    *(("reader", action, "scratch", "alice/shared", False) for action in WRITES),
]


@pytest.mark.parametrize(("who", "action", "bucket", "name", "allowed"), MATRIX)
def test_what_a_key_may_do(
    isolated: Any, key: Any, reader: Any, who: str, action: str, bucket: str, name: str, allowed: bool
) -> None:
    isolated.alice.put_object(Bucket="alice", Key="private", Body=b"alice's own")
    code = refusal(lambda: ACTIONS[action](key if who == "key" else reader, bucket, name))
    assert code == "allowed" if allowed else code in REFUSED


def test_a_key_does_not_know_the_buckets_of_ones_groups(isolated: Any, key: Any) -> None:
    with contextlib.suppress(ClientError):
        names = {bucket["Name"] for bucket in key.list_buckets()["Buckets"]}
        assert names <= {"alice"}
    copy = lambda: key.copy_object(Bucket="alice", Key="out", CopySource="cygno-data/raw")  # noqa: E731
    assert refusal(copy) in REFUSED
    assert isolated.alice.get_object(Bucket="cygno-data", Key="raw")["Body"].read()


def test_deleting_many_deletes_what_a_key_may_write(isolated: Any, key: Any, reader: Any) -> None:
    places = {"alice": "many", "scratch": "alice/many"}
    for bucket, name in places.items():
        isolated.alice.put_object(Bucket=bucket, Key=name, Body=b"1")
        with contextlib.suppress(ClientError):
            assert "Deleted" not in reader.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name}]})
        isolated.alice.head_object(Bucket=bucket, Key=name)
        answer = key.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name}]})
        assert [row["Key"] for row in answer["Deleted"]] == [name]
    for bucket, name in {"scratch": "bob/shared", "cygno-data": "raw"}.items():
        with contextlib.suppress(ClientError):
            assert "Deleted" not in key.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name}]})
        assert isolated.alice.get_object(Bucket=bucket, Key=name)["Body"].read()


def test_ones_own_prefix_in_scratch_can_be_listed(isolated: Any, key: Any, reader: Any) -> None:
    for client in (key, reader):
        found = client.list_objects_v2(Bucket="scratch", Prefix="alice/")["Contents"]
        assert "alice/shared" in [item["Key"] for item in found]
        assert refusal(lambda c=client: c.list_objects_v2(Bucket="scratch", Prefix="bob/")) in REFUSED


def policy(client: Any, bucket: str) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everybody]}, separators=(",", ":"))
    client.put_bucket_policy(Bucket=bucket, Policy=document)


TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
NEVER: dict[str, Callable[[Any], Any]] = {
    "ACL of the bucket": lambda c: c.put_bucket_acl(Bucket="alice", ACL="public-read"),
    "ACL of an object of the session's": lambda c: c.put_object_acl(Bucket="alice", Key="private", ACL="public-read"),
    "ACL of an object of its own": lambda c: c.put_object_acl(Bucket="alice", Key="by-key", ACL="public-read"),
    "ACL in scratch": lambda c: c.put_object_acl(Bucket="scratch", Key="alice/by-key", ACL="public-read"),
    "policy": lambda c: policy(c, "alice"),
    "tags of bob's": lambda c: c.put_object_tagging(Bucket="bob", Key="private", Tagging=TAGS),
    "tags of its own": lambda c: c.put_object_tagging(Bucket="alice", Key="by-key", Tagging=TAGS),
    "a new bucket": lambda c: c.create_bucket(Bucket="alice--by-key"),
    "any new bucket": lambda c: c.create_bucket(Bucket="by-key"),
    "deleting the bucket": lambda c: c.delete_bucket(Bucket="alice"),
    "an old version": lambda c: c.delete_object(Bucket="alice", Key="private", VersionId="1234567890"),
    "copying from bob": lambda c: c.copy_object(Bucket="alice", Key="stolen", CopySource="bob/private"),
    "copying from bob's scratch": lambda c: c.copy_object(Bucket="alice", Key="got", CopySource="scratch/bob/shared"),
}


@pytest.mark.parametrize("deed", sorted(NEVER))
def test_what_a_key_never_does(isolated: Any, key: Any, deed: str) -> None:
    key.put_object(Bucket="alice", Key="by-key", Body=b"1")
    key.put_object(Bucket="scratch", Key="alice/by-key", Body=b"1")
    assert refusal(lambda: NEVER[deed](key)) in REFUSED | UNKNOWN
    assert isolated.alice.get_object(Bucket="alice", Key="private")["Body"].read()


@pytest.mark.parametrize("setting", sorted(bucket_settings("alice", "private")))
def test_the_settings_of_ones_own_bucket_stay(key: Any, setting: str) -> None:
    method, parameters = bucket_settings("alice", "private")[setting]
    if method.startswith(("put_", "delete_")):
        assert refusal(lambda: getattr(key, method)(**parameters)) in REFUSED | UNKNOWN


def test_nobody_elses_acl_lets_a_key_in(isolated: Any) -> None:
    access_key, mine = isolated.make_key("alice")
    grant = {"GrantFullControl": f"id=naas-alice--{access_key.lower()}"}
    refusal(lambda: isolated.bob.put_object(Bucket="bob", Key="given", Body=b"1", **grant))
    for key in ("given", "private"):
        assert refusal(lambda k=key: mine.get_object(Bucket="bob", Key=k)) in REFUSED


def test_what_a_key_wrote_is_its_owners_and_stays_after_its_end(isolated: Any) -> None:
    access_key, client = isolated.make_key("alice")
    client.put_object(Bucket="alice", Key="backup", Body=b"saved")
    client.put_object(Bucket="scratch", Key="alice/backup", Body=b"saved")
    isolated.revoke_key("alice", access_key)
    assert isolated.alice.get_object(Bucket="alice", Key="backup")["Body"].read() == b"saved"
    assert isolated.bob.get_object(Bucket="scratch", Key="alice/backup")["Body"].read() == b"saved"
    isolated.alice.put_object(Bucket="alice", Key="backup", Body=b"newer")
    isolated.alice.delete_object(Bucket="alice", Key="backup")
    assert refusal(lambda: isolated.bob.get_object(Bucket="alice", Key="backup")) in REFUSED


def test_a_revoked_key_opens_nothing_at_once_and_the_others_stay(isolated: Any) -> None:
    (first, ended), (_, other) = isolated.make_key("alice"), isolated.make_key("alice")
    ended.list_objects_v2(Bucket="alice")
    isolated.revoke_key("alice", first)
    assert refusal(lambda: ended.list_objects_v2(Bucket="alice")) in ENDED
    link = ended.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "private"}, ExpiresIn=60)
    assert httpx.get(link).status_code == 403
    other.list_objects_v2(Bucket="alice")
    isolated.revoke_key("alice", first)  # again is fine


def test_an_expired_key_opens_nothing_though_nobody_revoked_it(isolated: Any) -> None:
    access_key, client = isolated.make_key("alice", seconds=6)
    client.put_object(Bucket="alice", Key="in-time", Body=b"1")
    wait_for(
        lambda: refusal(lambda: client.head_object(Bucket="alice", Key="in-time")) == "403", "the key ends", limit=30
    )
    assert refusal(lambda: client.put_object(Bucket="alice", Key="too-late", Body=b"1")) in ENDED
    isolated.revoke_key("alice", access_key)
