"""Who may do what with the platform's API, in JupyterHub's roles and scopes. Each gets the least it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from naas_authenticator.authenticator import OWNERS
from naas_client.collaborations import Collaboration

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

MEMBER_SCOPES = ["access:servers", "servers", "read:users:name"]
"""What a member of a group may do with the user of the group's shared server."""


def roles(admin_groups: Iterable[str], collaborations: Sequence[Collaboration] = ()) -> list[dict[str, Any]]:
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
        *_collaborating(collaborations),
    ]


def _collaborating(collaborations: Sequence[Collaboration]) -> list[dict[str, Any]]:
    """The hub users of shared servers, who use the platform's API, and what the members of each group may do with theirs.

    JupyterHub makes the users from this list (https://jupyterhub.readthedocs.io, "Real-time collaboration without impersonation").
    """
    if not collaborations:
        return []
    members = [
        {
            "name": shared.name,
            "description": f"Members of {shared.group}: open, start and stop the shared server",
            "groups": [shared.group],
            "scopes": [f"{scope}!user={shared.name}" for scope in MEMBER_SCOPES],
        }
        for shared in collaborations
    ]
    users = {"name": "naas-shared-servers", "users": [shared.name for shared in collaborations], "scopes": [USE]}
    return [{**users, "description": "Shared servers of groups"}, *members]
