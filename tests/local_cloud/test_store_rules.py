"""What the store does not do, it refuses with a proper S3 error, and the object stays as it was."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from naas_local.store import EmbeddedStore
from s3_people import assume_role, refusal, s3_client
from s3_raw import code, key_url, send, signed
from token_issuer import TokenIssuer

pytestmark = pytest.mark.server

Session = dict[str, Any]
CONTENT = b"must not change"


@pytest.fixture(autouse=True)
def kept(alice: Any) -> Iterator[None]:
    """An object that is there before and after each test."""
    alice.put_object(Bucket="alice", Key="kept", Body=CONTENT)
    yield
    assert alice.get_object(Bucket="alice", Key="kept")["Body"].read() == CONTENT


OBJECT_SUBRESOURCES = (
    "acl tagging retention legal-hold torrent attributes select restore uploads&x versionId=abc unknown versions"
)
BUCKET_SUBRESOURCES = (
    "acl tagging policy policyStatus cors lifecycle versioning replication website notification logging encryption "
    "object-lock ownershipControls publicAccessBlock accelerate requestPayment inventory analytics metrics versions unknown"
)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("name", OBJECT_SUBRESOURCES.split())
def test_a_subresource_of_an_object_is_not_taken_for_the_object(
    store: EmbeddedStore, alice_session: Session, method: str, name: str
) -> None:
    answer = send(alice_session, method, f"{store.url}/alice/kept?{name}", b"<Tagging/>")
    assert (answer.status_code, code(answer)) in {(501, "NotImplemented"), (405, "MethodNotAllowed")}, answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("name", BUCKET_SUBRESOURCES.split())
def test_a_subresource_of_a_bucket_is_not_taken_for_the_bucket(
    store: EmbeddedStore, alice_session: Session, method: str, name: str
) -> None:
    answer = send(alice_session, method, f"{store.url}/alice?{name}", b"<Policy/>")
    if (method, name) == ("GET", "versioning"):
        assert answer.status_code == 200
        return
    assert (answer.status_code, code(answer)) in {(501, "NotImplemented"), (405, "MethodNotAllowed")}, answer.text


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.put_object_acl(Bucket="alice", Key="kept", ACL="public-read"),
        lambda c: c.put_object_acl(Bucket="alice", Key="kept", ACL="private"),
        lambda c: c.get_object_acl(Bucket="alice", Key="kept"),
        lambda c: c.put_object_tagging(Bucket="alice", Key="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
        lambda c: c.delete_object_tagging(Bucket="alice", Key="kept"),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", Tagging="a=b"),
        lambda c: c.put_bucket_policy(Bucket="alice", Policy="{}"),
        lambda c: c.put_bucket_versioning(Bucket="alice", VersioningConfiguration={"Status": "Enabled"}),
        lambda c: c.put_bucket_cors(Bucket="alice", CORSConfiguration={"CORSRules": []}),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", ServerSideEncryption="AES256"),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", WebsiteRedirectLocation="/x"),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", ObjectLockMode="GOVERNANCE"),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", IfNoneMatch="*"),
        lambda c: c.put_object(Bucket="alice", Key="kept", Body=b"x", IfMatch="abc"),
        lambda c: c.copy_object(Bucket="alice", Key="kept", CopySource="alice/kept2", CopySourceIfNoneMatch="a"),
        lambda c: c.get_object(Bucket="alice", Key="kept", PartNumber=1),
        lambda c: c.get_object(Bucket="alice", Key="kept", VersionId="1"),
        lambda c: c.delete_object(Bucket="alice", Key="kept", VersionId="1"),
        lambda c: c.list_object_versions(Bucket="alice"),
        lambda c: c.list_objects_v2(Bucket="alice", Delimiter="-"),
    ],
)
def test_what_is_not_served_is_not_implemented(alice: Any, call: Any) -> None:
    assert refusal(lambda: call(alice)) == "NotImplemented"


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read", "nonsense"])
def test_a_public_acl_is_refused(store: EmbeddedStore, alice_session: Session, acl: str) -> None:
    answer = send(alice_session, "PUT", f"{store.url}/alice/kept", b"x", headers={"x-amz-acl": acl})
    assert (answer.status_code, code(answer)) == (400, "AccessControlListNotSupported")


def test_grants_are_refused_and_the_private_acl_is_what_there_is(alice: Any) -> None:
    grant = lambda: alice.put_object(Bucket="alice", Key="kept", Body=b"x", GrantRead="id=1")  # noqa: E731
    assert refusal(grant) == "AccessControlListNotSupported"
    alice.put_object(Bucket="alice", Key="acl-private", Body=b"x", ACL="private")


def test_ones_own_bucket_cannot_be_deleted(alice: Any) -> None:
    assert refusal(lambda: alice.delete_bucket(Bucket="alice")) == "AccessDenied"


def test_people_make_use_and_delete_buckets_that_start_with_their_name(
    alice: Any, store: EmbeddedStore, issuer: TokenIssuer
) -> None:
    bob = s3_client(store.url, assume_role(store.url, issuer.token("bob"), store.role_arn))
    alice.create_bucket(Bucket="alice--more")
    assert refusal(lambda: alice.create_bucket(Bucket="alice--more")) == "BucketAlreadyOwnedByYou"
    alice.put_object(Bucket="alice--more", Key="deep/er/x", Body=b"mine")
    alice.put_object(Bucket="alice--more", Key="empty/", Body=b"")
    assert "alice--more" in [bucket["Name"] for bucket in alice.list_buckets()["Buckets"]]
    assert "alice--more" not in [bucket["Name"] for bucket in bob.list_buckets()["Buckets"]]
    for act in (bob.list_objects_v2, bob.delete_bucket, bob.create_bucket):
        assert refusal(lambda act=act: act(Bucket="alice--more")) == "AccessDenied"
    assert refusal(lambda: bob.get_object(Bucket="alice--more", Key="deep/er/x")) == "AccessDenied"
    assert refusal(lambda: alice.delete_bucket(Bucket="alice--more")) == "BucketNotEmpty"
    alice.delete_object(Bucket="alice--more", Key="deep/er/x")
    assert refusal(lambda: alice.delete_bucket(Bucket="alice--more")) == "allowed"
    assert refusal(lambda: alice.head_bucket(Bucket="alice--more")) == "404"


@pytest.mark.parametrize("name", ["alice-b", "alice---0123456789", "alice--", "alicea--x", "bob--x"])
def test_names_that_are_or_may_be_somebody_elses(alice: Any, name: str) -> None:
    """`alice-b` may be a person, and `alice---…` is the form of names that IAM's do not fit."""
    assert refusal(lambda: alice.create_bucket(Bucket=name)) in ("AccessDenied", "InvalidBucketName")


