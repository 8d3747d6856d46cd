"""`python -m naas_hub`: JupyterHub with the settings that ``NAAS_CONFIG`` names; more arguments go to JupyterHub."""

import sys
from pathlib import Path

# jsonschema then does without its checks of internationalised addresses, whose grammars take half of the hub's start to build
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyterhub.app import main  # noqa: E402 - after the line above

CONFIG_FILE = Path(__file__).with_name("jupyterhub_config.py")

if __name__ == "__main__":
    main(["--config", str(CONFIG_FILE), *sys.argv[1:]])
