"""The agent's work in a child process that is started again when it is killed, by the out-of-memory killer for example."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable

from naas_client.processes import end_with_parent

CRASHED = 1
"""Exit status of a child that ended by an exception."""
SETTLED, LONGEST_PAUSE = 60.0, 10.0
"""Seconds: a child that lived so long is started again at once; else after a pause that grows to this."""

log = logging.getLogger(__name__)


class Guard:
    """Runs ``work`` until it returns; SIGTERM and SIGINT are passed on to it."""

    def __init__(self, work: Callable[[], int]) -> None:
        self.work = work
        self.child = 0
        self.told_to_end = False

    def run(self) -> int:
        """The exit status of the work."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        code, pause = 0, 0.0
        while not self.told_to_end:
            began = time.monotonic()
            code = self._one_life()
            if self.told_to_end or code not in (CRASHED, *range(-64, 0)):
                return max(code, 0)
            pause = 0.0 if time.monotonic() - began > SETTLED else min(2 * pause + 0.1, LONGEST_PAUSE)
            log.error("the mount agent ended with %d; started again in %.1f s", code, pause)
            time.sleep(pause)
        return max(code, 0)

    def _one_life(self) -> int:
        self.child = os.fork()
        if self.child == 0:
            self._be_the_child()
        if self.told_to_end:
            os.kill(self.child, signal.SIGTERM)  # it came before there was somebody to pass it on to
        _, status = os.waitpid(self.child, 0)
        self.child = 0  # from here on its number may be another process's
        return os.waitstatus_to_exitcode(status)

    def _be_the_child(self) -> None:
        code = CRASHED
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            end_with_parent()
            code = self.work()
        except BaseException:
            log.exception("the mount agent failed")
        finally:
            os._exit(code)  # no exit handlers: they belong to the parent

    def _pass_on(self, _number: int, _frame: object) -> None:
        self.told_to_end = True
        if self.child:
            os.kill(self.child, signal.SIGTERM)
