"""What the image chooser shows of a registry's answer."""

from __future__ import annotations

import re
from pathlib import Path

import naas_spawner
import pytest
from naas_client.languages import Translator
from naas_client.models import ImagePage, ImageTag, RegistryImage, Scan, TagPage
from naas_spawner.chooser import image_rows, patterns_of, tag_rows
from naas_spawner.profiles import Profile

ENGLISH = Translator(Path(naas_spawner.__file__).parent, "en")
IMAGES = ["harbor.example.org/dev/lab", "harbor.example.org/naas/lab", "harborXexample.org/dev/lab", "quay.io/a/b"]


def listed(*patterns: str) -> list[str]:
    page = ImagePage(items=[RegistryImage(image=name) for name in IMAGES], total=4)
    return [row["image"] for row in image_rows(page, patterns)["items"]]


@pytest.mark.parametrize(
    ("pattern", "images"),
    [
        (r"harbor\.example\.org/dev/.+", IMAGES[:1]),
        (r"harbor\.example\.org/dev/lab:2026\..*", IMAGES[:1]),
        (r"harbor\.example\.org/dev/labs?:1", IMAGES[:1]),
        (r"harbor\.example\.org/dev/lab-?r:1", IMAGES[:1]),
        (r"harbor.example.org/dev/.+", [IMAGES[0], IMAGES[1], IMAGES[2]]),
        (r"quay\.io/.+|harbor\.example\.org/dev/.+", IMAGES),
        (r"(harbor|quay).+", IMAGES),
        (r"\w+.*", IMAGES),
        (r"docker\.io/.+", []),
    ],
)
def test_an_image_is_shown_if_some_tag_of_it_may_match(pattern: str, images: list[str]) -> None:
    """It is never hidden when one of its tags would match; it may be shown when none does."""
    assert listed(pattern) == images
    matching = [image for image in IMAGES for tag in ("1", "2026.11") if re.fullmatch(pattern, f"{image}:{tag}")]
    assert set(matching) <= set(images)


def test_tags_say_size_day_scan_and_whether_they_are_open() -> None:
    def tag(name: str, scan: Scan | None) -> ImageTag:
        return ImageTag(reference=f"h.example/x:{name}", tag=name, size=3 * 2**30, scan=scan)

    scans = [
        None,
        Scan(severity="None"),
        Scan(severity="Critical", critical=1, high=1),
        Scan(severity="High", high=4),
    ]
    page = TagPage(items=[tag(str(n), scan) for n, scan in enumerate(scans)], total=4)
    rows = tag_rows(page, [r"h\.example/x:[0-2]"], ENGLISH)["items"]
    assert [row["scan"] for row in rows] == ["not scanned", "nothing serious", "1 critical, 1 high", "4 high"]
    assert [row["level"] for row in rows] == ["idle", "ok", "bad", "warn"]
    assert [row["allowed"] for row in rows] == [True, True, True, False]
    assert rows[0]["detail"] == "3 GiB"


def test_patterns_are_those_of_the_profile_and_the_groups() -> None:
    profile = Profile.model_validate(
        {"slug": "one", "name": "One", "image_pattern": {"developers": "a.+", "testers": "b.+"}}
    )
    assert patterns_of([profile], "one", ["developers"]) == ["a.+"]
    assert patterns_of([profile], "one", []) == []
    assert patterns_of([profile], "two", ["developers"]) == []
