"""Tell a healthcheck how work goes, from any Python program. Nothing here changes what the work does, returns or raises.

::

    from naas_client.checks import healthcheck

    with healthcheck("nightly calibration"):
        calibrate()

    @healthcheck("nightly calibration")
    def calibrate(): ...

A check is named by its name, and is then made at its first use, or by its ping address. Pings are sent by a thread in the background. While
the server is away they wait, are tried again, and say that they are late when they arrive; what still waits when the program ends
is sent by a process of its own.
"""

from naas_client.checks.pings import Ping
from naas_client.checks.runs import Run, healthcheck, ping
from naas_client.checks.sender import flush, waiting

__all__ = ["Ping", "Run", "flush", "healthcheck", "ping", "waiting"]
