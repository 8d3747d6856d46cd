"""Regular expressions of other people's files, by RE2: time grows with the length of the text, whatever the expression.

Syntax: https://github.com/google/re2/wiki/Syntax. It has no look-around and no back-references.
"""

from __future__ import annotations

import functools
from typing import Protocol, cast

import re2

MAX_LENGTH = 500
"""Characters of an expression."""
_MEMORY = 1024 * 1024


class Pattern(Protocol):
    """A compiled expression."""

    def match(self, text: str) -> object | None:
        """Matches at the beginning."""

    def fullmatch(self, text: str) -> object | None:
        """Matches the whole text."""


@functools.lru_cache(maxsize=2000)
def compiled(expression: str, ours: bool = False) -> Pattern:
    """The expression, ready. Raises ValueError with a sentence for its author.

    Parameters: ``ours``, that it was checked before and may be longer by what we put around it.
    """
    if len(expression) > MAX_LENGTH and not ours:
        raise ValueError(f"the regular expression is longer than {MAX_LENGTH} characters")
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return cast("Pattern", re2.compile(expression, options))
    except re2.error as error:
        why = error.args[0] if error.args else ""
        why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"not a regular expression that RE2 knows ({why})") from None
