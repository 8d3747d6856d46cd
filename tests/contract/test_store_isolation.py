"""The contract of every object store we use: one's own bucket is private, scratch is read by all and written below one's own name.

Run against each implementation of `conftest.IMPLEMENTATIONS`. Stores may differ in how they say no, within the sets of codes below, and
never in whether they do. What opens a bucket to others (ACL, policy) may be refused, unknown, or accepted and without effect.
"""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from s3_opening import OPENINGS, bucket_settings, opened_to
from s3_people import refusal

pytestmark = pytest.mark.server

REFUSED = {"AccessDenied", "403"}
TAKEN = {"BucketAlreadyExists"}
UNKNOWN = {"NotImplemented", "MethodNotAllowed", "AccessControlListNotSupported", "501", "405"}
"""A store that does not have a feature cannot leak by it."""
NOTHING_THERE = {"NoSuchBucket", "404"}


def multipart(client: Any, bucket: str, key: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )


def readable(bucket: str, key: str) -> str:
    """A source of a copy; from scratch one that everybody may read, so that only the target can be refused."""
    return "scratch/alice/shared" if bucket == "scratch" else f"{bucket}/{key}"


ACTIONS: dict[str, Any] = {
    "list": lambda c, bucket, _: c.list_objects_v2(Bucket=bucket),
    "list v1": lambda c, bucket, key: c.list_objects(Bucket=bucket, Prefix=key),
    "list uploads": lambda c, bucket, _: c.list_multipart_uploads(Bucket=bucket),
    "head bucket": lambda c, bucket, _: c.head_bucket(Bucket=bucket),
    "get": lambda c, bucket, key: c.get_object(Bucket=bucket, Key=key)["Body"].read(),
    "get range": lambda c, bucket, key: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-1")["Body"].read(),
    "head": lambda c, bucket, key: c.head_object(Bucket=bucket, Key=key),
    "put": lambda c, bucket, key: c.put_object(Bucket=bucket, Key=f"{key}-new", Body=b"new"),
    "overwrite": lambda c, bucket, key: c.put_object(Bucket=bucket, Key=key, Body=b"changed"),
    "multipart": lambda c, bucket, key: multipart(c, bucket, f"{key}-parts"),
    "copy onto": lambda c, bucket, key: c.copy_object(
        Bucket=bucket, Key=f"{key}-copy", CopySource=readable(bucket, key)
    ),
    "delete": lambda c, bucket, key: c.delete_object(Bucket=bucket, Key=f"{key}-new"),
}
READS = ("list", "list v1", "list uploads", "head bucket", "get", "get range", "head")
OF_OBJECTS = ("get", "get range", "head")
WRITES = ("put", "overwrite", "multipart", "copy onto", "delete")

MATRIX = [
    *(("alice", action, "alice", "private", True) for action in (*READS, *WRITES)),
    *(("alice", action, "scratch", "alice/shared", True) for action in (*READS, *WRITES)),
    *(("bob", action, "alice", "private", False) for action in (*READS, *WRITES)),
    *(("bob", action, "scratch", "alice/shared", True) for action in READS),
    *(("bob", action, "scratch", "alice/shared", False) for action in WRITES),
    *(("bob", action, "scratch", "top", False) for action in WRITES),
    *(("bob", action, "scratch", "bobby/x", False) for action in WRITES),
    *(("as_alice_named_bob", action, "bob", "private", False) for action in (*READS, *WRITES)),
    *(("as_alice_named_bob", action, "scratch", "bob/shared", False) for action in WRITES),
    ("as_alice_named_bob", "get", "alice", "private", True),
    # a bucket that groups share: one group writes, another reads, erin is in neither
    *(("alice", action, "cygno-data", "raw", True) for action in (*READS, *WRITES)),
    *(("bob", action, "cygno-data", "raw", True) for action in READS),
    *(("bob", action, "cygno-data", "raw", False) for action in WRITES),
    *(("erin", action, "cygno-data", "raw", False) for action in (*READS, *WRITES)),
    # the same with a prefix of a bucket, and nothing beside it
    *(("alice", action, "many-runs", "runs/2026/raw", True) for action in ("list v1", *OF_OBJECTS, *WRITES)),
    *(("bob", action, "many-runs", "runs/2026/raw", True) for action in ("list v1", *OF_OBJECTS)),
    *(("bob", action, "many-runs", "runs/2026/raw", False) for action in WRITES),
    *(("erin", action, "many-runs", "runs/2026/raw", False) for action in (*READS, *WRITES)),
    *((who, "list", "many-runs", "", False) for who in ("alice", "bob")),
    *((who, "list v1", "many-runs", "runs/20", False) for who in ("alice", "bob")),
    *(("alice", action, "many-runs", "runs/2025/raw", False) for action in (*OF_OBJECTS, *WRITES)),
    *(("alice", action, "many-runs", "runs/2026-old/raw", False) for action in (*OF_OBJECTS, *WRITES)),
]


