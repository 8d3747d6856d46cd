"""The embedded IAM: an OpenID Connect provider with INDIGO IAM's endpoints, token profiles and habits, for one machine.

The provider is a node program (`*.mjs` here, on npm's ``oidc-provider``); Python writes its files and starts it. The password
of a demo user is the name, so the program listens on loopback and nowhere else.
"""

from naas_local.iam.embedded import EmbeddedIam, embedded_iam
from naas_local.iam.part import CLI_CLIENT, prepare
from naas_local.iam.users import DEMO_GROUPS, add_user, set_active, set_groups

__all__ = [
    "CLI_CLIENT",
    "DEMO_GROUPS",
    "EmbeddedIam",
    "add_user",
    "embedded_iam",
    "prepare",
    "set_active",
    "set_groups",
]
