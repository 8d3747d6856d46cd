"""What is refused, and how that is said."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not carried out; nothing was changed.

    Parameters: ``status``, HTTP's; ``text``, for the caller, in Healthchecks' words where it has some; ``pause``, seconds until it may
    be asked again.
    """

    def __init__(self, status: int, text: str, pause: int = 0) -> None:
        super().__init__(text)
        self.status, self.text, self.pause = status, text, pause