@pytest.mark.parametrize(("who", "action", "bucket", "key", "allowed"), MATRIX)
def test_who_may_do_what(isolated: Any, who: str, action: str, bucket: str, key: str, allowed: bool) -> None:
    code = refusal(lambda: ACTIONS[action](getattr(isolated, who), bucket, key))
    assert code == "allowed" if allowed else code in REFUSED


def test_refused_writes_changed_nothing(isolated: Any) -> None:
    isolated.alice.put_object(Bucket="alice", Key="kept", Body=b"as it was")
    isolated.alice.put_object(Bucket="scratch", Key="alice/kept", Body=b"as it was")
    for bucket, key in (("alice", "kept"), ("scratch", "alice/kept")):
        for action in WRITES:
            refusal(lambda a=action, b=bucket, k=key: ACTIONS[a](isolated.bob, b, k))
        assert isolated.alice.get_object(Bucket=bucket, Key=key)["Body"].read() == b"as it was"
        listed = isolated.alice.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
        assert [item["Key"] for item in listed] == [key]


def test_a_person_cannot_take_a_bucket_of_another_name(isolated: Any) -> None:
    for name in ("carol", "alicex", "bob"):
        assert refusal(lambda n=name: isolated.alice.create_bucket(Bucket=n)) in REFUSED | TAKEN


def test_nothing_is_copied_out_of_anothers_bucket(isolated: Any) -> None:
    for source in ("alice/private", "/alice/private", {"Bucket": "alice", "Key": "private"}):
        copy = lambda s=source: isolated.bob.copy_object(Bucket="bob", Key="stolen", CopySource=s)  # noqa: E731
        assert refusal(copy) in REFUSED
    assert refusal(lambda: isolated.bob.head_object(Bucket="bob", Key="stolen")) == "404"


def test_no_part_is_copied_out_of_anothers_bucket(isolated: Any) -> None:
    upload = isolated.bob.create_multipart_upload(Bucket="bob", Key="stolen")["UploadId"]
    part = {"Bucket": "bob", "Key": "stolen", "UploadId": upload, "PartNumber": 1}
    assert refusal(lambda: isolated.bob.upload_part_copy(CopySource="alice/private", **part)) in REFUSED
    isolated.bob.abort_multipart_upload(Bucket="bob", Key="stolen", UploadId=upload)


def test_what_is_shared_can_be_copied_into_ones_own_bucket(isolated: Any) -> None:
    isolated.alice.put_object(Bucket="scratch", Key="alice/for-copy", Body=b"take it", ContentType="text/x-shared")
    isolated.bob.copy_object(Bucket="bob", Key="taken", CopySource="scratch/alice/for-copy")
    assert isolated.bob.get_object(Bucket="bob", Key="taken")["Body"].read() == b"take it"


def test_a_reader_sees_the_content_type_of_what_is_shared(isolated: Any) -> None:
    isolated.alice.put_object(
        Bucket="scratch", Key="alice/typed", Body=b"1,2", ContentType="text/x-table", Metadata={"unit": "cm"}
    )
    found = isolated.bob.head_object(Bucket="scratch", Key="alice/typed")
    assert (found["ContentType"], found["Metadata"]) == ("text/x-table", {"unit": "cm"})


def test_deleting_many_deletes_only_ones_own(isolated: Any) -> None:
    isolated.alice.put_object(Bucket="scratch", Key="alice/stays", Body=b"1")
    isolated.bob.put_object(Bucket="scratch", Key="bob/goes", Body=b"1")
    objects = [{"Key": key} for key in ("alice/stays", "bob/goes", "top")]
    answer = isolated.bob.delete_objects(Bucket="scratch", Delete={"Objects": objects})
    assert [row["Key"] for row in answer["Deleted"]] == ["bob/goes"]
    assert {(row["Key"], row["Code"]) for row in answer["Errors"]} == {
        ("alice/stays", "AccessDenied"),
        ("top", "AccessDenied"),
    }
    assert isolated.alice.get_object(Bucket="scratch", Key="alice/stays")["Body"].read() == b"1"
    with contextlib.suppress(ClientError):
        answer = isolated.bob.delete_objects(Bucket="alice", Delete={"Objects": [{"Key": "private"}]})
        assert "Deleted" not in answer
    assert isolated.alice.get_object(Bucket="alice", Key="private")["Body"].read()


