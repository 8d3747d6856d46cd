"""An IAM's signing keys and what it publishes about them, and authenticators set up by ordinary traits."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from iam_published import CLIENT, ISSUER, Published
from naas_authenticator import IAMAuthenticator
from naas_authenticator.provider import Provider
from naas_client.files import write_private


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def provider(published: Published) -> Provider:
    return Provider(ISSUER, "INDIGO IAM", published.fetch)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., IAMAuthenticator]:
    """Build an authenticator from traits; what is not given is good."""
    files = {name: tmp_path / name for name in ("client-secret", "hub-token")}
    for file in files.values():
        write_private(file, secrets.token_hex(16))

    def build(**traits: Any) -> IAMAuthenticator:
        good = {
            "issuer": ISSUER,
            "client_id": CLIENT,
            "client_secret_file": str(files["client-secret"]),
            "gateway_token_file": str(files["hub-token"]),
            "allowed_groups": {"users/naas"},
            "admin_groups": {"admins"},
        }
        return IAMAuthenticator(**{**good, **traits})

    return build
