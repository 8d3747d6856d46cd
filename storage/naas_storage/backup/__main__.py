"""``python -m naas_storage.backup run|restore|list``: what the server extension starts."""

from __future__ import annotations

from naas_client.errors import NaasError

from naas_storage.backup.commands import backup

if __name__ == "__main__":
    try:
        backup(prog_name="naas backup")
    except NaasError as error:
        raise SystemExit(error.message) from None
