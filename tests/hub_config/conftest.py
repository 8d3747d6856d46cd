"""A site's settings file with its secrets, and the running parts of a sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from naas_client.files import secret_file
from sign_in_stack import Stack, sign_in_stack

CONTACT = "cloud-support@example.org"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """IAM, gateway, proxy and hub, shared by all tests that leave them as they were."""
    groups = {
        "users/naas": {"description": "Notebooks <b>with</b> storage", "join_url": "https://iam.example.org/join"}
    }
    more = {"iam": {"auth_refresh_age": 5}, "site": {"name": "Test notebooks", "contact": CONTACT}, "groups": groups}
    with sign_in_stack(tmp_path_factory.mktemp("sign-in"), more) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Path]:
    """Write a ``naas.yaml`` with good secrets; sections given are added to it."""
    files = {
        "iam.client_secret_file": "client",
        "gateway.hub_token_file": "hub",
        "hub.proxy_token_file": "proxy",
        "hub.cookie_secret_file": "cookie",
        "hub.crypt_key_file": "crypt",
    }

    def write(**sections: Any) -> Path:
        document: dict[str, Any] = {}
        for key, name in files.items():
            section, _, field = key.partition(".")
            secret_file(tmp_path / name)
            document.setdefault(section, {})[field] = str(tmp_path / name)
        for name, values in sections.items():
            document[name] = {**document.get(name, {}), **values} if isinstance(values, dict) else values
        file = tmp_path / "naas.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    return write