def test_what_one_member_wrote_another_replaces_and_deletes(isolated: Any) -> None:
    isolated.alice.put_object(Bucket="cygno-data", Key="theirs", Body=b"1")
    with contextlib.suppress(ClientError):
        answer = isolated.bob.delete_objects(Bucket="cygno-data", Delete={"Objects": [{"Key": "theirs"}]})
        assert "Deleted" not in answer
    assert isolated.bob.get_object(Bucket="cygno-data", Key="theirs")["Body"].read() == b"1"
    answer = isolated.alice.delete_objects(Bucket="cygno-data", Delete={"Objects": [{"Key": "theirs"}]})
    assert [row["Key"] for row in answer["Deleted"]] == ["theirs"]


def test_nobody_deletes_or_makes_the_bucket_of_a_group(isolated: Any) -> None:
    for client in (isolated.alice, isolated.bob, isolated.erin):
        assert refusal(lambda c=client: c.delete_bucket(Bucket="cygno-data")) in REFUSED
        assert refusal(lambda c=client: c.create_bucket(Bucket="cygno-data")) in REFUSED | TAKEN


@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_nothing_a_member_does_opens_the_bucket_of_a_group(isolated: Any, opening: str) -> None:
    key = f"opened-{opening.replace(' ', '-')}"
    isolated.alice.put_object(Bucket="cygno-data", Key=key, Body=b"for members")
    code = refusal(lambda: OPENINGS[opening](isolated.alice, "cygno-data", key))
    assert code in {"allowed"} | REFUSED | UNKNOWN
    assert httpx.get(f"{isolated.url}/cygno-data/{key}").status_code == 403
    assert refusal(lambda: isolated.erin.get_object(Bucket="cygno-data", Key=key)) in REFUSED


def test_an_upload_in_progress_is_its_owners(isolated: Any) -> None:
    upload = isolated.alice.create_multipart_upload(Bucket="scratch", Key="alice/parts")["UploadId"]
    part = {"UploadId": upload, "PartNumber": 1, "Body": b"x"}
    assert refusal(lambda: isolated.bob.upload_part(Bucket="scratch", Key="alice/parts", **part)) in REFUSED
    assert refusal(lambda: isolated.bob.upload_part(Bucket="scratch", Key="bob/parts", **part)) == "NoSuchUpload"
    isolated.alice.abort_multipart_upload(Bucket="scratch", Key="alice/parts", UploadId=upload)


def test_a_link_that_alice_made_opens_what_it_names_and_nothing_else(isolated: Any) -> None:
    link = isolated.alice.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "private"}, ExpiresIn=60)
    assert httpx.get(link).status_code == 200
    assert httpx.get(link.replace("/alice/private", "/bob/private")).status_code == 403
    assert httpx.put(link, content=b"x").status_code == 403
    other = isolated.bob.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "private"}, ExpiresIn=60)
    assert httpx.get(other).status_code == 403


def test_nothing_is_given_without_a_signature(isolated: Any) -> None:
    for method, path in (
        ("GET", "/alice"),
        ("GET", "/alice/private"),
        ("GET", "/scratch/alice/shared"),
        ("PUT", "/scratch/x"),
    ):
        assert httpx.request(method, isolated.url + path).status_code == 403
    names = httpx.get(isolated.url)  # a refusal, or the list of what nobody owns
    assert names.status_code == 403 or "<Name>" not in names.text


def test_a_link_to_anothers_object_or_to_write_into_anothers_place_opens_nothing(isolated: Any) -> None:
    """Anybody can sign anything; what counts is what the signer may do when the link is used."""
    calls = {
        "GET": ("get_object", {"Bucket": "alice", "Key": "private"}),
        "PUT": ("put_object", {"Bucket": "scratch", "Key": "alice/by-link"}),
        "DELETE": ("delete_object", {"Bucket": "alice", "Key": "private"}),
        "HEAD": ("head_object", {"Bucket": "alice", "Key": "private"}),
    }
    for method, (call, target) in calls.items():
        link = isolated.bob.generate_presigned_url(call, target, ExpiresIn=60)
        assert httpx.request(method, link).status_code == 403
    listing = isolated.bob.generate_presigned_url("list_objects_v2", {"Bucket": "alice"}, ExpiresIn=60)
    assert httpx.get(listing).status_code == 403
    assert isolated.alice.get_object(Bucket="alice", Key="private")["Body"].read()


