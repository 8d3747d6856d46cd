"""Who gets temporary credentials, and whose bucket they are for."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from naas_client.names import hub_name
from naas_local.store import EmbeddedStore, embedded_store
from s3_people import assume_role, refusal, s3_client
from token_issuer import SUBJECTS, TokenIssuer

pytestmark = pytest.mark.server


def ask(store: EmbeddedStore, token: str, **changes: str) -> httpx.Response:
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": store.role_arn,
        "RoleSessionName": "alice",
        "WebIdentityToken": token,
        **changes,
    }
    return httpx.post(store.url, data={name: value for name, value in form.items() if value})


def test_a_good_token_gives_a_session_of_its_length(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    session = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=900)
    left = (session["Expiration"] - dt.datetime.now(dt.UTC)).total_seconds()
    assert 890 < left <= 900
    assert s3_client(store.url, session).list_buckets()["Owner"]["ID"] == "alice"


def test_the_answer_names_subject_audience_and_role(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    text = ask(store, issuer.token("alice")).text
    assert f"<SubjectFromWebIdentityToken>{SUBJECTS['alice']}</SubjectFromWebIdentityToken>" in text
    assert "<Audience>object</Audience>" in text
    assert "<Arn>arn:aws:sts:::assumed-role/IAMaccess/alice</Arn>" in text


FOREIGN = TokenIssuer.new_key("key-1")
UNPUBLISHED = TokenIssuer.new_key("key-9")
TOKENS: dict[str, tuple[Any, int, str]] = {
    "another issuer": ({"iss": "http://127.0.0.1:1"}, 400, "InvalidIdentityToken"),
    "no issuer": ({"iss": None}, 400, "InvalidIdentityToken"),
    "another audience": ({"aud": "naas"}, 400, "InvalidIdentityToken"),
    "no audience": ({"aud": None}, 400, "InvalidIdentityToken"),
    "audience is a part of the word": ({"aud": "objects"}, 400, "InvalidIdentityToken"),
    "expired": ({"exp": int(time.time()) - 1}, 400, "ExpiredTokenException"),
    "no expiry": ({"exp": None}, 400, "InvalidIdentityToken"),
    "expiry is text": ({"exp": "9999999999"}, 400, "InvalidIdentityToken"),
    "not yet valid": ({"nbf": int(time.time()) + 86_400}, 400, "InvalidIdentityToken"),
    "no subject": ({"sub": None}, 400, "InvalidIdentityToken"),
    "no name": ({"preferred_username": None}, 400, "InvalidIdentityToken"),
    "groups as a string": ({"groups": "users/s3"}, 400, "InvalidIdentityToken"),
    "groups of numbers": ({"groups": [1]}, 400, "InvalidIdentityToken"),
    "not in a storage group": ({"groups": ["users/naas"]}, 403, "AccessDenied"),
    "a group that only begins alike": ({"groups": ["users/s3/guests", "users"]}, 403, "AccessDenied"),
    "no groups": ({"groups": None}, 403, "AccessDenied"),
    "empty wlcg.groups": ({"groups": None, "wlcg.groups": []}, 403, "AccessDenied"),
    "another key of the same name": ({"key": FOREIGN}, 400, "InvalidIdentityToken"),
    "a key that is not published": ({"key": UNPUBLISHED}, 400, "InvalidIdentityToken"),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_bad_token_is_refused(store: EmbeddedStore, issuer: TokenIssuer, case: str) -> None:
    changes, status, code = TOKENS[case]
    issuer.userinfo = {"sub": SUBJECTS["alice"]}
    answer = ask(store, issuer.token("alice", **changes))
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True), answer.text
    assert "SecretAccessKey" not in answer.text


def handmade(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """A JWT that no library would make: without a signature, or with the public key as an HMAC secret."""
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    mac = hmac.digest(secret, head + b"." + body, "sha256") if secret else b""
    return b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    "make", ["not a token", "", "a.b.c", "none", "hs256", "20 000 characters", "cut", "swapped claims"]
)
def test_what_is_no_signed_token_is_refused(store: EmbeddedStore, issuer: TokenIssuer, make: str) -> None:
    good, claims = issuer.token("alice"), issuer.claims("alice")
    other, kid = issuer.token("bob"), issuer.keys[-1].kid
    token = {
        "none": handmade({"alg": "none", "kid": kid}, claims),
        "hs256": handmade({"alg": "HS256", "kid": kid}, claims, issuer.keys[-1].as_pem(private=False)),
        "20 000 characters": good + "x" * 20000,
        "cut": good[:-10],
        "swapped claims": ".".join([good.split(".")[0], other.split(".")[1], good.split(".")[2]]),
    }.get(make, make)
    answer = ask(store, token)
    assert (answer.status_code, "<Code>InvalidIdentityToken</Code>" in answer.text) == (400, True), answer.text


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"RoleArn": "arn:aws:iam:::role/admin"}, 403, "AccessDenied"),
        ({"RoleArn": ""}, 403, "AccessDenied"),
        ({"RoleSessionName": "a"}, 400, "ValidationError"),
        ({"RoleSessionName": "a/b"}, 400, "ValidationError"),
        ({"RoleSessionName": "x" * 65}, 400, "ValidationError"),
        ({"RoleSessionName": "<b>"}, 400, "ValidationError"),
        ({"DurationSeconds": "14"}, 400, "ValidationError"),
        ({"DurationSeconds": "-900"}, 400, "ValidationError"),
        ({"DurationSeconds": "1e9"}, 400, "ValidationError"),
        ({"Policy": "{}"}, 400, "ValidationError"),
        ({"Action": "AssumeRole"}, 403, "AccessDenied"),
        ({"Action": "GetSessionToken"}, 400, "InvalidAction"),
        ({"Version": "2010-05-08"}, 400, "InvalidAction"),
        ({"Padding": "x" * 100_000}, 400, "ValidationError"),
    ],
)
def test_a_bad_wish_is_refused(
    store: EmbeddedStore, issuer: TokenIssuer, changes: dict[str, str], status: int, code: str
) -> None:
    answer = ask(store, issuer.token("alice"), **changes)
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    ("session", "tag", "key", "status"),
    [
        ("collab--cygno", "cygno", "right", 200),
        ("collab--cygno", "cygno", "wrong", 403),
        ("collab--cygno", "cygno", "none", 403),
        ("alice", "cygno", "right", 400),
        ("collab--cygno", "admins", "right", 400),
        ("collab--cygno", "", "right", 400),
    ],
)
def test_a_shared_server_gets_a_session_on_the_gateways_word_alone(
    store: EmbeddedStore, session: str, tag: str, key: str, status: int
) -> None:
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": store.role_arn, "RoleSessionName": session}
    form |= {"Tags.member.1.Key": "group", "Tags.member.1.Value": tag}
    secret = {"right": store.admin_key_file.read_text().strip(), "wrong": "x" * 64, "none": "none"}[key]
    answer = httpx.post(store.url, data=form, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == status, answer.text
    assert ("<SecretAccessKey>" in answer.text) == (status == 200)


def test_a_longer_wish_is_cut_to_what_the_store_allows(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    text = ask(store, issuer.token("alice"), DurationSeconds="99999").text
    end = dt.datetime.fromisoformat(text.split("<Expiration>")[1].split("<")[0])
    assert 43190 < (end - dt.datetime.now(dt.UTC)).total_seconds() <= 43200


@pytest.mark.parametrize(
    "groups",
    [{"groups": None, "wlcg.groups": ["/users/s3"]}, {"groups": ["/users/s3"]}, {"groups": ["x", "users/s3"]}],
)
def test_groups_of_both_token_profiles_count(store: EmbeddedStore, issuer: TokenIssuer, groups: dict[str, Any]) -> None:
    assert ask(store, issuer.token("alice", **groups)).status_code == 200


def test_a_list_of_audiences_counts(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    assert ask(store, issuer.token("alice", aud=["naas", "object"])).status_code == 200


def test_what_the_token_leaves_out_is_asked_from_userinfo(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    bare = issuer.token("bob", preferred_username=None, groups=None)
    issuer.userinfo = {"sub": SUBJECTS["bob"], "preferred_username": "bob", "groups": ["users/s3"]}
    assert "<AssumedRoleId>bob:" in ask(store, bare).text
    issuer.userinfo = {"sub": SUBJECTS["alice"], "preferred_username": "alice", "groups": ["users/s3"]}
    assert ask(store, bare).status_code == 400


def test_a_new_key_of_the_issuer_is_found_and_a_forged_one_does_not_make_us_hammer_it(
    store: EmbeddedStore, issuer: TokenIssuer
) -> None:
    assert ask(store, issuer.token("alice")).status_code == 200
    before = len(issuer.requests)
    for _ in range(20):
        ask(store, issuer.token("alice", key=UNPUBLISHED))
    assert len(issuer.requests) - before <= 2
    issuer.keys.append(issuer.new_key("key-2"))
    end = time.monotonic() + 15
    while ask(store, issuer.token("alice")).status_code != 200:
        assert time.monotonic() < end, "the store did not read the issuer's new key within 15 s"
        time.sleep(0.2)


def test_the_session_name_is_not_trusted(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    session = assume_role(store.url, issuer.token("alice"), store.role_arn, name="bob")
    assert s3_client(store.url, session).list_buckets()["Owner"]["ID"] == "alice"


def test_another_subject_does_not_get_a_name_that_is_taken(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    assert ask(store, issuer.token("alice")).status_code == 200
    answer = ask(store, issuer.token("mallory", preferred_username="alice"))
    assert (answer.status_code, "belongs to another identity" in answer.text) == (403, True)


def test_a_rename_in_iam_keeps_the_bucket(store: EmbeddedStore, issuer: TokenIssuer) -> None:
    assume_role(store.url, issuer.token("alice"), store.role_arn)
    renamed = assume_role(store.url, issuer.token("alice", preferred_username="alicia"), store.role_arn)
    assert s3_client(store.url, renamed).list_buckets()["Owner"]["ID"] == "alice"


@pytest.mark.parametrize("name", ["Ann.Lee", "scratch", "../bob", "аlice", "x" * 300])
def test_an_unusual_name_gets_the_same_bucket_name_as_on_the_hub(
    store: EmbeddedStore, issuer: TokenIssuer, name: str
) -> None:
    token = issuer.token("alice", sub=f"sub-of-{name}", preferred_username=name)
    client = s3_client(store.url, assume_role(store.url, token, store.role_arn))
    assert refusal(lambda: client.create_bucket(Bucket=hub_name(name))) == "allowed"
    assert (store.buckets / hub_name(name)).is_dir()


def test_the_shared_buckets_name_is_nobodys(issuer: TokenIssuer, tmp_path: Path) -> None:
    with embedded_store(tmp_path, issuer.url, scratch_bucket="commons") as store:
        answer = ask(store, issuer.token("mallory", preferred_username="commons"))
        assert answer.status_code == 403


def test_iam_away_is_said_and_worth_a_retry(tmp_path: Path, issuer: TokenIssuer) -> None:
    with embedded_store(tmp_path, "http://127.0.0.1:9") as store:
        answer = ask(store, issuer.token("alice"))
        assert (answer.status_code, "IDPCommunicationError" in answer.text) == (400, True)


def test_no_group_named_means_everyone_with_a_token(tmp_path: Path, issuer: TokenIssuer) -> None:
    with embedded_store(tmp_path, issuer.url, storage_groups=[]) as store:
        assert ask(store, issuer.token("erin", groups=[])).status_code == 200
