"""``python -m naas_client.checks.deliver``: send what ended programs have left, while servers are away for at most an hour.

It runs beside no program: who pings and ends does not wait. One such process is enough; the others see that and end.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from naas_client.checks import spool
from naas_client.checks.addresses import folder
from naas_client.checks.pings import GaveUp, Ping, send
from naas_client.errors import NaasError, Unavailable
from naas_client.files import lock

TIME = 3600.0
"""Seconds; what then still waits is tried by the next program that pings."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


def begin() -> None:
    """Start the process; it outlives this one. Raises OSError."""
    nothing = subprocess.DEVNULL
    argv = [sys.executable, "-m", __name__]
    subprocess.Popen(argv, cwd="/", stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def run(limit: float = TIME) -> None:
    """Send until nothing waits, or the time is over. Raises Unavailable when another process does."""
    end, pause = time.monotonic() + limit, FIRST_PAUSE
    with lock(folder() / "deliver.lock", 0, Unavailable("Another process sends what waits.")):
        while spool.look() and time.monotonic() < end:
            if _round():
                pause = FIRST_PAUSE
                continue
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _round() -> bool:
    """Try the oldest ping of each check; whether one is done. Between two pings others can take what waits, and at any time add to it."""
    done = False
    tried: set[str] = set()
    while (ping := _oldest(tried)) is not None:
        tried.add(ping.check)
        with spool.sending():
            if ping not in spool.look():
                continue
            try:
                send(ping)
            except GaveUp:
                pass
            except NaasError:
                continue
            spool.remove(ping)
            done = True
    return done


def _oldest(tried: set[str]) -> Ping | None:
    return next((ping for ping in spool.look() if ping.check not in tried), None)


def main() -> int:
    """Deliver; the exit status."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # `naas ping`, which may have started us, holds signals back
    try:
        run()
    except (NaasError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
