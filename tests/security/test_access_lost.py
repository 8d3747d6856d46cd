"""Who leaves the allowed groups is out within ``auth_refresh_age``: pages, API, spawns, and the running server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hub_session import HubSession
from naas_local.iam import set_groups
from product import ACCESS_AGE, Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root]
GROUPS = ["users/naas", "users/s3", "developers"]
SLACK = 20
"""Seconds beyond auth_refresh_age for a busy machine: stopping a server drains uploads first."""


@pytest.fixture
def alice(product: Product) -> Iterator[HubSession]:
    with HubSession(product.url, "alice") as session:
        session.sign_in()
        session.start_server()
        yield session
        set_groups(product.data / "iam", "alice", GROUPS)


def test_a_person_who_left_the_groups_is_out_without_clicking_anything(product: Product, alice: HubSession) -> None:
    with HubSession(product.url, "dana") as dana:
        dana.sign_in()
        left = time.monotonic()
        set_groups(product.data / "iam", "alice", ["users/other"])

        def stopped() -> bool:
            answer = dana.hub("GET", "/users/alice")
            return answer.status_code == 200 and not answer.json().get("servers")

        wait_for(stopped, "the stop of alice's server", ACCESS_AGE + SLACK)
        wait_for(lambda: alice.hub("GET", "/user").status_code == 403, "the end of alice's session", ACCESS_AGE)
        assert time.monotonic() - left < ACCESS_AGE + SLACK
        assert alice.hub("POST", "/users/alice/server").status_code == 403
        page = alice.http.get("/hub/home")
        assert page.status_code == 302
        assert "/hub/login" in page.headers["location"]

    with HubSession(product.url, "alice") as again:
        refused = again.sign_in()
        assert refused.status_code == 403
        assert "not admitted" in refused.text
