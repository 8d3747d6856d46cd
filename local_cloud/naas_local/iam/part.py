"""The embedded IAM as a part of the product: its files, its clients, its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from naas_client.errors import InvalidInput, Unavailable
from naas_client.files import write_private_json
from naas_client.processes import find_program

from naas_local.iam.keys import write_keys
from naas_local.iam.users import write_demo_users
from naas_local.parts import PartSpec
from naas_local.ports import LOOPBACK

PROGRAM = Path(__file__).with_name("main.mjs")
MODULES = Path(__file__).parents[2] / "node_modules"
CLI_CLIENT = "naas-cli"
"""The public client of the command line: device flow (RFC 8628), no secret."""

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type's name (RFC 8693)
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = "openid profile email offline_access wlcg wlcg.groups"


def prepare(
    data: Path,
    port: int,
    *,
    hub_url: str,
    client_id: str,
    client_secret: str,
    client_name: str = "Cloud notebooks",
    access_token_seconds: int = 3600,
    refresh_token_seconds: int = 30 * 86400,
    session_seconds: int = 86400,
    profile: Literal["iam", "wlcg"] = "iam",
    include_authn_info: bool = False,
    token_issuer_slash: bool = True,
    host: str = LOOPBACK,
) -> PartSpec:
    """Write the embedded IAM's files and say how it is started.

    Parameters: ``data``, its own folder (0700, must exist); ``hub_url``, where its client, hub and gateway, is reached, and
    ``client_name``, what the sign-in page calls it; the lifetimes, in seconds; ``profile``, of tokens asked without scope
    ``wlcg``; ``include_authn_info``, groups and names in access tokens too (IAM's ``IAM_ACCESS_TOKEN_INCLUDE_AUTHN_INFO``, off
    there as here); ``token_issuer_slash``, whether ``iss`` in tokens ends in a slash as the discovery document's ``issuer``
    always does; ``host``, 127.x.y.z. Raises InvalidInput for any other host, Unavailable without Node.js or npm packages.
    """
    if not host.startswith("127."):
        raise InvalidInput(f"The embedded IAM has demo passwords: it listens on 127.0.0.1, not on {host}.")
    if not (MODULES / "oidc-provider").exists() or (node := find_program("node")) is None:
        raise Unavailable("The embedded IAM's programs are not installed. Run `make install`.")
    write_keys(data)
    write_demo_users(data)
    url = f"http://{host}:{port}"
    config = data / "config.json"
    document = {
        "host": host,
        "port": port,
        "issuer": f"{url}/" if token_issuer_slash else url,
        "data": str(data),
        "profile": profile,
        "include_authn_info": include_authn_info,
        "admin_groups": ["admins"],
        "scopes": SCOPES,
        "ttl": {
            "access_token": access_token_seconds,
            "refresh_token": refresh_token_seconds,
            "session": session_seconds,
        },
        "clients": [_hub_client(hub_url.rstrip("/"), client_id, client_secret, client_name), _cli_client()],
    }
    write_private_json(config, document)
    return PartSpec("iam", (node, str(PROGRAM), str(config)), f"{url}/ready", url=url)


def _hub_client(hub_url: str, client_id: str, client_secret: str, client_name: str) -> dict[str, Any]:
    paths = ("/", "/hub/", "/hub/home", "/hub/login", "/hub/logout")
    return {
        "client_id": client_id,
        "client_secret": client_secret,
        "client_name": client_name,
        "redirect_uris": [f"{hub_url}/hub/oauth_callback"],
        "post_logout_redirect_uris": [hub_url, *(f"{hub_url}{path}" for path in paths)],
        "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        "scope": SCOPES,
    }


def _cli_client() -> dict[str, Any]:
    return {
        "client_id": CLI_CLIENT,
        "client_name": "NaaS command line",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [],
        "response_types": [],
        "grant_types": [DEVICE_CODE, "refresh_token"],
        "scope": SCOPES,
    }