def test_an_empty_folder_is_listed(alice: Any) -> None:
    for key in ("listed/empty/", "listed/deep/inner/", "listed/full/"):
        alice.put_object(Bucket="alice", Key=key, Body=b"")
    alice.put_object(Bucket="alice", Key="listed/full/x y", Body=b"x")
    answer = alice.list_objects_v2(Bucket="alice", Prefix="listed/", Delimiter="/")
    assert sorted(row["Prefix"] for row in answer["CommonPrefixes"]) == [
        "listed/deep/",
        "listed/empty/",
        "listed/full/",
    ]
    answer = alice.list_objects_v2(Bucket="alice", Prefix="listed/e", Delimiter="/")
    assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["listed/empty/"]
    alice.delete_object(Bucket="alice", Key="listed/empty/")
    answer = alice.list_objects_v2(Bucket="alice", Prefix="listed/", Delimiter="/")
    assert "listed/empty/" not in [row["Prefix"] for row in answer["CommonPrefixes"]]


def test_one_level_comes_in_pages(alice: Any) -> None:
    """Files and folders in one order, each once, whatever the way from page to page; with the ETags that the objects have."""
    for key in ("paged/a", "paged/b/inner", "paged/b.txt", "paged/c", "paged/è &", "paged/z/deep/er"):
        alice.put_object(Bucket="alice", Key=key, Body=key.encode())
    right = ["paged/a", "paged/b.txt", "paged/b/", "paged/c", "paged/z/", "paged/è &"]
    level = {"Bucket": "alice", "Prefix": "paged/", "Delimiter": "/"}
    for name in ("list_objects", "list_objects_v2"):
        pages = list(alice.get_paginator(name).paginate(**level, PaginationConfig={"PageSize": 2}))
        rows = [[*page.get("Contents", []), *page.get("CommonPrefixes", [])] for page in pages]
        shown = [sorted(row.get("Key") or row["Prefix"] for row in page) for page in rows]
        assert shown == [right[:2], right[2:4], right[4:]]
        for row in (row for page in pages for row in page.get("Contents", [])):
            assert row["ETag"] == f'"{hashlib.md5(row["Key"].encode()).hexdigest()}"'
            assert row["Size"] == len(row["Key"].encode())
            head = alice.head_object(Bucket="alice", Key=row["Key"])
            assert (row["ETag"], row["LastModified"]) == (head["ETag"], head["LastModified"])
    after = alice.list_objects_v2(**level, StartAfter="paged/b.txt")
    assert [row["Prefix"] for row in after["CommonPrefixes"]] == ["paged/b/", "paged/z/"]
    assert [row["Key"] for row in after["Contents"]] == ["paged/c", "paged/è &"]
    nothing = alice.list_objects_v2(**level, MaxKeys=0)
    assert (nothing["KeyCount"], nothing["IsTruncated"]) == (0, False)
    assert alice.list_objects_v2(Bucket="alice", Prefix="paged/none/", Delimiter="/")["KeyCount"] == 0
    assert refusal(lambda: alice.list_objects_v2(**level, ContinuationToken="?")) == "InvalidArgument"


