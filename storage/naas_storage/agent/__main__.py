"""``python -m naas_storage.agent PLAN.json``."""

import sys

from naas_storage.agent.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
