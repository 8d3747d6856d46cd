"""200 people ask two gateways on one database for tokens while their access tokens expire and gateways are killed.

IAM rotates refresh tokens and ends a grant when one is used twice. A recorder in front of it counts each refresh token it sees.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from iam_recorder import Recorder, recorded_iam
from naas_client.errors import AccessEnded, Unavailable
from naas_client.gateway import API_PATH, SyncGatewayClient

pytestmark = pytest.mark.server

PEOPLE = [f"person{number:03d}" for number in range(200)]
ACCESS_SECONDS = 25
"""Real life of the access tokens; the storm makes them expire earlier, all at once."""
THREADS = 16
KILLS = 3


@dataclass
class Storm:
    recorder: Recorder
    hub: HubStandIn
    gateways: list[Gateway]
    database: Path

    def query(self, sql: str) -> Any:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchone()[0]

    @property
    def under_way(self) -> int:
        """Refresh tokens that were sent and have no answer yet."""
        return int(self.query("SELECT count(*) FROM refresh_tokens WHERE sent_at IS NOT NULL AND revoke_at IS NULL"))

    @property
    def in_reserve(self) -> int:
        """Refresh tokens beyond the first of each person."""
        return int(self.query("SELECT count(*) FROM refresh_tokens WHERE revoke_at IS NULL")) - len(PEOPLE)

    def expire(self) -> None:
        """Let the end of everybody's access token come now."""
        past = "'2000-01-01 00:00:00.000000'"
        with closing(sqlite3.connect(self.database, timeout=10, isolation_level=None)) as connection:
            connection.execute(f"UPDATE grants SET renew_at = {past}, expires_at = {past}")

    @property
    def ended(self) -> int:
        return int(self.query("SELECT count(*) FROM grants WHERE state != 'active'"))


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    folder = tmp_path_factory.mktemp("storm")
    with recorded_iam(folder, access_token_seconds=ACCESS_SECONDS) as (iam, recorder), HubStandIn().serving() as hub:
        for name in PEOPLE:
            iam.add_user(name, ["users/naas"])
        settings = {"gateway": {"hub_api_url": hub.url}}
        second = {
            "gateway": {
                **settings["gateway"],
                "database_url": f"sqlite+aiosqlite:///{folder / 'gw' / 'gateway.sqlite'}",
            }
        }
        with (
            gateway_app(folder / "gw", iam, name="one", **settings) as one,
            gateway_app(folder / "gw", iam, name="two", **second) as two,
        ):
            hub.service_token = one.hub_token
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(lambda name: one.sign_in(name), PEOPLE))
            yield Storm(recorder, hub, [one, two], folder / "gw" / "gateway.sqlite")


def ask(url: str, token: str) -> str:
    """One person asks one gateway for a token, as their server does; what came of it."""
    with SyncGatewayClient(url + API_PATH, token, timeout=30) as client:
        try:
            return client.token("object").audience
        except AccessEnded:
            return "signed out"
        except Unavailable as error:  # this gateway was killed, or waits for the other one's renewal
            return error.code


def everyone_asks(storm: Storm, tokens: dict[str, str]) -> set[str]:
    """All ask at once, each one of the gateways; the different outcomes."""
    urls = itertools.cycle(gateway.url for gateway in storm.gateways)
    with ThreadPoolExecutor(THREADS) as pool:
        return set(pool.map(ask, urls, tokens.values()))


def everyone_gets(storm: Storm, tokens: dict[str, str], limit: float = 30.0) -> None:
    """Each person gets a token within the limit; nobody is signed out on the way."""
    end, missing = time.monotonic() + limit, dict(tokens)
    urls = itertools.cycle(gateway.url for gateway in storm.gateways)
    while missing:
        with ThreadPoolExecutor(THREADS) as pool:
            outcome = dict(zip(missing, pool.map(ask, urls, missing.values()), strict=False))
        assert "signed out" not in outcome.values(), [
            name for name, result in outcome.items() if result == "signed out"
        ]
        missing = {name: tokens[name] for name, result in outcome.items() if result != "object"}
        assert time.monotonic() < end, (
            f"{len(missing)} people got no token within {limit:.0f} s: {set(outcome.values())}"
        )


def test_nobody_is_signed_out_by_expiry_kills_and_two_replicas(storm: Storm, eventually: Callable[..., Any]) -> None:
    tokens = {name: storm.hub.user_token(name) for name in PEOPLE}
    assert everyone_asks(storm, tokens) == {"object"}
    eventually(lambda: storm.in_reserve >= 2 * len(PEOPLE), "everyone's second and third grant")

    for number in range(KILLS):
        victim = storm.gateways[number % 2]
        storm.expire()
        with ThreadPoolExecutor(1) as background:
            asking = background.submit(everyone_asks, storm, tokens)
            eventually(lambda: storm.under_way >= 4, "refreshes under way")
            victim.kill()
            assert asking.result() <= {"object", "gateway-down", "unavailable", "iam-down"}
        victim.start()

    storm.expire()
    for gateway in storm.gateways:
        gateway.kill()
        gateway.start()
    everyone_gets(storm, tokens)

    assert storm.ended == 0
    assert storm.recorder.refused == []
    assert max(storm.recorder.refreshes.values()) == 1
    assert len(storm.recorder.refreshes) > len(PEOPLE)
    for name in PEOPLE[::10]:
        assert storm.gateways[0].hub.claims(name, 0).groups == ["users/naas"]
