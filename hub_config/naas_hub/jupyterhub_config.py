"""The configuration file that `python -m naas_hub` gives to JupyterHub."""

import sys

from naas_client.errors import NaasError

from naas_hub import configure

try:
    configure(get_config())  # type: ignore[name-defined]  # noqa: F821 - traitlets provides it
except NaasError as error:
    sys.exit(error.message)
