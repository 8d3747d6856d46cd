"""Hub names: safe everywhere, readable, and never the same for two people."""

from __future__ import annotations

import itertools
import re

import pytest
from naas_client.names import RESERVED, hub_name, is_hub_name, is_server_key

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
