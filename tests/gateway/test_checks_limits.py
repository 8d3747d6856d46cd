"""Healthchecks asked within its limit, by however many people and replicas; and what is shown while it does not answer."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from checks_site import ChecksSite, checks_site, new_project
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.errors import NaasError, NotFound, TooMany, Unavailable
from naas_client.gateway.checks import SyncChecksClient
from naas_client.models import CheckFlip, CheckProject, NewCheck
from naas_client.settings import HealthchecksSection
from naas_gateway.clients.healthchecks import Healthchecks, KeyRefused, Limited
from naas_gateway.clients.http import Answer, NoAnswer
from naas_gateway.db.engine import Database
from naas_gateway.services.checks import budgets as budgets_module
from naas_gateway.services.checks.budgets import CHANGE, LOOK, WATCH, Budgets
from naas_gateway.services.checks.looks import oldest_first
from naas_gateway.services.checks.reading import LARGEST_BODY, body_of, check_of, ping_of
from naas_local.iam import EmbeddedIam
from waiting import wait_for

pytestmark = pytest.mark.server

PANELS = 1000


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(budgets_module, "utcnow", found)
    monkeypatch.setattr(budgets_module, "PATIENCE", 0.0)
    return found


async def taken(budgets: Budgets, leave: float = CHANGE, tries: int = 1000) -> int:
    """How many requests may be made right now."""
    for n in range(tries):
        try:
            await budgets.take("key", leave)
        except TooMany:
            return n
    return tries


@pytest.mark.asyncio
async def test_no_minute_has_more_requests_than_the_limit(database: Database, clock: Clock) -> None:
    budgets, made = Budgets(database, 90), []
    for _ in range(300):  # two and a half minutes, always as many as there may be
        made += [clock.now] * await taken(budgets)
        clock.pass_(0.5)
    windows = [sum(start <= at < start + dt.timedelta(seconds=60) for at in made) for start in made]
    assert 85 <= max(windows) <= 90


@pytest.mark.asyncio
async def test_replicas_share_a_budget_and_keys_do_not(database: Database, clock: Clock) -> None:
    replicas = [Budgets(database, 30) for _ in range(3)]
    assert sum(await asyncio.gather(*(taken(budgets) for budgets in replicas))) == 10
    await replicas[0].take("another key", CHANGE)


@pytest.mark.asyncio
async def test_looking_leaves_room_for_what_people_do(database: Database, clock: Clock) -> None:
    budgets = Budgets(database, 120)
    assert [await taken(budgets, leave) for leave in (WATCH, LOOK, CHANGE)] == [20, 10, 10]
    assert budgets.level("key") < 0.1
    clock.pass_(60)
    assert await taken(budgets, WATCH) == 20


@pytest.mark.asyncio
async def test_a_429_holds_all_replicas_back_and_longer_each_time(database: Database, clock: Clock) -> None:
    here, there = Budgets(database, 90), Budgets(database, 90)

    async def limited() -> None:
        raise Limited(20)

    for pause in (20, 40, 80):
        with pytest.raises(TooMany, match=f"in {pause} s"):
            await here.ask("key", LOOK, limited)
        clock.pass_(pause - 1)
        assert await taken(there) == 0
        clock.pass_(2)
    clock.pass_(3600)
    with pytest.raises(TooMany, match="in 20 s"):
        await here.ask("key", LOOK, limited)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[ChecksSite]:
    with checks_site(tmp_path_factory.mktemp("checks"), iam, hub) as running:
        yield running


@pytest.fixture(scope="module")
def alice(site: ChecksSite) -> SyncChecksClient:
    return site.person("alice").checks


@pytest.fixture
def project(site: ChecksSite, alice: SyncChecksClient) -> Iterator[CheckProject]:
    yield site.registered(alice)[0]
    site.between.well()
    wait_for(lambda: _healthy(site.gateway), "the gateway has noticed that all is well", 60)


def _healthy(gateway: Gateway) -> bool:
    return next(part for part in gateway.hub.health().parts if part.name == "healthchecks").state == "ok"


def requests_of(site: ChecksSite, work: Callable[[], Any]) -> int:
    before = site.between.requests
    work()
    return site.between.requests - before


def test_a_thousand_open_panels_are_one_reader(site: ChecksSite, alice: SyncChecksClient) -> None:
    made, _ = site.registered(alice, group="users/naas")
    check = alice.create(made.id, NewCheck(name="looked at"))
    people = [alice, *(site.person(name).checks for name in ("bob", "dana"))]

    def open_panel(n: int) -> None:
        checks = people[n % len(people)]
        assert [one.name for one in checks.list(made.id).items] == ["looked at"]
        assert checks.pings(made.id, check.id).items == []
        assert checks.flips(made.id, check.id).items == []

    def open_all() -> None:
        with ThreadPoolExecutor(20) as panels:
            list(panels.map(open_panel, range(PANELS)))

    kept = site.metric("naas_gateway_healthchecks_looks_total", source="kept")
    assert requests_of(site, open_all) <= 30  # a minute of them at most, on a machine as slow as can be
    assert site.metric("naas_gateway_healthchecks_looks_total", source="kept") - kept > 4 * PANELS
    assert alice.create(made.id, NewCheck(name="there is room left")).status == "new"


def test_two_gateways_together_keep_within_the_limit(
    site: ChecksSite,
    iam: EmbeddedIam,
    hub: HubStandIn,
    alice: SyncChecksClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made, _ = site.registered(alice)
    check = alice.create(made.id, NewCheck(name="asked a lot"))
    httpx.post(check.ping_url, content="words")
    healthchecks = {"url": site.between.url, "ping_url": site.server.ping_url}
    sections = {"healthchecks": healthchecks, "gateway": {"hub_api_url": hub.url}}
    with gateway_app(site.gateway.log.parent, iam, name="second", **sections) as second:
        other = second.client(hub.user_token("alice")).checks
        wait_for(lambda: all(one.get(made.id, check.id).n_pings for one in (alice, other)), "the ping is seen", 15)

        def ask(checks: SyncChecksClient) -> str:
            try:
                return checks.ping_body(made.id, check.id, 1).text
            except TooMany as error:
                return error.code

        def ask_much() -> None:
            with ThreadPoolExecutor(8) as askers:
                answers.extend(askers.map(ask, [alice, other] * 40))

        answers: list[str] = []
        assert requests_of(site, ask_much) <= 45  # of 90 a minute: a third at once, and what comes back meanwhile
        assert set(answers) == {"words", "healthchecks-busy"}


def test_the_list_is_shown_with_its_age_while_the_server_is_away(
    site: ChecksSite, alice: SyncChecksClient, project: CheckProject
) -> None:
    check = alice.create(project.id, NewCheck(name="kept"))
    seen = alice.list(project.id)
    site.between.stop()
    page = wait_for(lambda: (found := alice.list(project.id)).problems and found, "the list has become old", 20)
    (problem,) = page.problems
    assert ([one.name for one in page.items], page.as_of) == (["kept"], seen.as_of)
    assert (problem.project, problem.code, problem.as_of) == (project.id, "healthchecks-down", seen.as_of)
    assert [one.name for one in alice.list(search="kept").items] == ["kept"]
    assert alice.get(project.id, check.id).as_of == seen.items[0].as_of
    for change in (
        lambda: alice.pause(project.id, check.id),
        lambda: alice.create(project.id, NewCheck(name="new")),
        lambda: alice.register(new_project("hcw_" + "x" * 28)),
    ):
        with pytest.raises(Unavailable) as error:
            change()
        assert error.value.code == "healthchecks-down"
    wait_for(lambda: not _healthy(site.gateway), "health tells of it", 20)
    site.between.start()
    wait_for(lambda: not alice.list(project.id).problems, "the list is new again", 60)
    assert alice.pause(project.id, check.id).status == "paused"


def test_a_slow_server_keeps_nobody_waiting_who_can_be_shown_something(
    site: ChecksSite, alice: SyncChecksClient, project: CheckProject
) -> None:
    alice.create(project.id, NewCheck(name="kept"))
    alice.list(project.id)
    site.between.delay = 5.0

    def look() -> bool:
        started = dt.datetime.now(dt.UTC)
        page = alice.list(project.id)
        assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=4.5)
        return [problem.code for problem in page.problems] == ["healthchecks-down"] and bool(page.items)

    wait_for(look, "an old list is shown", 20)


def test_one_project_that_fails_does_not_hide_the_others(site: ChecksSite, alice: SyncChecksClient) -> None:
    good, _ = site.registered(alice, name="good")
    alice.create(good.id, NewCheck(name="visible"))
    owner = "ended-under-us"
    bad = alice.register(new_project(site.server.project(owner)["api_key"], name="bad"))
    site.server.admin("DELETE", f"/{owner}")
    page = alice.list(search="visible")
    assert [(one.project, one.name) for one in page.items] == [(good.id, "visible")]
    assert [(problem.project, problem.code) for problem in page.problems] == [(bad.id, "key-revoked")]
    alice.remove_project(bad.id)


def test_the_servers_own_limit_is_obeyed(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn
) -> None:
    """The server allows less than our settings say."""
    folder: Path = tmp_path_factory.mktemp("limited")
    with checks_site(
        folder, iam, hub, server={"requests_per_minute": 12}, healthchecks={"requests_per_minute": 6000}
    ) as limited:
        checks = limited.person("alice").checks
        made, _ = limited.registered(checks)

        def exhaust() -> str:
            try:
                for n in range(30):
                    checks.create(made.id, NewCheck(name=f"check {n}"))
            except NaasError as error:
                return error.code
            return ""

        assert exhaust() == "healthchecks-busy"
        assert limited.metric("naas_gateway_healthchecks_requests_total", result="limited") == 1
        assert requests_of(limited, exhaust) == 0
        assert requests_of(limited, lambda: [checks.list(made.id) for _ in range(20)]) == 0
        assert checks.list(made.id).total >= 3
        with pytest.raises(TooMany, match="Try again in"):
            checks.delete(made.id, checks.list(made.id).items[0].id)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (200, b"<html>sign in</html>", Unavailable, "unavailable"),
        (200, b"[]", Unavailable, "healthchecks-down"),
        (200, b'{"checks": "none"}', Unavailable, "healthchecks-down"),
        (401, b"<html>a proxy's own page</html>", Unavailable, "healthchecks-down"),
        (401, b'{"error": "wrong api key"}', KeyRefused, ""),
        (403, b'{"error": "x"}', NotFound, "not-found"),
        (302, b"", Unavailable, "healthchecks-down"),
        (500, b'{"error": "wrong api key"}', Unavailable, "healthchecks-down"),
        (429, b"slow down", Limited, ""),
    ],
)
async def test_answers_that_are_none_of_healthchecks_are_told_apart(
    status: int, body: bytes, error: type[Exception], code: str
) -> None:
    """No server of ours says such things: proxies in front of one do."""
    server = Healthchecks(HealthchecksSection(url="http://127.0.0.1:9"))
    server.service.request = AsyncMock(return_value=Answer(status, body, {"retry-after": "7"}))  # type: ignore[method-assign]
    if status >= 500:
        server.service.request.side_effect = NoAnswer("Healthchecks does not answer.", code="healthchecks-down")
    with pytest.raises(error) as found:
        await server.checks("k" * 32)
    assert getattr(found.value, "code", "") == code
    assert "k" * 32 not in str(found.value)
    assert getattr(found.value, "pause", 7) == 7
    await server.service.close()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"uuid": "u", "status": "up", "grace": "soon"},
        {"uuid": "u", "status": "up", "last_ping": "yesterday"},
        {"uuid": ["u"], "status": "up"},
    ],
)
def test_a_check_that_cannot_be_read_is_the_servers_fault(document: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="cannot be read") as error:
        check_of(document, dt.datetime.now(dt.UTC), "")
    assert error.value.code == "healthchecks-down"


def test_a_state_that_nobody_knows_is_shown_as_it_is() -> None:
    now = dt.datetime.now(dt.UTC)
    check = check_of({"uuid": "u", "status": "asleep" * 20, "timeout": 60, "new_field": {}}, now, "https://hc/ping")
    assert check.status == "unknown: " + ("asleep" * 20)[:40]
    assert check.ping_url == "https://hc/ping/u"
    assert ping_of({"n": 1, "date": "2026-01-01T00:00:00Z", "type": "odd"}).type == "unknown: odd"


@pytest.mark.parametrize(
    ("body", "text", "binary"),
    [
        (b"plain", "plain", False),
        (b"\xff\xfe", "", True),
        ("é".encode() * LARGEST_BODY, "é" * (LARGEST_BODY // 2), False),
        (b"x" + "é".encode() * LARGEST_BODY, "x" + "é" * (LARGEST_BODY // 2 - 1), False),
        (b"\xff" * 2 * LARGEST_BODY, "", True),
    ],
)
def test_a_long_body_is_cut_between_characters(body: bytes, text: str, binary: bool) -> None:
    found = body_of(1, body)
    assert (found.text, found.binary, found.size) == (text, binary, len(body))
    assert found.truncated is (len(body) > LARGEST_BODY)


def test_flips_of_one_second_stay_in_order() -> None:
    second = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    newest_first = [CheckFlip(at=second, up=False), CheckFlip(at=second, up=True)]
    assert [flip.up for flip in oldest_first(newest_first)] == [True, False]
    later = [*newest_first[::-1], CheckFlip(at=second + dt.timedelta(seconds=1), up=True)]
    assert oldest_first(later) == later
