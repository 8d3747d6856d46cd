"""Groups and names from IAM's answers, in both token profiles; malformed ones are refused as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from naas_client.claims import claims_from, groups_from, same_issuer
from naas_client.errors import InvalidInput


@pytest.mark.parametrize(
    ("document", "groups"),
    [
        ({}, []),
        ({"groups": []}, []),
        ({"groups": None}, []),
        ({"groups": ["users/naas", "admins"]}, ["admins", "users/naas"]),
        ({"wlcg.groups": ["/users/naas", "/admins"]}, ["admins", "users/naas"]),
        ({"groups": ["a"], "wlcg.groups": ["/a", "/b"]}, ["a", "b"]),
        ({"groups": ["//a"]}, ["a"]),
        ({"groups": ["Älpha group"]}, ["Älpha group"]),
    ],
)
def test_groups_of_both_profiles(document: dict[str, Any], groups: list[str]) -> None:
    assert groups_from(document) == groups


@pytest.mark.parametrize("claim", ["groups", "wlcg.groups"])
@pytest.mark.parametrize(
    "value",
    [
        "admins",
        {"admins": True},
        7,
        True,
        [7],
        [None],
        [["admins"]],
        [""],
        ["/"],
        ["x" * 256],
        ["a\nb"],
        [str(number) for number in range(1001)],
    ],
    ids=str,
)
def test_malformed_groups(claim: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="cannot be used") as caught:
        groups_from({claim: value})
    assert caught.value.code == "malformed-claims"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"preferred_username": ["alice"]},
        {"email": "x" * 1001},
    ],
    ids=str,
)
def test_malformed_persons(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        claims_from({"sub": "s", "preferred_username": "alice", **changes}, "https://iam.example.org/")


def test_the_issuer_is_kept_without_its_slash() -> None:
    assert claims_from({"sub": "s"}, "https://iam.example.org/").issuer == "https://iam.example.org"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://iam.example.org", "https://iam.example.org/", True),
        ("https://iam.example.org", "https://iam.example.org.evil.example", False),
        ("https://iam.example.org", "http://iam.example.org", False),
        ("https://iam.example.org/a", "https://iam.example.org/b", False),
    ],
)
def test_issuers(one: str, other: str, same: bool) -> None:
    assert same_issuer(one, other) is same
