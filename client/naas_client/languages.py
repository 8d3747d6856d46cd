"""The languages of everything a person reads on pages of ours: English is the key, other languages are catalogues.

A catalogue is ``locale/<language>.json`` in a package: English sentence → translated sentence. Placeholders are
``{name}``. A sentence without translation is shown in English, never as a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

LANGUAGES = {"en": "English", "it": "Italiano"}
"""Code → the language's own name."""

COOKIE = "naas_lang"
"""Cookie with the language a person chose; without it the browser's ``Accept-Language`` decides."""

_ACCEPTED = re.compile(r"\s*([a-z]{2,3})(?:-[a-z0-9-]{1,20})?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*", re.IGNORECASE)


def preferred(cookie: str, accept_language: str) -> str:
    """The language for a request: the person's choice, else the best of ``Accept-Language`` (RFC 9110 §12.5.4), else English."""
    if cookie in LANGUAGES:
        return cookie
    wishes: dict[str, float] = {}
    for part in accept_language[:500].split(","):
        if match := _ACCEPTED.fullmatch(part):
            wishes.setdefault(match[1].lower(), float(match[2] or 1))
    known = {language: weight for language, weight in wishes.items() if language in LANGUAGES and weight > 0}
    return max(known, key=known.__getitem__, default="en")


@lru_cache(maxsize=32)
def _catalogue(folder: Path, language: str) -> Mapping[str, str]:
    path = folder / "locale" / f"{language}.json"
    if language not in LANGUAGES or not path.exists():
        return {}
    entries: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return entries


class Translator:
    """Sentences of one package in one language.

    Parameters: ``folder``, the package's folder (its ``locale`` is read once per process); ``language``, one of
    `LANGUAGES`, anything else means English.
    """

    def __init__(self, folder: Path, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._entries = _catalogue(folder, self.language)

    def __call__(self, text: str, /, **values: object) -> str:
        """The sentence with its placeholders filled.

        When a value is markup (it has ``__html__``), the result is markup of the same type with all other values escaped.
        """
        text = self._entries.get(text, text)
        kinds: list[type[str]] = [type(value) for value in values.values() if isinstance(value, str)]
        kind = next((kind for kind in kinds if hasattr(kind, "__html__")), str)
        return kind(text).format(**values) if values else text

    def plural(self, one: str, many: str, n: float, **values: object) -> str:
        """``one`` for exactly 1, else ``many``; the number is the placeholder ``{n}``. Right for English and Italian."""
        return self(one if n == 1 else many, n=f"{n:g}", **values)
