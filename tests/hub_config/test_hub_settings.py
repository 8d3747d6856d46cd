"""``naas.yaml``: every mistake stops the start, with the path of its key and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from naas_client.errors import InvalidInput
from naas_client.files import write_private
from naas_hub import configure
from naas_hub.settings import load_site, read_secrets
from traitlets.config import Config

Site = Callable[..., Path]


def test_the_defaults_are_a_whole_site() -> None:
    settings = load_site(None)
    assert settings.profiles
    assert settings.hub.bind_url == settings.gateway.public_hub_url
    assert settings.gateway.hub_api_url == f"{settings.hub.hub_bind_url}/hub/api"


@pytest.mark.parametrize(
    ("sections", "path", "why"),
    [
        ({"hubb": {}}, "hubb", "unknown key"),
        ({"hub": {"bindurl": "x"}}, "hub.bindurl", "unknown key"),
        ({"iam": {"issuers": "x"}}, "iam.issuers", "unknown key"),
        ({"iam": {"issuer": "iam.example.org"}}, "iam.issuer", "starts with http"),
        ({"iam": {"auth_refresh_age": "soon"}}, "iam.auth_refresh_age", "valid integer"),
        ({"iam": {"allowed_groups": "admins"}}, "iam.allowed_groups", "valid list"),
        ({"hub": {"spawner": "kubernetes"}}, "hub.spawner", "'local' or 'docker'"),
        ({"hub": {"concurrent_spawn_limit": -1}}, "hub.concurrent_spawn_limit", "greater than or equal to 0"),
        ({"hub": {"hub_bind_url": "http://127.0.0.1:8081/hub"}}, "hub.hub_bind_url", "scheme, host and port only"),
        ({"hub": {"session_days": 0}}, "hub.session_days", "greater than 0"),
        *(
            ({"hub": {"host_folders": [{"name": "shared", "path": "/srv/shared", **change}]}}, path, why)
            for change, path, why in (
                ({"path": "srv/shared"}, "hub.host_folders.0.path", "absolute path"),
                ({"path": "/srv/../etc"}, "hub.host_folders.0.path", "without `..`"),
                ({"path": "/"}, "hub.host_folders.0.path", "absolute path of a folder"),
                ({"name": "local"}, "hub.host_folders.0.name", "every home has"),
                ({"name": "cloud-storage"}, "hub.host_folders.0.name", "every home has"),
                ({"name": "../x"}, "hub.host_folders.0.name", "lower-case letters"),
                ({"kind": "public"}, "hub.host_folders.0.kind", "'shared' or 'private'"),
            )
        ),
        (
            {"hub": {"host_folders": [{"name": "a", "path": "/srv/x"}, {"name": "b", "path": "/srv/x/y"}]}},
            "hub.host_folders",
            "Use folders side by side",
        ),
        ({"profiles": []}, "profiles", "at least 1 item"),
        ({"profiles": [{"slug": "a"}]}, "profiles.0.name", "missing"),
        ({"profiles": [{"slug": "a", "name": "A", "core": 1}]}, "profiles.0.core", "unknown key"),
        ({"gpus": [{"flavour": "A100"}]}, "gpus.0", "either `discover` or `devices`"),
        ({"gpus": [{"flavour": "A100", "discover": "x", "node": "gpu1"}]}, "gpus.0", "only the hub's own machine"),
        ({"gpus": [{"flavour": "A100", "devices": ["GPU-1", "GPU-1"]}]}, "gpus", "GPU-1 occurs twice"),
        ({"gpus": [{"flavour": "A100", "devices": ["0,1"]}]}, "gpus.0.devices.0", "match pattern"),
        (
            {"gpus": [{"flavour": "T4", "discover": "T4"}]},
            "(top)",
            "gpu-full has the GPU 'A100 80 GB', and `gpus` has only: T4",
        ),
        *(
            ({"collaborations": [{"group": "users/naas", "profile": "standard", **change}]}, path, why)
            for change, path, why in (
                ({"group": "/users/naas"}, "collaborations.0.group", "without a slash in front"),
                ({"idle_timeout": 5}, "collaborations.0.idle_timeout", "greater than or equal to 60"),
                ({"profile": "huge"}, "(top)", "the profile 'huge', which is not in `profiles`. Name one of: standard"),
                ({"profile": "developer"}, "(top)", "the profile developer is not open to users/naas"),
                ({"folder": "x"}, "collaborations.0.folder", "unknown key"),
            )
        ),
        (
            {"collaborations": [{"group": "users/naas", "profile": "standard"}] * 2},
            "collaborations",
            "the group users/naas has two shared servers",
        ),
        ({"site": {"links": [{"title": "x", "url": "javascript:alert(1)"}]}}, "site.links.0.url", "starts with http"),
    ],
)
def test_a_mistake_is_named_by_its_path(site: Site, sections: dict[str, Any], path: str, why: str) -> None:
    file = site(**sections)
    with pytest.raises(InvalidInput) as caught:
        configure(Config(), file)
    assert f"{file}: {path}: " in caught.value.message
    assert why in caught.value.message


def test_all_mistakes_are_said_at_once(site: Site) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_site(site(hub={"a": 1, "b": 2}, iam={"c": 3}))
    assert len(caught.value.message.splitlines()) == 3


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text\n", "a: [\n", "a: {b: c\n"])
def test_a_file_that_is_no_settings_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "naas.yaml"
    file.write_text(content)
    with pytest.raises(InvalidInput, match=str(file)):
        load_site(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_site(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("iam.client_secret_file", "client"),
        ("gateway.hub_token_file", "hub"),
        ("hub.proxy_token_file", "proxy"),
        ("hub.cookie_secret_file", "cookie"),
        ("hub.crypt_key_file", "crypt"),
    ],
)
@pytest.mark.parametrize("value", ["", "changeme", "test_token", "API_TOKEN_EXAMPLE", "short", None])
def test_a_secret_that_is_missing_or_a_default(
    site: Site, tmp_path: Path, key: str, name: str, value: str | None
) -> None:
    file = site()
    (tmp_path / name).unlink()
    if value is not None:
        write_private(tmp_path / name, value)
    with pytest.raises(InvalidInput) as caught:
        configure(Config(), file)
    assert caught.value.message.startswith(f"{key}: ")
    assert "openssl rand" in caught.value.message or "cannot be read" in caught.value.message


def test_a_secret_that_others_may_read(site: Site, tmp_path: Path) -> None:
    file = site()
    (tmp_path / "cookie").chmod(0o644)
    with pytest.raises(InvalidInput, match=r"hub\.cookie_secret_file: .* is readable by others\. Run `chmod 600"):
        configure(Config(), file)


@pytest.mark.parametrize("name", ["cookie", "crypt"])
def test_a_key_that_is_not_hexadecimal(site: Site, tmp_path: Path, name: str) -> None:
    file = site()
    write_private(tmp_path / name, "correct horse battery staple")
    with pytest.raises(InvalidInput, match="64 hexadecimal digits"):
        configure(Config(), file)


def test_encryption_keys_can_be_rotated(site: Site, tmp_path: Path) -> None:
    file = site()
    write_private(tmp_path / "crypt", f"{'ab' * 32}\n{'cd' * 32}\n")
    c = Config()
    configure(c, file)
    assert c.CryptKeeper["keys"] == [b"\xab" * 32, b"\xcd" * 32]


def test_what_jupyterhub_is_told(site: Site) -> None:
    c = Config()
    configure(c, site(iam={"auth_refresh_age": 300}))
    assert c.JupyterHub.cleanup_servers is False
    assert c.JupyterHub.cleanup_proxy is False
    assert c.ConfigurableHTTPProxy.should_start is False
    assert c.JupyterHub.services[0]["name"] == "naas"
    assert "command" not in c.JupyterHub.services[0]
    assert c.IAMAuthenticator.auth_refresh_age == 150, "hub and gateway share the allowed age"
    scopes = {role["name"]: role["scopes"] for role in c.JupyterHub.load_roles}
    assert scopes["naas-gateway"] == ["list:users", "read:servers", "delete:servers"]


def test_members_of_a_group_may_use_its_shared_server_and_nothing_else(site: Site) -> None:
    c = Config()
    configure(c, site(collaborations=[{"group": "users/naas", "profile": "standard"}]))
    roles = {role["name"]: role for role in c.JupyterHub.load_roles}
    name = "collab--users--naas"
    assert roles[name]["groups"] == ["users/naas"]
    assert set(roles[name]["scopes"]) == {
        f"{scope}!user={name}" for scope in ("access:servers", "servers", "read:users:name")
    }
    assert roles["naas-shared-servers"]["users"] == [name]
    assert roles["naas-shared-servers"]["scopes"] == ["custom:naas:use"]


@pytest.mark.parametrize(
    ("public", "host", "secure", "prefixed"),
    [
        ("http://127.0.0.1:8000", "", None, None),
        ("https://hub.example.org", "", True, None),
        ("https://hub.example.org", "https://hub.example.org", True, True),
    ],
)
def test_cookie_flags(site: Site, public: str, host: str, secure: bool | None, prefixed: bool | None) -> None:
    c = Config()
    configure(c, site(gateway={"public_hub_url": public}, hub={"subdomain_host": host}))
    flags = c.JupyterHub.tornado_settings["cookie_options"]
    assert (flags["samesite"], flags.get("secure")) == ("Lax", secure)
    assert c.JupyterHub.get("cookie_host_prefix_enabled") == prefixed


def test_secrets_are_read_by_the_path_of_their_key(site: Site, tmp_path: Path) -> None:
    assert read_secrets(load_site(site()))["gateway.hub_token_file"] == (tmp_path / "hub").read_text()
