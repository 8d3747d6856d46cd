"""Fixtures of the tests that need the whole product: one `naas up` for all of them, with short timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_session import HubSession
from product import ACCESS_AGE, Product, naas_up


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, running; shared, so a test leaves nobody's server in a state that others do not expect."""
    folder: Path = tmp_path_factory.mktemp("product")
    with naas_up(folder, {"iam": {"auth_refresh_age": ACCESS_AGE}}) as running:
        yield running


@pytest.fixture
def person(product: Product) -> Iterator[Callable[[str], HubSession]]:
    """Sign somebody in; their servers are stopped at the end of the test."""
    sessions: list[HubSession] = []

    def sign_in(name: str) -> HubSession:
        session = HubSession(product.url, name)
        session.sign_in()
        sessions.append(session)
        return session

    yield sign_in
    for session in sessions:
        if session.hub("GET", "/user").status_code == 200 and session.hub("GET", f"/users/{session.name}").json().get(
            "servers"
        ):
            session.stop_server()
        session.http.close()
