"""The token broker when things go wrong: lost answers, kills, an IAM that is down or says no, keys that change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import iam_login
import pytest
from cryptography.fernet import Fernet
from gateway_app import Gateway, HubStandIn, gateway_app, sign_in_document
from iam_recorder import Recorder, recorded_iam
from naas_client.errors import AccessEnded, Unavailable
from naas_client.files import write_private, write_private_json
from naas_gateway.clock import utcnow
from naas_local.iam import EmbeddedIam, embedded_iam

pytestmark = pytest.mark.server

DUE, EXPIRED = "due", "expired"


@dataclass
class Setup:
    """One IAM behind a recorder, one gateway, one person signed in, with all three grants."""

    iam: EmbeddedIam
    recorder: Recorder
    gateway: Gateway
    folder: Path
    pool: ThreadPoolExecutor

    @property
    def database(self) -> Path:
        return self.folder / "gateway.sqlite"

    def sql(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.database, timeout=10, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def make(self, state: str) -> None:
        """Turn the clock forward for the access token: due for renewal, or past its end too."""
        expiry = ", expires_at = '2000-01-01 00:00:00.000000'" if state == EXPIRED else ""
        self.sql(f"UPDATE grants SET renew_at = '2000-01-01 00:00:00.000000'{expiry}")

    def fresh(self) -> bool:
        """Whether the hub gets new claims of alice, for which the gateway needs a good access token."""
        asked = utcnow()
        return self.gateway.hub.claims("alice", 0).fetched_at >= asked

    def ask_aside(self) -> Future[bool]:
        return self.pool.submit(self.fresh)

    @property
    def ready(self) -> int:
        return int(self.sql("SELECT count(*) FROM refresh_tokens WHERE sent_at IS NULL AND revoke_at IS NULL")[0][0])

    @property
    def state(self) -> str:
        return str(self.sql("SELECT state FROM grants")[0][0])

    def assert_never_twice(self) -> None:
        assert set(self.recorder.refreshes.values()) <= {1}
        assert self.recorder.refused == []


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedIam, Recorder]]:
    with recorded_iam(tmp_path_factory.mktemp("iam")) as both:
        yield both


@pytest.fixture
def setup(tmp_path: Path, recorded: tuple[EmbeddedIam, Recorder], eventually: Callable[..., Any]) -> Iterator[Setup]:
    iam, recorder = recorded
    recorder.reset()
    with (
        HubStandIn().serving() as hub,
        gateway_app(tmp_path, iam, gateway={"hub_api_url": hub.url}) as gateway,
        ThreadPoolExecutor(8) as pool,
    ):
        hub.service_token = gateway.hub_token
        gateway.sign_in("alice")
        setup = Setup(iam, recorder, gateway, tmp_path, pool)
        eventually(lambda: setup.ready == 3, "three independent grants")
        try:
            yield setup
        finally:
            recorder.go_on.set()


@pytest.mark.parametrize("state", [DUE, EXPIRED])
def test_a_kill_between_iams_answer_and_the_commit_signs_nobody_out(
    setup: Setup, state: str, eventually: Callable[..., Any]
) -> None:
    for _ in range(2):  # twice in a row
        setup.recorder.held.clear()
        setup.recorder.hold = True
        setup.make(state)
        asked = setup.ask_aside()
        assert setup.recorder.held.wait(10), "no refresh was sent"
        setup.gateway.kill()  # IAM has rotated the token; the gateway will never know
        setup.recorder.hold = False
        setup.recorder.go_on.set()
        assert asked.exception(15) is None or isinstance(asked.exception(), Unavailable)
        setup.recorder.go_on.clear()
        setup.gateway.start()
        eventually(setup.fresh, "claims after the restart", limit=20)
        setup.make(state)
        assert setup.fresh()
    setup.assert_never_twice()
    assert setup.state == "active"
    eventually(lambda: setup.ready == 3, "the reserve filled up again")


@pytest.mark.parametrize("state", [DUE, EXPIRED])
def test_an_answer_that_is_lost_on_the_way_costs_one_token_and_no_session(
    setup: Setup, state: str, eventually: Callable[..., Any]
) -> None:
    setup.recorder.lose = 1
    setup.make(state)
    eventually(setup.fresh, "claims", limit=20)
    setup.make(DUE)
    assert setup.fresh()
    setup.assert_never_twice()
    eventually(lambda: setup.ready == 3, "the reserve filled up again")


def test_an_iam_that_answers_500_uses_up_no_reserve(setup: Setup, eventually: Callable[..., Any]) -> None:
    setup.recorder.status = 500
    setup.make(EXPIRED)
    assert not any(setup.fresh() for _ in range(10)), "claims came from nowhere"
    assert len(setup.recorder.refreshes) == 1
    setup.recorder.status = None
    eventually(setup.fresh, "claims, when IAM works again", limit=20)
    setup.assert_never_twice()


@pytest.mark.parametrize(("state", "served"), [(DUE, True), (EXPIRED, False)])
def test_while_iam_is_down_a_token_serves_until_it_expires_and_no_refresh_token_is_lost(
    tmp_path: Path, state: str, served: bool, eventually: Callable[..., Any]
) -> None:
    with embedded_iam(tmp_path) as iam, HubStandIn().serving() as hub, ThreadPoolExecutor(1) as pool:
        sections = {"gateway": {"hub_api_url": hub.url, "allowed_audiences": ["one", "two", "three"]}}
        with gateway_app(tmp_path / "gateway", iam, **sections) as gateway:
            setup = Setup(iam, Recorder(), gateway, tmp_path / "gateway", pool)
            gateway.sign_in("alice")
            eventually(lambda: setup.ready == 3, "three independent grants")
            person = gateway.client(hub.user_token("alice"))
            kept = person.token("one")
            iam.stop()
            setup.make(state)
            if served:
                assert person.token("one") == kept
            else:
                with pytest.raises(Unavailable, match="INDIGO IAM does not answer"):
                    person.token("one")
            with pytest.raises(Unavailable):
                person.token("two")
            assert not setup.fresh()
            assert (setup.ready, setup.state) == (3, "active")
            iam.start()
            eventually(setup.fresh, "claims, when IAM is back", limit=25)
            assert person.token("three").audience == "three"


def test_invalid_grant_ends_access_revokes_the_rest_and_says_so(setup: Setup, eventually: Callable[..., Any]) -> None:
    setup.iam.set_active("alice", False)
    setup.make(EXPIRED)
    with pytest.raises(AccessEnded, match="Sign in again"):
        setup.fresh()
    assert setup.state == "ended"
    assert setup.sql("SELECT type, username FROM events") == [("access.ended", "alice")]
    assert [row[0] for row in setup.sql("SELECT action FROM audit ORDER BY id")] == ["sign-in", "access.end"]
    eventually(lambda: not setup.sql("SELECT 1 FROM refresh_tokens"), "the revocation of the reserve")
    setup.iam.set_active("alice", True)
    with pytest.raises(AccessEnded):
        setup.fresh()
    setup.gateway.sign_in("alice")
    assert setup.fresh()


def test_signing_out_revokes_all_grants_at_iam(setup: Setup, eventually: Callable[..., Any]) -> None:
    tokens = setup.gateway.sign_in("alice")
    eventually(lambda: setup.ready == 3, "three independent grants")
    assert setup.gateway.hub.sign_out("alice") is None
    assert setup.sql("SELECT count(*) FROM refresh_tokens") == [(0,)]
    with pytest.raises(AccessEnded, match="signed out"):
        setup.fresh()
    answer = iam_login.token(setup.iam, grant_type="refresh_token", refresh_token=tokens.refresh_token)
    assert answer.json()["error"] == "invalid_grant"
    setup.gateway.hub.sign_out("alice")  # once more changes nothing


def test_a_sign_out_while_iam_is_down_is_made_good_later(setup: Setup, eventually: Callable[..., Any]) -> None:
    setup.iam.stop()
    setup.gateway.hub.sign_out("alice")
    with pytest.raises(AccessEnded):
        setup.fresh()
    assert setup.sql("SELECT count(*) FROM refresh_tokens") == [(3,)]
    setup.iam.start()
    setup.sql("UPDATE refresh_tokens SET revoke_at = '2000-01-01 00:00:00.000000'")
    eventually(lambda: not setup.sql("SELECT 1 FROM refresh_tokens"), "the revocation", limit=25)


def test_a_new_sign_in_replaces_and_revokes_the_old_grant(setup: Setup, eventually: Callable[..., Any]) -> None:
    old = [row[0] for row in setup.sql("SELECT id FROM refresh_tokens")]
    setup.gateway.sign_in("alice")
    eventually(lambda: setup.ready == 3, "three new grants")
    eventually(lambda: setup.sql("SELECT count(*) FROM refresh_tokens") == [(3,)], "the end of the old ones")
    assert not set(old) & {row[0] for row in setup.sql("SELECT id FROM refresh_tokens")}
    assert setup.fresh()


def test_a_sign_in_that_is_sent_again_changes_nothing_even_after_a_renewal(setup: Setup) -> None:
    tokens = iam_login.sign_in(setup.iam, "alice")
    document = sign_in_document(setup.iam, "alice", tokens)
    for _ in range(2):
        assert setup.gateway.hub.sign_in(document).name == "alice"
        for _ in range(3):
            setup.make(EXPIRED)
            assert setup.fresh()
    setup.assert_never_twice()


def test_two_gateways_and_many_callers_make_one_refresh(setup: Setup) -> None:
    same = {"database_url": f"sqlite+aiosqlite:///{setup.database}"}
    with gateway_app(setup.folder, setup.iam, name="other", gateway=same) as other:
        setup.make(EXPIRED)
        asked = [
            setup.pool.submit(gateway.hub.claims, "alice", 0) for gateway in (setup.gateway, other) for _ in range(4)
        ]
        assert {len(future.result(20).groups) for future in asked} == {3}
    assert len(setup.recorder.refreshes) == 1
    setup.assert_never_twice()


def test_tokens_are_encrypted_and_keys_can_be_rotated(setup: Setup) -> None:
    tokens = setup.gateway.sign_in("alice")
    setup.gateway.stop()
    stored = b"".join(path.read_bytes() for path in setup.folder.glob("gateway.sqlite*"))
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.encode() not in stored
    assert tokens.access_token.encode() not in stored

    keys, before = setup.folder / "keys", {row[0] for row in setup.sql("SELECT key_id FROM grants")}
    old = keys.read_text()
    write_private(keys, f"{Fernet.generate_key().decode()}\n{old}")
    setup.gateway.start()
    after = {row[0] for row in setup.sql("SELECT key_id FROM grants UNION SELECT key_id FROM refresh_tokens")}
    assert len(after) == 1
    assert not after & before
    setup.gateway.stop()
    write_private(keys, keys.read_text().replace(old, ""))  # the old key may go now
    setup.gateway.start()
    setup.make(EXPIRED)
    assert setup.fresh()


@pytest.mark.parametrize("state", [DUE, EXPIRED])
def test_lost_keys_mean_signing_in_again_and_nothing_is_destroyed(setup: Setup, state: str) -> None:
    keys = setup.folder / "keys"
    kept = keys.read_text()
    setup.gateway.stop()
    keys.unlink()
    setup.make(state)
    setup.gateway.start()
    with pytest.raises(AccessEnded, match="Sign in again"):
        setup.fresh()
    setup.gateway.stop()
    write_private(keys, kept)
    setup.gateway.start()
    assert setup.fresh()


def test_a_grant_without_offline_access_lasts_as_long_as_its_access_token(setup: Setup) -> None:
    tokens = iam_login.sign_in(setup.iam, "bob", scope="openid profile email")
    document = sign_in_document(setup.iam, "bob", tokens).model_copy(update={"refresh_token": None})
    setup.gateway.hub.sign_in(document)
    assert setup.gateway.hub.claims("bob", 0).groups == ["users/naas", "users/s3"]
    setup.make(EXPIRED)
    with pytest.raises(AccessEnded):
        setup.gateway.hub.claims("bob", 0)


def test_a_second_client_holds_the_reserve_where_iam_wants_that(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """INDIGO IAM refuses `offline_access` in an exchange between a client and itself."""
    second, password = "naas-gateway", "a-secret-of-the-second-client"
    with embedded_iam(tmp_path) as iam, ThreadPoolExecutor(1) as pool:
        config = iam.data / "config.json"
        document = json.loads(config.read_text())
        document["clients"].append({**document["clients"][0], "client_id": second, "client_secret": password})
        iam.stop()
        write_private_json(config, document)
        iam.start()
        write_private(tmp_path / "second", password)
        section = {"second_client_id": second, "second_client_secret_file": str(tmp_path / "second")}
        with (
            HubStandIn().serving() as hub,
            gateway_app(tmp_path / "gateway", iam, iam=section, gateway={"hub_api_url": hub.url}) as gateway,
        ):
            hub.service_token = gateway.hub_token
            setup = Setup(iam, Recorder(), gateway, tmp_path / "gateway", pool)
            gateway.sign_in("alice")
            eventually(lambda: setup.ready == 3, "three independent grants")
            clients = "SELECT client FROM refresh_tokens ORDER BY client"
            assert [row[0] for row in setup.sql(clients)] == ["first", "second", "second"]
            for _ in range(4):  # each of the three, and the first again
                setup.make(EXPIRED)
                assert setup.fresh()
            assert setup.state == "active"
            gateway.hub.sign_out("alice")
            assert setup.sql("SELECT count(*) FROM refresh_tokens") == [(0,)]
