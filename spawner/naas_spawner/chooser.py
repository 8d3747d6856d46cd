"""What the image chooser of the spawn page shows: images and tags of the site's registries, as a person may start them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from typing import Any

from naas_client.languages import Translator
from naas_client.models import ImagePage, ImageTag, Scan, TagPage
from naas_client.sizes import format_size

from naas_spawner.options import custom_patterns
from naas_spawner.profiles import Profile

_PLAIN = re.compile(r"(?:[\w/:-]|\\[./:_-])*", re.ASCII)
_COUNTED = re.compile(r"[?*{]")


def patterns_of(profiles: Sequence[Profile], slug: str, groups: Collection[str]) -> list[str]:
    """What an image of one's own must match in a profile; nothing where a person may have none."""
    profile = next((one for one in profiles if one.slug == slug), None)
    return custom_patterns(profile, set(groups)) if profile else []


def image_rows(page: ImagePage, patterns: Sequence[str]) -> dict[str, Any]:
    """Images that may have a tag which matches a pattern."""
    starts = [_beginning(pattern) for pattern in patterns]
    rows = [
        {"image": one.image, "description": one.description}
        for one in page.items
        if any(f"{one.image}:".startswith(start) or start.startswith(f"{one.image}:") for start in starts)
    ]
    return {"items": rows, "next": page.next, "troubles": page.troubles}


def _beginning(pattern: str) -> str:
    """The plain text with which everything that a pattern matches begins."""
    if "|" in pattern:
        return ""
    found = _PLAIN.match(pattern)
    text = found[0] if found else ""
    if _COUNTED.match(pattern, len(text)):
        text = text[: -2 if text[-2:-1] == "\\" else -1]
    return text.replace("\\", "")


def tag_rows(page: TagPage, patterns: Sequence[str], _: Translator) -> dict[str, Any]:
    """Tags with what a person wants to know of them, in their language; `allowed`: whether it matches a pattern."""
    rows = [
        {
            "tag": one.tag,
            "reference": one.reference,
            "detail": " · ".join(_detail(one)),
            "scan": _scan(one.scan, _),
            "scanned": _scanned(one.scan, _),
            "level": _level(one.scan),
            "allowed": any(re.fullmatch(pattern, one.reference) for pattern in patterns),
        }
        for one in page.items
    ]
    return {"items": rows, "next": page.next, "troubles": page.troubles}


def _detail(tag: ImageTag) -> list[str]:
    return [*([format_size(tag.size)] if tag.size else []), *([_day(tag.pushed_at)] if tag.pushed_at else [])]


def _day(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _scan(scan: Scan | None, _: Translator) -> str:
    if scan is None:
        return _("not scanned")
    critical = [_.plural("1 critical", "{n} critical", scan.critical)] if scan.critical else []
    high = [_.plural("1 high", "{n} high", scan.high)] if scan.high else []
    return ", ".join([*critical, *high]) or _("nothing serious")


def _scanned(scan: Scan | None, _: Translator) -> str:
    """The same as a sentence of its own; empty where nothing was scanned."""
    if scan is None or scan.scanned_at is None:
        return ""
    return _("Scanned {day}: {found}", day=_day(scan.scanned_at), found=_scan(scan, _))


def _level(scan: Scan | None) -> str:
    """The colour of a scan: of an icon on the page."""
    if scan is None:
        return "idle"
    return "bad" if scan.critical else "warn" if scan.high else "ok"
