"""Hub names: safe everywhere, readable, and never the same for two people."""

from __future__ import annotations

import itertools
import re

import pytest
from naas_client.names import RESERVED, collaboration_name, hub_name, is_collaboration, is_hub_name, is_server_key

STRANGE = [
    "a/b", "../etc", "..", ".", "", " ", "Alice", "ALICE", "alice.rossi", "alice_rossi", "alice rossi", "alice--rossi", "-alice", "alice-",
    "аlice", "ａｌｉｃｅ", "álice", "aliçe", "x" * 300, "scratch", "root", "hub", "scratch-alice", "1alice", "al", "user@infn.it", "a\x00b",
    "<script>", "alice\n", "%2e%2e", "日本語", "\ud800", "xn--alice", "alice---0123456789",
]  # fmt: skip


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "alice-rossi", "a1b2", "x" * 40])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert hub_name(name) == name


def test_a_name_that_the_site_keeps_is_nobodys() -> None:
    assert hub_name("cygno", {"cygno"}).startswith("cygno---")
    assert hub_name("cygno-data", {"cygno"}) == "cygno-data"


@pytest.mark.parametrize("name", STRANGE)
def test_any_other_name_becomes_a_safe_one(name: str) -> None:
    result = hub_name(name)
    assert result != name
    assert is_hub_name(result)
    assert re.fullmatch(r"[a-z0-9-]{3,63}", result)
    assert result not in RESERVED


def test_no_two_names_collide() -> None:
    names = [*STRANGE, "alice", "bob", *("".join(letters) for letters in itertools.product("aA._-", repeat=4))]
    assert len({hub_name(name) for name in names}) == len(names)


def test_a_mangled_name_cannot_be_claimed_as_a_plain_one() -> None:
    victim = hub_name("Alice")
    assert hub_name(victim) != victim


@pytest.mark.parametrize("name", ["scratch", "root", "a/b", "..", "Alice", "", "a" * 64, "alice--x", "alice\n"])
def test_what_is_no_hub_name_is_recognised(name: str) -> None:
    assert not is_hub_name(name)


@pytest.mark.parametrize(
    ("group", "name"),
    [("cygno", "collab--cygno"), ("users/ml-infn", "collab--users--ml-infn"), ("2d", "collab--2d")],
)
def test_the_shared_server_of_a_group_is_called_after_it(group: str, name: str) -> None:
    assert collaboration_name(group) == name


GROUPS = [
    *(
        "users/naas",
        "users-naas",
        "users--naas",
        "users/naas/",
        "Users/naas",
        "users.naas",
        "a/b/c",
        "a-b/c",
        "a/b-c",
        "a--b/c",
    ),
    *("cygno", "---0123456789", "x---0123456789", "é", "日本語", "..", "a/../b", "x" * 200, "x/" * 60 + "x"),
]


@pytest.mark.parametrize("group", GROUPS)
def test_no_person_is_called_like_a_shared_server(group: str) -> None:
    name = collaboration_name(group)
    assert is_hub_name(name)
    assert is_collaboration(name)
    assert is_server_key(name)
    for preferred in (name, group, f"collab--{group}", f"collab-{group}", name.upper(), "collab"):
        assert not is_collaboration(hub_name(preferred))


def test_no_two_groups_have_the_same_shared_server() -> None:
    groups = [*GROUPS, *("".join(letters) for letters in itertools.product("aA-/.", repeat=4))]
    assert len({collaboration_name(group) for group in groups}) == len(groups)


@pytest.mark.parametrize(
    "name", ["collab", "collab-x", "collab--", "collab---0123456789", "collab--x-", "collab--X", "x--y"]
)
def test_what_is_no_shared_server_is_recognised(name: str) -> None:
    assert not is_collaboration(name)


@pytest.mark.parametrize(
    ("key", "valid"),
    [
        ("alice", True),
        ("alice.gpu-2", True),
        ("alice.", False),
        ("alice.../x", False),
        ("alice.2nd", False),
        ("alice." + "x" * 31, False),
        ("alice\n", False),
        ("root", False),
        ("al", False),
        ("", False),
    ],
)
def test_the_key_of_a_server_is_a_hub_name_and_perhaps_a_server_name(key: str, valid: bool) -> None:
    assert is_server_key(key) is valid