def test_making_a_bucket_twice_says_that_it_is_there(alice: Any) -> None:
    assert refusal(lambda: alice.create_bucket(Bucket="alice")) == "BucketAlreadyOwnedByYou"
    assert refusal(lambda: alice.create_bucket(Bucket="scratch")) == "BucketAlreadyExists"


def test_a_bucket_that_was_never_made_is_missing(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    erin = s3_client(store.url, assume_role(store.url, issuer.token("erin"), store.role_arn))
    assert refusal(lambda: erin.put_object(Bucket="erin", Key="x", Body=b"x")) == "NoSuchBucket"
    assert refusal(lambda: erin.list_objects_v2(Bucket="erin")) == "NoSuchBucket"
    assert refusal(lambda: erin.head_bucket(Bucket="erin")) == "404"
    assert [bucket["Name"] for bucket in erin.list_buckets()["Buckets"]] == ["scratch"]


BAD_KEYS = {
    "a//b": "InvalidArgument",
    "/a": "InvalidArgument",
    "//": "InvalidArgument",
    "../bob/x": "InvalidArgument",
    "a/../../bob/x": "InvalidArgument",
    "./a": "InvalidArgument",
    "a/.": "InvalidArgument",
    "a/..": "InvalidArgument",
    "nul\0": "InvalidArgument",
    "line\nbreak": "InvalidArgument",
    "k" * 1025: "KeyTooLongError",
    "é" * 513: "KeyTooLongError",
    "a/" + "n" * 256: "KeyTooLongError",
    "a/.rclone_temp_x": "InvalidArgument",
}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_files_cannot_have_is_refused(
    store: EmbeddedStore, alice_session: Session, method: str, key: str
) -> None:
    headers = signed(alice_session, method, key_url(store.url, "alice", key))
    status, body = raw(store, method, key_url("", "alice", key), headers)
    assert (status, method == "HEAD" or f"<Code>{BAD_KEYS[key]}</Code>" in body) == (400, True), body


def raw(store: EmbeddedStore, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """A request whose path no client tidies up."""
    connection = http.client.HTTPConnection(urlsplit(store.url).netloc)
    connection.request(method, path, headers=headers, body=b"x" if method == "PUT" else None)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/alice/%2e%2e/bob/x", "/alice/a%2f..%2f..%2fbob", "/scratch/alice/%2E%2E/bob/x"])
def test_an_encoded_way_up_is_refused(store: EmbeddedStore, alice_session: Session, path: str) -> None:
    status, body = raw(store, "PUT", path, signed(alice_session, "PUT", store.url + path))
    assert (status, "<Code>InvalidArgument</Code>" in body or "<Code>SignatureDoesNotMatch</Code>" in body) in {
        (400, True),
        (403, True),
    }
    assert not (store.buckets / "bob").exists()


@pytest.mark.parametrize("bucket", ["AB", "a", "alice_1", "-a-", "a..b", "192.168.1.1", "x" * 64, "ab.-c"])
def test_a_bucket_name_that_cannot_be_is_refused(store: EmbeddedStore, alice_session: Session, bucket: str) -> None:
    status, body = raw(store, "PUT", f"/{bucket}", signed(alice_session, "PUT", f"{store.url}/{bucket}"))
    assert (status, "InvalidBucketName" in body) == (400, True), body


@pytest.mark.parametrize("path", ["/alice/%ff", "/alice?prefix=%ff"])
def test_an_address_that_is_no_text_is_refused(store: EmbeddedStore, alice_session: Session, path: str) -> None:
    status, body = raw(store, "GET", path, signed(alice_session, "GET", f"{store.url}/alice"))
    assert (status, "InvalidURI" in body) == (400, True), body


SOURCES = {
    "bob/x": (403, "AccessDenied"),
    "/bob/x": (403, "AccessDenied"),
    "%62ob/x": (403, "AccessDenied"),
    "bob%2Fx": (403, "AccessDenied"),
    "alice/../bob/x": (400, "InvalidArgument"),
    "alice/%2e%2e/bob/x": (400, "InvalidArgument"),
    "alice//kept": (400, "InvalidArgument"),
    "alice": (400, "InvalidArgument"),
    "alice/folder/": (400, "InvalidArgument"),
    "//alice/kept": (400, "InvalidBucketName"),
    "alice/kept?versionId=1": (501, "NotImplemented"),
    "alice/kept?versionId=null": (200, ""),
    "alice/kept?x=1": (501, "NotImplemented"),
    "/alice/kept": (200, ""),
    "alice%2Fkept": (200, ""),
    "alice/none": (404, "NoSuchKey"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_source_of_a_copy_is_read_as_s3_writes_it(
    store: EmbeddedStore, alice_session: Session, source: str
) -> None:
    answer = send(alice_session, "PUT", f"{store.url}/alice/copied", headers={"x-amz-copy-source": source})
    assert (answer.status_code, code(answer)) == SOURCES[source], answer.text


def test_a_key_that_looks_encoded_is_copied_under_its_own_name(alice: Any) -> None:
    for key in ("a+b", "a%20b", "a b", "ü/%2e", "100%", "q?x=1&y", "a#b"):
        alice.put_object(Bucket="alice", Key=key, Body=key.encode())
        alice.copy_object(Bucket="alice", Key=f"copy of {key}", CopySource={"Bucket": "alice", "Key": key})
        assert alice.get_object(Bucket="alice", Key=f"copy of {key}")["Body"].read() == key.encode()


def test_a_copy_onto_itself_needs_new_metadata(alice: Any) -> None:
    itself = {"Bucket": "alice", "Key": "self", "CopySource": "alice/self"}
    alice.put_object(Bucket="alice", Key="self", Body=b"content")
    assert refusal(lambda: alice.copy_object(**itself)) == "InvalidRequest"
    alice.copy_object(**itself, MetadataDirective="REPLACE", Metadata={"a": "b"})
    found = alice.get_object(Bucket="alice", Key="self")
    assert (found["Body"].read(), found["Metadata"]) == (b"content", {"a": "b"})


DELETES: dict[str, tuple[bytes, int, str]] = {
    "an entity": (
        b'<!DOCTYPE a [<!ENTITY x "kept">]><Delete><Object><Key>&x;</Key></Object></Delete>',
        400,
        "MalformedXML",
    ),
    "another document": (b"<Other><Object><Key>kept</Key></Object></Other>", 400, "MalformedXML"),
    "no XML": (b"kept", 400, "MalformedXML"),
    "UTF-16": ("<Delete><Object><Key>kept</Key></Object></Delete>".encode("utf-16"), 400, "MalformedXML"),
    "nothing": (b"<Delete></Delete>", 400, "MalformedXML"),
    "too many": (b"<Delete>" + b"<Object><Key>x</Key></Object>" * 1001 + b"</Delete>", 400, "MalformedXML"),
    "too long": (b"<Delete>" + b" " * (5 << 20) + b"</Delete>", 400, "MaxMessageLengthExceeded"),
}


@pytest.mark.parametrize("case", DELETES)
def test_a_bad_list_of_deletes_is_refused(store: EmbeddedStore, alice_session: Session, case: str) -> None:
    body, status, expected = DELETES[case]
    answer = send(alice_session, "POST", f"{store.url}/alice?delete", body)
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


def test_each_key_of_a_delete_is_judged_on_its_own(alice: Any) -> None:
    for key in ("goes", "<&>goes"):
        alice.put_object(Bucket="alice", Key=key, Body=b"x")
    objects = [
        {"Key": "goes"},
        {"Key": "<&>goes"},
        {"Key": "a/../kept"},
        {"Key": "kept", "VersionId": "1"},
        {"Key": "none"},
    ]
    answer = alice.delete_objects(Bucket="alice", Delete={"Objects": objects})
    assert {row["Key"] for row in answer["Deleted"]} == {"goes", "<&>goes", "none"}
    assert {(row["Key"], row["Code"]) for row in answer["Errors"]} == {
        ("a/../kept", "InvalidArgument"),
        ("kept", "NotImplemented"),
    }
    assert "Deleted" not in alice.delete_objects(Bucket="alice", Delete={"Objects": [{"Key": "none"}], "Quiet": True})


def test_a_delete_with_a_wrong_checksum_deletes_nothing(store: EmbeddedStore, alice_session: Session) -> None:
    body = b"<Delete><Object><Key>kept</Key></Object></Delete>"
    answer = send(
        alice_session, "POST", f"{store.url}/alice?delete", body, headers={"x-amz-checksum-crc32": "AAAAAA=="}
    )
    assert code(answer) == "BadDigest"


def test_names_that_files_cannot_have_side_by_side_are_refused_without_a_retry(alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="dir/file", Body=b"x")
    for key in ("dir", "dir/file/below", "dir/file/"):
        assert refusal(lambda k=key: alice.put_object(Bucket="alice", Key=k, Body=b"")) == "InvalidArgument"
        if not key.endswith("/"):
            assert refusal(lambda k=key: alice.create_multipart_upload(Bucket="alice", Key=k)) == "InvalidArgument"
    alice.delete_object(Bucket="alice", Key="dir")
    assert alice.get_object(Bucket="alice", Key="dir/file")["Body"].read() == b"x"


def test_a_folder_marker_is_a_folder(store: EmbeddedStore, alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="made/folder/", Body=b"")
    assert (store.buckets / "alice" / "made" / "folder").is_dir()
    assert alice.head_object(Bucket="alice", Key="made/folder/")["ContentLength"] == 0
    assert refusal(lambda: alice.put_object(Bucket="alice", Key="made/folder/", Body=b"x")) == "InvalidArgument"
    assert refusal(lambda: alice.head_object(Bucket="alice", Key="not/made/")) == "404"
    alice.put_object(Bucket="alice", Key="made/folder/file", Body=b"x")
    alice.delete_object(Bucket="alice", Key="made/folder/")
    assert alice.get_object(Bucket="alice", Key="made/folder/file")["Body"].read() == b"x"
    alice.put_object(Bucket="scratch", Key="alice/", Body=b"")
    assert refusal(lambda: alice.put_object(Bucket="scratch", Key="bob/", Body=b"")) == "AccessDenied"


@pytest.mark.parametrize("metadata", [{"a": "x" * 2048}, {f"k{n}": "x" * 100 for n in range(25)}])
def test_too_much_metadata_is_refused(alice: Any, metadata: dict[str, str]) -> None:
    assert (
        refusal(lambda: alice.put_object(Bucket="alice", Key="kept", Body=b"", Metadata=metadata)) == "MetadataTooLarge"
    )


@pytest.mark.parametrize("name", ["x-amz-meta-a", "Content-Type", "Content-Disposition"])
def test_a_header_that_is_no_text_is_refused(store: EmbeddedStore, alice_session: Session, name: str) -> None:
    headers = signed(alice_session, "PUT", f"{store.url}/alice/kept")
    connection = http.client.HTTPConnection(urlsplit(store.url).netloc)
    connection.request("PUT", "/alice/kept", headers={**headers, name: b"\xff"}, body=b"x")
    answer = connection.getresponse().read().decode()
    connection.close()
    assert "InvalidArgument" in answer or "not signed" in answer


def test_nothing_of_the_stores_own_is_shown(alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="plain", Body=b"x", Metadata={"Mine": "1"})
    headers = alice.head_object(Bucket="alice", Key="plain")["ResponseMetadata"]["HTTPHeaders"]
    shown = {name for name in headers if name.startswith("x-amz-")}
    assert shown == {"x-amz-meta-mine", "x-amz-request-id"}