def test_a_link_cannot_be_made_to_last_longer(isolated: Any) -> None:
    link = isolated.alice.generate_presigned_url("get_object", {"Bucket": "alice", "Key": "private"}, ExpiresIn=60)
    assert httpx.get(link.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")).status_code == 403


@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_nothing_a_person_does_opens_their_bucket_to_others(isolated: Any, opening: str) -> None:
    key = f"opened/{opening.replace(' ', '-')}"
    isolated.alice.put_object(Bucket="alice", Key=key, Body=b"still private")
    code = refusal(lambda: OPENINGS[opening](isolated.alice, "alice", key))
    assert code in {"allowed"} | REFUSED | UNKNOWN
    assert opened_to(isolated, "alice", key) == []
    assert isolated.alice.get_object(Bucket="alice", Key=key)["Body"].read() == b"still private"


@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_nothing_a_person_does_opens_scratch_to_the_world(isolated: Any, opening: str) -> None:
    key = f"alice/opened-{opening.replace(' ', '-')}"
    isolated.alice.put_object(Bucket="scratch", Key=key, Body=b"for members")
    code = refusal(lambda: OPENINGS[opening](isolated.alice, "scratch", key))
    assert code in {"allowed"} | REFUSED | UNKNOWN
    assert httpx.get(f"{isolated.url}/scratch/{key}").status_code == 403
    assert refusal(lambda: isolated.bob.put_object(Bucket="scratch", Key=key, Body=b"changed")) in REFUSED
    assert isolated.bob.get_object(Bucket="scratch", Key=key)["Body"].read() == b"for members"


@pytest.mark.parametrize("setting", sorted(bucket_settings("alice", "set")))
def test_the_settings_of_anothers_bucket_are_neither_read_nor_changed(isolated: Any, setting: str) -> None:
    method, parameters = bucket_settings("alice", "set")[setting]
    isolated.alice.put_object(Bucket="alice", Key="set", Body=b"as it was")
    assert refusal(lambda: getattr(isolated.bob, method)(**parameters)) in REFUSED | UNKNOWN
    assert isolated.alice.get_object(Bucket="alice", Key="set")["Body"].read() == b"as it was"


def test_tags_are_kept_or_refused_and_never_touch_the_content(isolated: Any) -> None:
    isolated.alice.put_object(Bucket="alice", Key="tagged", Body=b"content")
    tags = {"TagSet": [{"Key": "run", "Value": "7"}]}
    code = refusal(lambda: isolated.alice.put_object_tagging(Bucket="alice", Key="tagged", Tagging=tags))
    assert code == "allowed" or code in UNKNOWN
    if code == "allowed":
        assert isolated.alice.get_object_tagging(Bucket="alice", Key="tagged")["TagSet"] == tags["TagSet"]
    assert isolated.alice.get_object(Bucket="alice", Key="tagged")["Body"].read() == b"content"


def test_nobody_deletes_the_bucket_that_was_made_for_them(isolated: Any) -> None:
    """Made anew it would be without quota and rules."""
    assert refusal(lambda: isolated.alice.delete_bucket(Bucket="alice")) in REFUSED
    assert refusal(lambda: isolated.bob.delete_bucket(Bucket="alice")) in REFUSED
    assert refusal(lambda: isolated.bob.delete_bucket(Bucket="scratch")) in REFUSED


def test_a_bucket_that_a_person_makes_is_theirs_alone(isolated: Any) -> None:
    if not isolated.people_make_buckets:
        assert refusal(lambda: isolated.alice.create_bucket(Bucket="alice--photos")) in REFUSED
        return
    isolated.alice.create_bucket(Bucket="alice--photos")
    isolated.alice.put_object(Bucket="alice--photos", Key="x", Body=b"1")
    for action in (*READS, *WRITES):
        assert refusal(lambda a=action: ACTIONS[a](isolated.bob, "alice--photos", "x")) in REFUSED
    assert refusal(lambda: isolated.bob.create_bucket(Bucket="alice--videos")) in REFUSED
    isolated.alice.delete_object(Bucket="alice--photos", Key="x")
    isolated.alice.delete_bucket(Bucket="alice--photos")
    assert refusal(lambda: isolated.alice.head_bucket(Bucket="alice--photos")) in REFUSED | NOTHING_THERE
