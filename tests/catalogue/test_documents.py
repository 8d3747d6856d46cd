"""YAML within bounds: what is read as what, and what is refused with its line."""

from __future__ import annotations

import time

import pytest
from naas_catalogue.documents import MAX_DEPTH, Decimal, Unreadable, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes", {"a": True}),
        ("a: 'yes'", {"a": "yes"}),
        ("a: 3", {"a": 3}),
        ("a: -0.5", {"a": -0.5}),
        ("a: 8080:80", {"a": "8080:80"}),
        ("a: 2222:22", {"a": "2222:22"}),
        ("a: 0755", {"a": "0755"}),
        ("a: 2024-01-31", {"a": "2024-01-31"}),
        ("a: 4 GB", {"a": "4 GB"}),
        ("a: ~", {"a": None}),
        ("a: !!str 5", {"a": "5"}),
        ("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}", {"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 3}}),
        ("80: {source: 80}", {"80": {"source": 80}}),
        ("", None),
    ],
)
def test_values_mean_what_their_author_meant(text: str, value: object) -> None:
    assert read(text) == value


def test_a_number_keeps_its_digits() -> None:
    version = read("os_version: 20.10")["os_version"]
    assert isinstance(version, Decimal)
    assert version.written == "20.10"


def test_keys_know_their_lines() -> None:
    document = read("a: 1\nb:\n  c: 2\n")
    assert (document.at("b"), document["b"].at("c")) == (2, 3)


BILLION = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (BILLION, 5, "once every alias is written out"),
        ("a: &a\n  b: *a\n", 2, "holds itself"),
        ("a: *nothing", 1, "has no &nothing"),
        ("a: 1\nb: 2\na: 3", 3, "twice, first on line 1"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: !!python/object/apply:os.system ['id']", 1, "tag"),
        ("a: !!python/name:os.system", 1, "tag"),
        ("a: !include /etc/passwd", 1, "tag"),
        ("[" * 500, 1, f"{MAX_DEPTH} levels"),
        ("? [a, b]\n: c", 1, "must be a word"),
        ("a: {<<: 5}", 1, "merges mappings only"),
        ("a: [1, 2", 2, "Not YAML"),
        ("a: b: c", 1, "Not YAML"),
        ("a: \x00", None, "characters"),
    ],
)
def test_what_is_refused_says_where(text: str, line: int | None, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable, match=words) as refused:
        read(text)
    assert refused.value.line == line
    assert time.monotonic() - began < 5
