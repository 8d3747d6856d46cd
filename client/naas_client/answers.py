"""Whether something answers, in one look: for supervisors, and for the health checks of containers (``python -m naas_client.answers``)."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from naas_client.sockets import connect

LOOK_LIMIT = 2.0
"""Seconds for one look."""


def answers(what: str | Path) -> bool:
    """Whether it answers now. Parameters: ``what``, the path of a Unix socket that accepts, or an http address that answers below 500
    and not 404 (a proxy without the route).
    """
    try:
        if isinstance(what, Path):
            connect(what, LOOK_LIMIT).close()
            return True
        with urllib.request.urlopen(what, timeout=LOOK_LIMIT) as answer:  # noqa: S310 - an address of this machine, from our own settings
            return bool(answer.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500 and error.code != 404
    except (OSError, ValueError):
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when it answers, else 1."""
    (what,) = sys.argv[1:] if argv is None else argv
    return 0 if answers(what if what.startswith("http") else Path(what)) else 1


if __name__ == "__main__":
    sys.exit(main())
