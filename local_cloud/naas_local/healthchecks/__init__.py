"""The embedded Healthchecks: the management API v3 and the ping API of https://healthchecks.io/docs/, with alerts, on SQLite.

One process of ours (`python -m naas_local.healthchecks CONFIG`). Projects and their keys, for which Healthchecks has no API, are made
by whoever has `admin.key` (`naas_local.healthchecks.admin`).
"""

from naas_local.healthchecks.embedded import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.healthchecks.settings import ADMIN_KEY, prepare

__all__ = ["ADMIN_KEY", "EmbeddedHealthchecks", "embedded_healthchecks", "prepare"]
