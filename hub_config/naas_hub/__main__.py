"""`python -m naas_hub`: JupyterHub with the settings that ``NAAS_CONFIG`` names; more arguments go to JupyterHub."""

import sys
from pathlib import Path

from naas_client.jupyter import skip_slow_import

skip_slow_import()

from jupyterhub.app import main  # noqa: E402 - after the line above

CONFIG_FILE = Path(__file__).with_name("jupyterhub_config.py")

if __name__ == "__main__":
    main(["--config", str(CONFIG_FILE), *sys.argv[1:]])
