"""The server under test: `HEALTHCHECKS_URL` and `HEALTHCHECKS_KEY` name another than the embedded one.

``HEALTHCHECKS_READ_KEY`` and ``HEALTHCHECKS_PING_KEY`` of the same project let more be tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from healthchecks_site import HealthchecksSite
from naas_local.healthchecks import embedded_healthchecks


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HealthchecksSite]:
    if url := os.environ.get("HEALTHCHECKS_URL"):
        given = [os.environ.get(f"HEALTHCHECKS_{name}", "") for name in ("KEY", "READ_KEY", "PING_KEY")]
        assert given[0], "HEALTHCHECKS_KEY: the read-write API key of a project is missing"
        yield HealthchecksSite(url.rstrip("/"), *given)
        return
    with embedded_healthchecks(tmp_path_factory.mktemp("conformance")) as running:
        keys = running.project("conformance", email="conformance@example.org")
        yield HealthchecksSite(running.url, keys["api_key"], keys["api_key_readonly"], keys["ping_key"], embedded=True)


@pytest.fixture
def site(server: HealthchecksSite) -> Iterator[HealthchecksSite]:
    """The server; what the test makes is deleted."""
    try:
        yield server
    finally:
        server.clean()


@pytest.fixture
def slug_site(site: HealthchecksSite) -> HealthchecksSite:
    """A server whose pings by slug can be tested."""
    if not site.ping_key:
        pytest.skip("HEALTHCHECKS_PING_KEY is not set")
    return site


@pytest.fixture
def read_site(site: HealthchecksSite) -> HealthchecksSite:
    """A server whose read-only key is known."""
    if not site.read_key:
        pytest.skip("HEALTHCHECKS_READ_KEY is not set")
    return site
