"""Signature Version 4 in all its forms: what is accepted, what is refused with which code, and that a refused upload leaves nothing."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore import auth
from naas_local.store import EmbeddedStore
from naas_local.store.sessions import SessionKeys
from s3_people import assume_role, refusal, s3_client
from s3_raw import ChunkedUpload, code, crc32, send, sha256, signed
from token_issuer import TokenIssuer

pytestmark = pytest.mark.server

NOW = dt.datetime.now
Session = dict[str, Any]


@pytest.fixture(scope="module")
def url(store: EmbeddedStore, alice: Any) -> str:
    alice.put_object(Bucket="alice", Key="here", Body=b"content")
    return f"{store.url}/alice/here"


@pytest.fixture
def absent(alice: Any) -> Iterator[None]:
    """The key ``new`` does not exist before the test, and must not after it."""
    alice.delete_object(Bucket="alice", Key="new")
    yield
    assert refusal(lambda: alice.head_object(Bucket="alice", Key="new")) == "404"


def test_a_signed_request_is_served(url: str, alice_session: Session) -> None:
    assert send(alice_session, "GET", url).content == b"content"


def _another_second(at: dt.datetime) -> str:
    """Of the same day, as the rest of the signature says."""
    return f"{at.replace(second=(at.second + 30) % 60):%Y%m%dT%H%M%SZ}"


MINUTE = dt.timedelta(minutes=1)
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], int, str]] = {
    "the clock 16 minutes slow": ({"at": -16 * MINUTE}, {}, 403, "RequestTimeTooSkewed"),
    "the clock 16 minutes fast": ({"at": 16 * MINUTE}, {}, 403, "RequestTimeTooSkewed"),
    "another region": ({"region": "eu-south-1"}, {}, 400, "AuthorizationHeaderMalformed"),
    "another service": ({"service": "iam"}, {}, 400, "AuthorizationHeaderMalformed"),
    "another scheme": ({}, {"Authorization": "Bearer abc"}, 400, "AuthorizationHeaderMalformed"),
    "signature version 2": ({}, {"Authorization": "AWS key:c2ln"}, 400, "AuthorizationHeaderMalformed"),
    "a header added after signing": ({}, {"x-amz-meta-more": "1"}, 403, "AccessDenied"),
    "a changed date": ({}, {"X-Amz-Date": _another_second}, 403, "SignatureDoesNotMatch"),
    "another content hash": ({}, {"X-Amz-Content-SHA256": sha256(b"")}, 403, "SignatureDoesNotMatch"),
    "no content hash": ({}, {"X-Amz-Content-SHA256": ""}, 400, "InvalidRequest"),
    "an unknown form of content hash": ({"payload": "STREAMING-ECDSA"}, {}, 400, "InvalidArgument"),
    "a session token of nobody": ({}, {"X-Amz-Security-Token": "AAAA"}, 400, "InvalidToken"),
    "a session token in another script": ({}, {"X-Amz-Security-Token": "%%%"}, 400, "InvalidToken"),
    "an empty session token": ({}, {"X-Amz-Security-Token": ""}, 403, "InvalidAccessKeyId"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bent_request_is_refused(url: str, alice_session: Session, case: str) -> None:
    options, bent, status, expected = REFUSALS[case]
    at = NOW(dt.UTC) + options.get("at", dt.timedelta())
    bent = {name: value(at) if callable(value) else value for name, value in bent.items()}
    headers = signed(alice_session, "GET", url, **{**options, "at": at})
    kept = {name: value for name, value in headers.items() if name.lower() not in {n.lower() for n in bent}}
    answer = httpx.get(url, headers={**kept, **bent})
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


def test_a_wrong_secret_is_refused(url: str, alice_session: Session) -> None:
    answer = send({**alice_session, "SecretAccessKey": "x" * 40}, "GET", url)
    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")


def test_keys_and_tokens_of_two_sessions_do_not_mix(
    store: EmbeddedStore, issuer: TokenIssuer, url: str, alice_session: Session
) -> None:
    other = assume_role(store.url, issuer.token("bob"), store.role_arn)
    for mixed in (
        {**alice_session, "SessionToken": other["SessionToken"]},
        {**other, "SessionToken": alice_session["SessionToken"]},
        {**alice_session, "AccessKeyId": other["AccessKeyId"]},
    ):
        answer = send(mixed, "GET", url)
        assert (answer.status_code, code(answer)) == (403, "InvalidAccessKeyId")


def test_a_session_without_its_token_is_unknown(url: str, alice_session: Session) -> None:
    answer = send({**alice_session, "SessionToken": None}, "GET", url)
    assert (answer.status_code, code(answer)) == (403, "InvalidAccessKeyId")


def test_an_expired_session_says_so(store: EmbeddedStore, alice_session: Session, url: str) -> None:
    master = bytes.fromhex((store.data / "session.key").read_text().strip())
    session, token = SessionKeys(master).issue("alice", "sub", frozenset(), NOW(dt.UTC) - dt.timedelta(seconds=1))
    expired = {"AccessKeyId": session.access_key, "SecretAccessKey": session.secret, "SessionToken": token}
    answer = send(expired, "GET", url)
    assert (answer.status_code, code(answer)) == (400, "ExpiredToken")


def test_a_moved_signature_does_not_open_another_object(url: str, alice_session: Session) -> None:
    headers = signed(alice_session, "GET", url)
    for other in (url + "2", url + "?response-content-type=text/html"):
        assert httpx.request("GET", other, headers=headers).status_code == 403
    assert httpx.delete(url, headers=headers).status_code == 403


# presigned links


def link(
    session: Session, store: EmbeddedStore, action: str = "get_object", key: str = "here", seconds: int = 60
) -> str:
    client = s3_client(store.url, session)
    return str(client.generate_presigned_url(action, {"Bucket": "alice", "Key": key}, ExpiresIn=seconds))


def test_a_link_works_for_reading_and_for_writing(store: EmbeddedStore, alice_session: Session, url: str) -> None:
    assert httpx.get(link(alice_session, store)).content == b"content"
    assert httpx.put(link(alice_session, store, "put_object", "by-link"), content=b"sent").status_code == 200
    assert httpx.get(link(alice_session, store, key="by-link")).content == b"sent"


@pytest.mark.parametrize(
    ("before", "after", "status", "expected"),
    [
        ("/alice/here", "/alice/other", 403, "SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600", 403, "SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=0", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=x", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4", 400, "AuthorizationQueryParametersError"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=", 403, "AccessDenied"),
        ("us-east-1", "eu-west-1", 400, "AuthorizationHeaderMalformed"),
        ("&X-Amz-Security-Token=", "&X-Amz-Security-Token=x", 400, "InvalidToken"),
        ("&X-Amz-Security-Token=", "&unused=", 403, "InvalidAccessKeyId"),
    ],
)
def test_a_changed_link_is_refused(
    store: EmbeddedStore, alice_session: Session, url: str, before: str, after: str, status: int, expected: str
) -> None:
    made = link(alice_session, store)
    assert before in made
    answer = httpx.get(made.replace(before, after))
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


def test_an_old_link_is_refused(
    store: EmbeddedStore, alice_session: Session, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = (NOW(dt.UTC) - dt.timedelta(seconds=90)).replace(tzinfo=None)
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_, **__: then)
    answer = httpx.get(link(alice_session, store, seconds=60))
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)
    assert httpx.get(link(alice_session, store, seconds=600)).status_code == 200


# bodies


def put(session: Session, store: EmbeddedStore, content: bytes, key: str = "new", **headers: str) -> httpx.Response:
    payload = headers.pop("payload", "UNSIGNED-PAYLOAD")
    return send(session, "PUT", f"{store.url}/alice/{key}", content, headers=headers, payload=payload)


BIG = bytes(range(256)) * 4096 * 5
"""5 MiB: goes to rclone while it is being verified."""
BODIES = {"small": b"body", "large": BIG, "empty": b""}


@pytest.mark.parametrize("size", BODIES)
@pytest.mark.parametrize("algorithm", ["crc32", "sha1", "sha256", "md5", "payload"])
def test_a_right_checksum_is_accepted(store: EmbeddedStore, alice_session: Session, size: str, algorithm: str) -> None:
    content = BODIES[size]
    answer = put(alice_session, store, content, "checked", **checksum(algorithm, content))
    assert answer.status_code == 200, answer.text
    assert (store.buckets / "alice" / "checked").read_bytes() == content


@pytest.mark.parametrize("size", BODIES)
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("crc32", "BadDigest"),
        ("sha1", "BadDigest"),
        ("sha256", "BadDigest"),
        ("md5", "BadDigest"),
        ("payload", "XAmzContentSHA256Mismatch"),
    ],
)
@pytest.mark.usefixtures("absent")
def test_a_wrong_checksum_leaves_no_object(
    store: EmbeddedStore, alice_session: Session, size: str, algorithm: str, expected: str
) -> None:
    answer = put(alice_session, store, BODIES[size], **checksum(algorithm, BODIES[size] + b"!"))
    assert (answer.status_code, code(answer)) == (400, expected), answer.text


def test_a_wrong_checksum_keeps_the_old_object(store: EmbeddedStore, alice_session: Session, alice: Any) -> None:
    alice.put_object(Bucket="alice", Key="old", Body=b"old")
    assert put(alice_session, store, BIG, "old", **checksum("crc32", b"")).status_code == 400
    assert alice.get_object(Bucket="alice", Key="old")["Body"].read() == b"old"


def checksum(algorithm: str, content: bytes) -> dict[str, str]:
    if algorithm == "crc32":
        return {"x-amz-checksum-crc32": crc32(content)}
    if algorithm == "payload":
        return {"payload": sha256(content)}
    value = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    return {"Content-MD5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}": value}


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({"x-amz-checksum-crc32": "AAAA"}, 400, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "not base64"}, 400, "InvalidDigest"),
        ({"Content-MD5": "AAAA"}, 400, "InvalidDigest"),
        ({"x-amz-checksum-crc32c": "AAAAAA=="}, 501, "NotImplemented"),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, 501, "NotImplemented"),
    ],
)
def test_a_checksum_that_cannot_be_verified_is_refused(
    store: EmbeddedStore, alice_session: Session, headers: dict[str, str], status: int, expected: str
) -> None:
    answer = put(alice_session, store, b"body", **headers)
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


@pytest.mark.usefixtures("absent")
def test_an_upload_without_a_length_is_refused(store: EmbeddedStore, alice_session: Session) -> None:
    target = f"{store.url}/alice/new"
    answer = httpx.put(target, headers=signed(alice_session, "PUT", target), content=iter([b"a", b"b"]))
    assert (answer.status_code, code(answer)) == (411, "MissingContentLength")


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("sent", [1, 3 << 20])
def test_a_connection_that_breaks_leaves_no_object(store: EmbeddedStore, alice_session: Session, sent: int) -> None:
    target = httpx.URL(f"{store.url}/alice/new")
    headers = {
        **signed(alice_session, "PUT", str(target)),
        "Host": target.netloc.decode(),
        "Content-Length": str(len(BIG)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((target.host, target.port or 80)) as connection:
        connection.sendall(f"PUT {target.path} HTTP/1.1\r\n{lines}\r\n".encode() + BIG[:sent])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096)[:12] in (b"", b"HTTP/1.1 400")


SIGNED, SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHUNKS = {"one": [b"x" * 70000], "many": [b"a" * 65536, b"b" * 65536, b"c"], "large": [BIG, BIG], "none": []}


def upload(session: Session, store: EmbeddedStore, chunks: list[bytes], kind: str, key: str = "new") -> ChunkedUpload:
    content = b"".join(chunks)
    trailer = "" if kind == SIGNED else f"x-amz-checksum-crc32:{crc32(content)}"
    return ChunkedUpload(session, f"{store.url}/alice/{key}", chunks, trailer)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_a_chunked_upload_is_decoded(store: EmbeddedStore, alice_session: Session, kind: str, chunks: str) -> None:
    answer = upload(alice_session, store, CHUNKS[chunks], kind, "chunked").send(kind)
    assert answer.status_code == 200, answer.text
    assert (store.buckets / "alice" / "chunked").read_bytes() == b"".join(CHUNKS[chunks])


def replace(old: bytes, new: bytes) -> Any:
    def bend(body: bytes) -> bytes:
        assert old in body
        return body.replace(old, new)

    return bend


BENT: dict[str, tuple[str, Any, str]] = {
    "a changed byte, signed": (SIGNED, replace(b"bbbbb\r\n", b"bbbba\r\n"), "SignatureDoesNotMatch"),
    "a changed byte, trailer": (UNSIGNED_TRAILER, replace(b"bbbbb\r\n", b"bbbba\r\n"), "BadDigest"),
    "a changed signature": (SIGNED, replace(b"chunk-signature=", b"chunk-signature=0"), "InvalidRequest"),
    "no signatures": (SIGNED, lambda body: b"10000\r\n" + body.split(b"\r\n", 1)[1], "SignatureDoesNotMatch"),
    "another trailer": (UNSIGNED_TRAILER, replace(b"x-amz-checksum-crc32", b"x-amz-checksum-sha1"), "InvalidRequest"),
    "no trailer": (UNSIGNED_TRAILER, lambda body: body.rpartition(b"x-amz-checksum")[0] + b"\r\n", "BadDigest"),
    "a trailer's signature changed": (
        SIGNED_TRAILER,
        replace(b"trailer-signature:", b"trailer-signature:0"),
        "SignatureDoesNotMatch",
    ),
    "a trailer's value changed": (SIGNED_TRAILER, replace(b"crc32:", b"crc32:A"), "SignatureDoesNotMatch"),
    "shorter than it says": (UNSIGNED_TRAILER, lambda body: body[:70000], "IncompleteBody"),
    "a piece left out": (UNSIGNED_TRAILER, lambda body: body[body.index(b"\r\n1\r\n") :].lstrip(), "IncompleteBody"),
    "no form at all": (UNSIGNED_TRAILER, lambda _: b"just bytes", "IncompleteBody"),
    "a negative length": (UNSIGNED_TRAILER, lambda body: b"-" + body, "InvalidRequest"),
    "an endless head": (UNSIGNED_TRAILER, lambda _: b"0" * 3_000_000 + b"\r\n", "InvalidRequest"),
}


@pytest.mark.parametrize("case", BENT)
@pytest.mark.usefixtures("absent")
def test_a_bent_chunked_upload_leaves_no_object(store: EmbeddedStore, alice_session: Session, case: str) -> None:
    kind, bend, expected = BENT[case]
    answer = upload(alice_session, store, CHUNKS["many"], kind).send(kind, bend)
    assert (answer.status_code < 500, code(answer)) == (True, expected), answer.text


@pytest.mark.usefixtures("absent")
def test_a_large_chunked_upload_with_a_wrong_trailer_leaves_no_object(
    store: EmbeddedStore, alice_session: Session
) -> None:
    made = ChunkedUpload(alice_session, f"{store.url}/alice/new", [BIG] * 3, f"x-amz-checksum-crc32:{crc32(b'other')}")
    assert code(made.send(UNSIGNED_TRAILER)) == "BadDigest"


@pytest.mark.usefixtures("absent")
def test_a_trailer_that_cannot_be_verified_is_refused(store: EmbeddedStore, alice_session: Session) -> None:
    made = ChunkedUpload(alice_session, f"{store.url}/alice/new", [b"x"], "x-amz-checksum-crc32c:AAAAAA==")
    answer = made.send(UNSIGNED_TRAILER)
    assert (answer.status_code, code(answer)) == (501, "NotImplemented")


@pytest.mark.usefixtures("absent")
def test_a_decoded_length_that_is_not_the_contents_is_refused(store: EmbeddedStore, alice_session: Session) -> None:
    made = upload(alice_session, store, [b"12345"], UNSIGNED_TRAILER)
    for length in ("4", "6"):
        assert code(made.send(UNSIGNED_TRAILER, **{"x-amz-decoded-content-length": length})) == "IncompleteBody"


def test_the_chunks_frame_is_not_kept_as_the_objects_encoding(
    store: EmbeddedStore, alice_session: Session, alice: Any
) -> None:
    made = upload(alice_session, store, [b"12345"], UNSIGNED_TRAILER, "framed")
    assert made.send(UNSIGNED_TRAILER, **{"content-encoding": "aws-chunked,gzip"}).status_code == 200
    assert alice.head_object(Bucket="alice", Key="framed")["ContentEncoding"] == "gzip"
