"""From `SiteSettings` to JupyterHub's traits. One function for each thing that is configured."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from naas_client import sign_in
from naas_client.registries import RegistrySection, pulled_name
from naas_client.sign_in import SignInSection

from naas_hub import CONFIG_VARIABLE, images
from naas_hub.pages import TEMPLATE_PATHS, reasons_from_gateway, template_vars
from naas_hub.request_ids import RequestIds
from naas_hub.roles import CUSTOM_SCOPES, SERVICE, USE, roles
from naas_hub.settings import DockerSection, SiteSettings, load_site, read_secrets

HEADERS = {
    # nobody frames our pages, a <base> cannot redirect our links, and no plug-in runs
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def site_settings(path: str | Path | None = None) -> SiteSettings:
    """The settings in a file (default: the one that ``NAAS_CONFIG`` names, else the defaults). Raises InvalidInput."""
    found = path or os.environ.get(CONFIG_VARIABLE)
    return load_site(Path(found) if found else None)


def apply(c: Any, settings: SiteSettings) -> None:
    """Set every trait. Raises InvalidInput when a secret is missing, weak or open to others."""
    secrets = read_secrets(settings)
    _hub(c, settings)
    _state(c, settings, secrets)
    _proxy(c, settings, secrets)
    _pages(c, settings, secrets)
    _log(c, settings)
    _authenticator(c, settings)
    _gateway(c, settings, secrets)
    _spawner(c, settings)


def _hub(c: Any, settings: SiteSettings) -> None:
    hub = settings.hub
    c.JupyterHub.bind_url = hub.bind_url
    c.JupyterHub.hub_bind_url = hub.hub_bind_url
    if hub.hub_connect_url:
        c.JupyterHub.hub_connect_url = hub.hub_connect_url
    c.JupyterHub.public_url = f"{settings.gateway.public_hub_url}/"
    c.JupyterHub.cleanup_servers = False  # sessions outlive the hub
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.concurrent_spawn_limit = hub.concurrent_spawn_limit
    c.JupyterHub.active_server_limit = hub.active_server_limit
    c.JupyterHub.shutdown_on_logout = hub.shutdown_on_logout
    c.JupyterHub.allow_named_servers = False


def _state(c: Any, settings: SiteSettings, secrets: dict[str, str]) -> None:
    hub = settings.hub
    c.JupyterHub.db_url = hub.db_url
    c.JupyterHub.cookie_secret_file = str(hub.cookie_secret_file)
    c.JupyterHub.cookie_max_age_days = hub.session_days
    c.CryptKeeper.keys = [bytes.fromhex(key) for key in secrets["hub.crypt_key_file"].split()]


def _proxy(c: Any, settings: SiteSettings, secrets: dict[str, str]) -> None:
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = settings.hub.proxy_api_url
    c.ConfigurableHTTPProxy.auth_token = secrets["hub.proxy_token_file"]


def _pages(c: Any, settings: SiteSettings, secrets: dict[str, str]) -> None:
    hub, site = settings.hub, settings.site
    c.JupyterHub.template_paths = [*(str(path) for path in hub.template_paths), *TEMPLATE_PATHS]
    reasons = reasons_from_gateway(settings.gateway.url, secrets["gateway.hub_token_file"])
    c.JupyterHub.template_vars = template_vars(settings, reasons)
    c.JupyterHub.extra_handlers = images.handlers(
        settings.gateway.url, secrets["gateway.hub_token_file"], settings.profiles
    )
    if site.logo:
        c.JupyterHub.logo_file = str(site.logo)
    # Lax, not Strict: the way back from IAM is a link from another site, and it needs the cookie of the sign-in
    secure = {"secure": True} if urlsplit(settings.gateway.public_hub_url).scheme == "https" else {}
    c.JupyterHub.tornado_settings = {
        "headers": HEADERS,
        "cookie_options": {"samesite": "Lax", **secure},
        "transforms": [RequestIds],
        "oauth_no_confirm_list": _known_clients(settings),
    }
    if hub.subdomain_host:
        c.JupyterHub.subdomain_host = hub.subdomain_host
        # such cookies go to every path of a host, so they help only where people's servers have hosts of their own
        c.JupyterHub.cookie_host_prefix_enabled = bool(secure)


def _log(c: Any, settings: SiteSettings) -> None:
    level = settings.hub.log_level
    c.JupyterHub.log_level = level
    c.JupyterHub.logging_config = {
        "formatters": {"json": {"()": "naas_client.logs.JsonFormatter", "part": "hub"}},
        "handlers": {"console": {"formatter": "json"}},
        "loggers": {"JupyterHub": {"propagate": False}, "httpx": {"level": "WARNING"}},
        "root": {"handlers": ["console"], "level": level},
    }


def _known_clients(settings: SiteSettings) -> set[str]:
    """OAuth clients of this site, of which nobody is asked whether they may know who one is. The hub takes this list instead of what
    services say (`oauth_no_confirm`).
    """
    known = {f"jupyterhub-user-{shared.name}" for shared in settings.collaborations}
    return known | ({f"service-{sign_in.SERVICE}"} if settings.healthchecks.sign_in else set())


def _authenticator(c: Any, settings: SiteSettings) -> None:
    iam = settings.iam
    c.JupyterHub.authenticator_class = "indigo-iam"
    ours = c.IAMAuthenticator
    ours.issuer = iam.issuer
    ours.client_id = iam.client_id
    ours.client_secret_file = str(iam.client_secret_file)
    ours.login_service = iam.display_name
    ours.scope = iam.scopes
    ours.allowed_groups = set(iam.allowed_groups)
    ours.admin_groups = set(iam.admin_groups)
    ours.owners = set(iam.owners)
    ours.group_texts = {name: group.model_dump() for name, group in settings.groups.items()}
    ours.contact = settings.site.contact
    ours.gateway_url = settings.gateway.url
    ours.gateway_token_file = str(settings.gateway.hub_token_file)
    ours.oauth_callback_url = f"{settings.gateway.public_hub_url}/hub/oauth_callback"
    # the gateway may answer with claims that are as old as the hub asks for, so each gets half of the allowed age
    ours.auth_refresh_age = max(1, iam.auth_refresh_age // 2)


def _gateway(c: Any, settings: SiteSettings, secrets: dict[str, str]) -> None:
    token = secrets["gateway.hub_token_file"]
    c.JupyterHub.services = [{"name": SERVICE, "url": settings.gateway.url, "api_token": token, "display": False}]
    c.JupyterHub.custom_scopes = CUSTOM_SCOPES
    c.JupyterHub.extra_user_scopes = {USE}
    c.JupyterHub.load_roles = roles(settings.iam.admin_groups, settings.collaborations)
    if proxy := settings.healthchecks.sign_in:
        _sign_in_proxy(c, proxy, secrets["healthchecks.sign_in.token_file"])


def _sign_in_proxy(c: Any, proxy: SignInSection, token: str) -> None:
    """A service with OAuth and no address here. Everybody may sign in as far as the hub goes: the proxy says who may not, and why."""
    c.JupyterHub.services.append(
        {
            "name": sign_in.SERVICE,
            "api_token": token,
            "oauth_redirect_uri": proxy.redirect_uri,
            "oauth_client_allowed_scopes": [USE],
            "display": False,
        }
    )
    c.JupyterHub.extra_user_scopes |= {f"access:services!service={sign_in.SERVICE}"}


def _spawner(c: Any, settings: SiteSettings) -> None:
    hub, ours = settings.hub, c.NaasMachineSpawner
    c.JupyterHub.spawner_class = f"naas-{hub.spawner}"
    c.Spawner.start_timeout = hub.start_timeout
    c.Spawner.http_timeout = hub.http_timeout
    ours.profiles = settings.profiles
    ours.gpus = settings.gpus
    ours.data_dir = str(hub.data_dir)
    ours.first_uid = hub.first_uid
    ours.examples_dir = str(hub.examples_dir or "")
    ours.host_folders = hub.host_folders
    ours.registries = settings.registries
    ours.cvmfs_path = str(hub.cvmfs.path)
    ours.cvmfs_notes = hub.cvmfs.repositories
    ours.group_folders = settings.storage.folders
    ours.collaborations = settings.collaborations
    ours.access_age = settings.iam.auth_refresh_age
    ours.drain_limit = hub.drain_seconds
    ours.gateway_url = settings.gateway.url
    ours.gateway_token_file = str(settings.gateway.hub_token_file)
    ours.storage_groups = settings.capabilities.get("storage", [])
    ours.scratch = bool(settings.storage.scratch_bucket)
    ours.rclone = str(settings.storage.rclone or "")
    ours.group_notes = {name: group.model_dump() for name, group in settings.groups.items()}
    ours.join_url = f"{settings.iam.issuer}/"
    ours.contact = settings.site.contact
    if hub.spawner == "docker":
        _containers(c.NaasDockerSpawner, hub.docker, settings.registries)


def _containers(ours: Any, docker: DockerSection, registries: list[RegistrySection]) -> None:
    ours.image = docker.image
    ours.agent_image = pulled_name(docker.agent_image, registries)
    ours.prefix = docker.prefix
    ours.network_name = docker.network
    ours.agent_memory = docker.agent_memory
    ours.pids_limit = docker.pids_limit
    ours.tmp_size = docker.tmp_size


_downloads: set[asyncio.Task[None]] = set()
"""The event loop itself keeps only weak references to tasks."""


def begin_downloads(settings: SiteSettings) -> None:
    """In a hub that is starting, download the images of all profiles that are not here; nobody waits for it."""
    if settings.hub.spawner != "docker":
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # the settings are only looked at
    from naas_spawner.docker.images import pull_all

    named = {image.image for profile in settings.profiles for image in profile.images if image.image}
    wanted = {*named, settings.hub.docker.image, settings.hub.docker.agent_image}
    task = loop.create_task(pull_all(wanted, settings.registries))
    _downloads.add(task)
    task.add_done_callback(_downloads.discard)
