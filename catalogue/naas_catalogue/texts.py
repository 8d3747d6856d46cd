"""Words of other people's files, made harmless: plain text, one meaning, bounded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

from naas_catalogue.documents import plain_text

MAX_LABEL = 200
MAX_TEXT = 4000

_MARKUP = re.compile(r"<[a-zA-Z!/]")
_LINES = re.compile(r"\s*\n\s*")
_SILENT = frozenset({"script", "style", "iframe", "object", "template", "svg", "math", "noscript"})
_BREAKS = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4"})


class _Text(HTMLParser):
    """The words of a piece of HTML. The dashboard prints descriptions as they are, so some hold links and line breaks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the signature is the parser's
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT and self._silent:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


def text(value: object, longest: int = MAX_TEXT) -> str:
    """Plain text without markup and control characters; empty for what is no text."""
    if value is None or isinstance(value, dict | list):
        return ""
    words = plain_text(value)[: 4 * longest]
    if _MARKUP.search(words):
        parser = _Text()
        parser.feed(words)
        parser.close()
        words = "".join(parser.words)
    words = "".join(letter for letter in words if letter.isprintable() or letter == "\n")
    words = _LINES.sub("\n", words).strip()
    return words if len(words) <= longest else words[: longest - 1] + "…"


def label(value: object) -> str:
    """Plain text in one line."""
    return " ".join(text(value, MAX_LABEL).split())


def web_address(value: object) -> str:
    """An http(s) address without name and password in it, or nothing."""
    if not isinstance(value, str) or len(value) > 2000 or not value.isprintable() or " " in value:
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    return value if usable else ""
