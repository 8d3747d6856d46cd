"""Buckets on a real Ceph RADOS Gateway: versions, locks, and the names that files cannot have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bucket_site import keys, put, read
from ceph import personal_role
from naas_client.errors import Conflict, Forbidden, NotFound
from naas_client.models import NewBucket
from naas_gateway.services.provisioners.policies import permissions
from naas_local.ceph import CephStore
from naas_storage.buckets import Buckets, transfer
from naas_storage.buckets.objects import Objects
from run_folder import prepare_run_folder
from s3_people import assume_role
from token_issuer import TokenIssuer

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def buckets(ceph: CephStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    """alice's, with the policy that our provisioner gives to a person's role."""
    run: Path = tmp_path_factory.mktemp("run")
    with TokenIssuer().running() as issuer, pytest.MonkeyPatch.context() as patch:
        rules: list[dict[str, Any]] = permissions("alice", "scratch")["Statement"]
        role = personal_role(ceph, f"{issuer.url}/", "alice", *rules)
        admin = ceph.client("s3")
        for name in ("alice", "bob"):
            admin.create_bucket(Bucket=name)
        admin.put_object(Bucket="bob", Key="secret.txt", Body=b"bob's own")
        prepare_run_folder(run, ceph.url, assume_role(ceph.url, issuer.token("alice"), role))
        patch.setenv("NAAS_STORAGE_RUN", str(run))
        yield Buckets()


@pytest.fixture(scope="module")
def alice(buckets: Buckets) -> Objects:
    return buckets.objects("alice")


def test_the_list_has_what_a_session_does_not_own(buckets: Buckets) -> None:
    """On RGW a session lists only buckets of its own shadow user; the person's bucket is the site's."""
    buckets.create(NewBucket(name="alice--listed"))
    rows = {bucket.name: bucket.own for bucket in buckets.list().items}
    assert rows["alice"]
    assert rows["alice--listed"]
    assert not rows["scratch"]
    assert "bob" not in rows
    buckets.delete("alice--listed")
    assert "alice--listed" not in [bucket.name for bucket in buckets.list().items]


def test_old_versions_come_back(buckets: Buckets) -> None:
    made = buckets.create(NewBucket(name="alice--versions", versioning=True))
    assert (made.versioning, made.object_lock) == (True, False)
    objects = buckets.objects("alice--versions")
    for text in (b"first", b"second"):
        put(objects, "notes.txt", text)
        put(objects, "notes.txt.other", text)
    objects.delete(["notes.txt"], [])
    with pytest.raises(NotFound):
        read(objects, "notes.txt")
    found = objects.versions("notes.txt").items
    assert [(entry.deleted, entry.latest) for entry in found] == [(True, True), (False, False), (False, False)]
    assert {entry.key for entry in found} == {"notes.txt"}
    oldest = found[-1].version
    assert oldest is not None
    assert read(objects, "notes.txt", oldest) == b"first"
    assert objects.restore("notes.txt", oldest).key == "notes.txt"
    assert read(objects, "notes.txt") == b"first"
    assert len(objects.versions("notes.txt").items) == 4
    some, cursor = [], ""
    while cursor is not None:
        page = objects.versions("notes.txt", cursor, limit=1)
        some += [entry.version for entry in page.items]
        cursor = page.next
    assert len(set(some)) == len(some) == 4
    objects.delete(["notes.txt", "notes.txt.other"], [])
    with pytest.raises(Conflict, match="old versions") as refused:
        buckets.delete("alice--versions")
    assert refused.value.code == "bucket-not-empty"


def test_a_locked_bucket_has_versions_too(buckets: Buckets) -> None:
    made = buckets.create(NewBucket(name="alice--locked", object_lock=True))
    assert (made.versioning, made.object_lock) == (True, True)
    assert buckets.describe("alice--locked").object_lock
    assert next(row for row in buckets.list().items if row.name == "alice--locked").object_lock


@pytest.mark.parametrize(
    "key", ["a//b", "/leading", "//", "new\nline\r.txt", "tab\t.txt", "k" * 1024, "grüße/日本/🙂", "<b>&'\"", " "]
)
def test_any_key_works(alice: Objects, key: str) -> None:
    if key.endswith("/"):
        assert alice.make_folder(key).key == key
        assert alice.delete([], [key]).deleted == 1
        return
    put(alice, key, b"odd")
    assert read(alice, key) == b"odd"
    assert key in keys(alice, search=key)
    if len(key) < 1000:
        assert alice.rename(key, f"{key}2") == 1
        assert alice.rename(f"{key}2", key) == 1
    assert httpx.get(alice.share(key, 60).url).content == b"odd"
    assert alice.delete([key], []).deleted == 1
    assert key not in keys(alice, search=key)


def test_folders_are_renamed_and_deleted_with_what_is_in_them(alice: Objects) -> None:
    alice.make_folder("old/")
    alice.make_folder("old/empty/")
    for number in range(20):
        put(alice, f"old/{number:02}")
    with pytest.raises(Conflict):
        alice.make_folder("old/")
    assert alice.rename("old/", "new/") == 20
    assert keys(alice, "old/") == []
    assert keys(alice, "new/")[-1] == "new/empty/"
    first = alice.page("new/", limit=15)
    assert first.next is not None
    assert len(first.items) == 14  # the folder's own object is none of its entries
    assert len(keys(alice, "new/", cursor=first.next)) == 7
    gone = alice.delete([], ["new/"])
    assert (gone.deleted, gone.errors) == (22, [])
    assert "new/" not in keys(alice)


def test_an_upload_in_parts_is_whole_or_nothing(alice: Objects) -> None:
    upload = alice.upload("parts")
    upload.add(bytes(transfer.PART))
    upload.send()
    upload.add(b"end")
    assert upload.finish().size == transfer.PART + 3
    broken = alice.upload("broken-off")
    broken.add(bytes(transfer.PART))
    broken.send()
    broken.abort()
    assert "Uploads" not in alice.s3.list_multipart_uploads(Bucket="alice")
    assert "broken-off" not in keys(alice)
    alice.delete(["parts"], [])


def test_what_is_not_hers_is_refused(buckets: Buckets) -> None:
    bob = buckets.objects("bob")
    acts = (
        lambda: bob.page(),
        lambda: bob.share("secret.txt"),
        lambda: bob.download("secret.txt"),
        lambda: put(bob, "mine"),
        lambda: bob.delete(["secret.txt"], []),
        lambda: put(buckets.objects("scratch"), "bob/x"),
        lambda: buckets.describe("bob"),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act()
    scratch = buckets.objects("scratch")
    put(scratch, "alice/mine")
    gone = scratch.delete(["alice/mine", "bob/x"], [])
    assert (gone.deleted, [row["key"] for row in gone.errors]) == (1, ["bob/x"])
