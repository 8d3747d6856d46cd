"""Icons of a source: PNG, or SVG that draws and does nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from naas_catalogue.documents import Unreadable
from naas_catalogue.files import MAX_ICON, read_bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = "{http://www.w3.org/2000/svg}"
_DRAWS = frozenset(
    {"svg", "g", "path", "circle", "ellipse", "rect", "line", "polyline", "polygon", "title", "desc", "defs", "style"}
    | {"linearGradient", "radialGradient", "stop", "clipPath", "mask", "text", "tspan"}
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def read_icon(root: Path, path: str) -> tuple[str, bytes]:
    """Media type and content of an icon. Raises Unreadable with a sentence for its author."""
    content = read_bytes(root, path, MAX_ICON)
    if content.startswith(_PNG):
        return "image/png", content
    if not path.lower().endswith(".svg"):
        raise Unreadable("An icon is a PNG or an SVG.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("An SVG icon is in UTF-8.") from None
    if "<!" in _COMMENT.sub("", text) or "<?" in text.removeprefix("\ufeff").lstrip().removeprefix("<?xml "):
        raise Unreadable("An SVG icon has no DOCTYPE, no entities and no processing instructions. Take them away.")
    try:
        tree = ElementTree.fromstring(content)  # noqa: S314 - no entities are left, and the size is bounded
    except ElementTree.ParseError as error:
        raise Unreadable("Not an SVG.", error.position[0]) from None
    for element in tree.iter():
        _check(element)
    return "image/svg+xml", content


def _check(element: ElementTree.Element) -> None:
    name = element.tag if isinstance(element.tag, str) else ""
    if not name.startswith(_SVG) or name.removeprefix(_SVG) not in _DRAWS:
        raise Unreadable(f"An SVG icon has only shapes; take away {name.rpartition('}')[2][:40] or 'what is not one'}.")
    for key, value in element.attrib.items():
        word = key.rpartition("}")[2].lower()
        if word.startswith("on") or (word == "href" and not value.startswith("#")) or _fetches(value):
            raise Unreadable(f"An SVG icon does nothing and fetches nothing; take away {word[:40]}.")
    if name == f"{_SVG}style" and _fetches(element.text or ""):
        raise Unreadable("An SVG icon fetches nothing; take the address out of its style.")


def _fetches(style: str) -> bool:
    """Whether a value or a style may fetch or run something. A backslash can hide any word of CSS."""
    text = style.lower()
    return "url(" in text.replace("url(#", "") or any(word in text for word in ("\\", "@import", "javascript:"))
