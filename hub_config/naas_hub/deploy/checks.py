"""What of ``naas.yaml`` cannot be deployed with `docker compose`, and why."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from naas_client.addresses import is_loopback
from naas_client.catalogue import FolderSource
from naas_client.errors import InvalidInput
from naas_client.folders import check_host_folders

from naas_hub.settings import SiteSettings

HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")
"""A name of a machine in ASCII (of another script: its Punycode), or an IPv4 address."""

CHOSEN_HERE = {
    "gateway": ("url", "keys_file", "hub_token_file", "hub_api_url"),
    "hub": (
        *("bind_url", "hub_bind_url", "hub_connect_url", "proxy_api_url", "proxy_token_file"),
        *("cookie_secret_file", "crypt_key_file", "subdomain_host"),
    ),
    "catalogue": ("cache",),
}
"""Keys that follow from the parts' places."""


def check(given: dict[str, Any], settings: SiteSettings, source: str) -> None:
    """Raises InvalidInput with a line for each setting that cannot be deployed so."""
    mistakes = [
        f"{section}.{key}: `naas deploy compose` chooses this itself. Remove it."
        for section, keys in CHOSEN_HERE.items()
        for key in keys
        if key in (given.get(section) or {})
    ]
    mistakes += [*_check_hub(given, settings), *_check_sources(settings)]
    mistakes += [*_check_outside(given, settings), *_check_address(settings)]
    if mistakes:
        raise InvalidInput("\n".join(f"{source}: {mistake}" for mistake in mistakes), code="bad-settings")
    check_host_folders(settings.hub.host_folders)


def _check_hub(given: dict[str, Any], settings: SiteSettings) -> list[str]:
    hub = given.get("hub") or {}
    mistakes = []
    if hub.get("spawner", "docker") != "docker":
        mistakes.append("hub.spawner: here servers run in containers. Remove it.")
    if set(hub.get("docker") or {}) & {"prefix", "network"}:
        mistakes.append("hub.docker: prefix and network follow from deploy.name. Remove them.")
    if "data_dir" in hub and not settings.hub.data_dir.is_absolute():
        mistakes.append("hub.data_dir: give the whole path, beginning with /.")
    paths = [("site.logo", settings.site.logo), ("hub.examples_dir", settings.hub.examples_dir)]
    paths += [("hub.template_paths", path) for path in settings.hub.template_paths]
    mistakes += [
        f"{key}: {path}: name a file or folder that is there, with its whole path."
        for key, path in paths
        if path is not None and not (path.is_absolute() and path.exists())
    ]
    if offers_cvmfs(settings) and not settings.hub.cvmfs.path.is_dir():
        mistakes.append(
            f"hub.cvmfs.path: {settings.hub.cvmfs.path} is not on this machine, and profiles offer CVMFS. Install its client, or name the "
            "folder in which it mounts."
        )
    return mistakes


def offers_cvmfs(settings: SiteSettings) -> bool:
    """Whether some profile offers software from CVMFS."""
    return any(profile.cvmfs for profile in settings.profiles)


def _check_sources(settings: SiteSettings) -> list[str]:
    mistakes = []
    for source in settings.catalogue.sources:
        if not isinstance(source, FolderSource):
            continue
        key, path = f"catalogue.sources: {source.name}", source.path
        if not (path.is_absolute() and path.is_dir()):
            mistakes.append(f"{key}: {path}: name a folder that is there, with its whole path.")
        elif path.stat().st_mode & 0o005 != 0o005:
            mistakes.append(f"{key}: the gateway has a uid of its own and cannot read it. Run `chmod -R o+rX {path}`.")
    return mistakes


def _check_outside(given: dict[str, Any], settings: SiteSettings) -> list[str]:
    mistakes = []
    if "issuer" not in (given.get("iam") or {}):
        mistakes.append("iam.issuer: missing. Name your IAM, for example https://iam.cloud.infn.it.")
    if settings.iam.client_secret_file is None:
        mistakes.append(
            "iam.client_secret_file: missing. Name a file of mode 0600 with the secret of the client registered there."
        )
    if "url" not in (given.get("storage") or {}) or is_loopback(settings.storage.url):
        mistakes.append(
            "storage.url: name your object store as servers in containers reach it, for example https://rgw.example.org."
        )
    if settings.healthchecks.sign_in is not None:
        mistakes.append(
            "healthchecks.sign_in: no part of this deployment runs its proxy. Remove it; people manage their checks in Lab."
        )
    if "mail" in given:
        mistakes.append("mail: no part of this deployment sends e-mail. Remove it.")
    return mistakes


def _check_address(settings: SiteSettings) -> list[str]:
    url = settings.gateway.public_hub_url
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or not HOST.fullmatch(host) or parts.path or parts.query or parts.username is not None:
        return [f"gateway.public_hub_url: {url}: give the address for browsers, as https://notebooks.example.org."]
    if settings.deploy.tls == "acme" and (
        "." not in host.strip(".") or host.endswith(".localhost") or _is_address(host)
    ):
        return [
            f"gateway.public_hub_url: {host} is no public name, so no ACME server gives a certificate for it. Name one that "
            "the world's DNS knows, or set deploy.tls to files or self-signed."
        ]
    return []


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
