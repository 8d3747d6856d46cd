"""The traits of `IAMAuthenticator`, and what is refused at the start rather than at the first sign-in."""

from __future__ import annotations

from pathlib import Path

from naas_client.settings import IamSection, read_secret
from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import AsyncHTTPClient
from traitlets import Dict, List, Set, TraitError, Unicode, default

from naas_authenticator.iam import LONGEST_ANSWER

NOT_OURS = {
    "allow_all": "name the groups of those who may come in: allowed_groups",
    "allow_existing_users": "membership in a group decides each time: allowed_groups",
    "allowed_users": "use allowed_groups, or owners for single people",
    "admin_users": "use admin_groups, or owners for single people",
    "allowed_scopes": "use allowed_groups",
    "username_claim": "the gateway fixes the name at the first sign-in",
    "username_map": "the gateway fixes the name at the first sign-in",
    "claim_groups_key": "both group formats of IAM are read",
    "auth_state_groups_key": "both group formats of IAM are read",
    "userdata_from_id_token": "ID token and userinfo are both read and compared",
    "userdata_params": "set scope",
    "userdata_token_method": "a token never goes into an address",
    "token_params": "set scope",
    "basic_auth": "the client's secret always goes in the header",
    "enable_pkce": "PKCE is always on",
    "client_secret": "write it to a file of mode 0600 and name that: client_secret_file",
    "authorize_url": "set issuer: addresses come from its discovery document",
    "token_url": "set issuer: addresses come from its discovery document",
    "userdata_url": "set issuer: addresses come from its discovery document",
    "modify_auth_state_hook": "no token ever is in auth_state",
    "refresh_user_hook": "the gateway is asked for the claims",
    "custom_403_message": "the refusal page says which groups open the service",
}
"""Inherited traits that would do nothing here, or undo a rule; setting one stops the start with this remedy."""


class IAMConfiguration(GenericOAuthenticator):
    """What can be set: ordinary traits, as ``c.IAMAuthenticator.…``."""

    issuer = Unicode(
        config=True,
        help="""
        Address of IAM as its discovery document has it; a slash at the end does not matter. All endpoints come from
        there. It must be set, for example::

            c.IAMAuthenticator.issuer = "https://iam.cloud.infn.it"
        """,
    )
    client_secret_file = Unicode(
        config=True,
        help="""
        File of mode 0600 with the secret of this client. It is read at each sign-in, so that a new secret needs no
        restart. A missing, open or default secret stops the start.
        """,
    )
    owners = Set(
        Unicode(),
        config=True,
        help="""
        Subjects (`sub`) that are always admitted, as administrators, whatever their groups: the way in for whoever runs
        the service when groups are wrong.
        """,
    )
    gateway_url = Unicode(
        "http://127.0.0.1:8183",
        config=True,
        help="""Address of the gateway without the path of its API. It keeps the tokens and gives each person their name.""",
    )
    gateway_token_file = Unicode(
        config=True,
        help="""File of mode 0600 with the token that hub and gateway share. It is read once, at the start.""",
    )
    group_texts = Dict(
        config=True,
        help="""
        What the refusal page says about a group: group name to `description` and `join_url` (where to ask for membership;
        default: IAM's own page). For example::

            c.IAMAuthenticator.group_texts = {"users/naas": {"description": "Notebooks", "join_url": "https://..."}}
        """,
    )
    contact = Unicode(config=True, help="""Whom people may write to; shown when somebody is refused. Empty: nobody.""")
    scope = List(
        Unicode(),
        ["openid", "profile", "email", "offline_access"],
        config=True,
        help="""
        Scopes to ask IAM for. `openid` is a must, `offline_access` gives the grant that renews itself. Add `wlcg` and
        `wlcg.groups` for the WLCG token profile.
        """,
    )
    allowed_groups = Set(
        Unicode(), config=True, help="""IAM groups, without leading slash, whose members may use the service."""
    )
    admin_groups = Set(
        Unicode(),
        config=True,
        help="""IAM groups, without leading slash, whose members may use and administer the service.""",
    ).tag(allow_config=True)

    @default("login_service")
    def _login_service(self) -> str:
        return "INDIGO IAM"

    @default("manage_groups")
    def _manage_groups(self) -> bool:
        return True

    @default("enable_auth_state")
    def _enable_auth_state(self) -> bool:
        return True

    @default("refresh_pre_spawn")
    def _refresh_pre_spawn(self) -> bool:
        return True

    @default("auth_refresh_strict")
    def _auth_refresh_strict(self) -> bool:
        return True

    @default("http_client")
    def _default_http_client(self) -> AsyncHTTPClient:
        limits = {"connect_timeout": 5.0, "request_timeout": 10.0, "validate_cert": self.validate_server_cert}
        return AsyncHTTPClient(force_instance=True, max_body_size=LONGEST_ANSWER, defaults=limits)

    @property
    def rule(self) -> IamSection:
        """Who may come in and who administers, as the settings of the whole product have it."""
        return IamSection(
            issuer=self.issuer,
            allowed_groups=sorted(self.allowed_groups),
            admin_groups=sorted(self.admin_groups),
            owners=sorted(self.owners),
        )

    def check_settings(self) -> None:
        """Refuse at the start what would fail, or be ignored, at a sign-in."""
        for name, remedy in NOT_OURS.items():
            if any(name in self.config[cls.__name__] for cls in type(self).mro() if cls.__name__ in self.config):
                raise TraitError(f"IAMAuthenticator.{name} cannot be set: {remedy}.")
        for name in ("issuer", "client_id", "client_secret_file", "gateway_url", "gateway_token_file"):
            if not getattr(self, name):
                raise TraitError(f"IAMAuthenticator.{name} is missing: `jupyterhub --help-all` describes it.")
        if "openid" not in self.scope:
            raise TraitError("IAMAuthenticator.scope needs `openid`: without it IAM does not prove who signed in.")
        if not (self.allowed_groups or self.admin_groups or self.owners):
            raise TraitError("Nobody could sign in: set IAMAuthenticator.allowed_groups, admin_groups or owners.")
        self.read_client_secret()

    def read_client_secret(self) -> str:
        """The client's secret as it is in its file now. Raises InvalidInput when it is missing, open to others or weak."""
        return read_secret(Path(self.client_secret_file), "IAMAuthenticator.client_secret_file")
