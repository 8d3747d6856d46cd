"""Who may do what with the platform's API, in JupyterHub's roles and scopes. Each gets the least it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from naas_authenticator.authenticator import OWNERS

SERVICE = "naas"
"""Name of the gateway as a service of the hub; its address is ``/services/naas``."""

USE, ADMIN = "custom:naas:use", "custom:naas:admin"

CUSTOM_SCOPES = {
    USE: {"description": "Use the platform's API: storage, tokens, events"},
    ADMIN: {"description": "Administer the platform: audit, metrics"},
}

GATEWAY_SCOPES = ["list:users", "read:servers", "delete:servers"]
"""The gateway looks who has a server, and has the servers of those stopped whose access has ended; nothing else."""

SERVER_SCOPES = ["users:activity!user", "access:servers!server", USE]
"""JupyterHub's own for a person's server, and the platform's API."""


def roles(admin_groups: Iterable[str]) -> list[dict[str, Any]]:
    """The roles to load. Parameters: ``admin_groups``, IAM groups whose members administer the platform."""
    return [
        {"name": "server", "scopes": SERVER_SCOPES},
        {
            "name": "naas-gateway",
            "description": "The platform's gateway",
            "services": [SERVICE],
            "scopes": GATEWAY_SCOPES,
        },
        {
            "name": "naas-admins",
            "description": "Administrators of the platform",
            "groups": [*admin_groups, OWNERS],
            "scopes": [ADMIN],
        },
    ]
