"""People's own projects on an embedded server, made at first use; and what people are told when a check goes down or comes up."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import iam_login
import pytest
from checks_site import ChecksSite, checks_site
from gateway_app import HubStandIn, gateway_app, sign_in_document
from naas_client.errors import Conflict, NaasError, Unavailable
from naas_client.gateway.checks import SyncChecksClient
from naas_client.models import CheckChanges, CheckProject, CheckProjectChanges, NewCheck
from naas_client.settings import SharedSettings, load
from naas_gateway.services.platform import Platform
from naas_local.healthchecks import ADMIN_KEY
from naas_local.iam import EmbeddedIam
from pydantic import SecretStr
from waiting import wait_for

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[ChecksSite]:
    folder: Path = tmp_path_factory.mktemp("checks")
    own = {"admin_key_file": str(folder / "healthchecks" / ADMIN_KEY), "requests_per_minute": 10_000}
    mail = {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "naas@example.org"}  # nobody there
    with checks_site(folder, iam, hub, server={"mail": mail}, healthchecks=own, iam={"auth_refresh_age": 5}) as running:
        yield running


def newcomer(site: ChecksSite, name: str, groups: tuple[str, ...] = ()) -> SyncChecksClient:
    site.gateway.iam.add_user(name, ["users/naas", *groups])
    return site.person(name).checks


def test_everybody_has_a_project_from_the_first_look_on(site: ChecksSite) -> None:
    people = [newcomer(site, "first-one"), newcomer(site, "first-two")]
    with ThreadPoolExecutor(12) as panels:  # panel, magic and CLI at once
        looks = list(panels.map(lambda n: people[n % 2].projects() if n % 3 else people[n % 2].list(), range(12)))
    assert len(looks) == 12
    for checks, name in zip(people, ("first-one", "first-two"), strict=True):
        (own,) = checks.projects().items
        assert (own.name, own.provisioned, own.writable, own.group) == (name, True, True, "")
        assert {channel.kind for channel in checks.channels(own.id).items} == {"lab"}
        assert checks.create(own.id, NewCheck(name="mine")).ping_url.startswith(site.server.ping_url)
        with pytest.raises(Conflict) as error:
            checks.remove_project(own.id)
        assert error.value.code == "provisioned"
        with pytest.raises(Conflict) as error:
            checks.change_project(own.id, CheckProjectChanges(api_key=SecretStr(site.keys()["api_key_readonly"])))
        assert error.value.code == "provisioned"
    assert [row for row in site.audit("check-project.provision") if row[0] == "naas-gateway"]


def test_alerts_of_the_own_project_go_to_the_address_that_iam_has_verified(site: ChecksSite, iam: EmbeddedIam) -> None:
    iam.add_user("mailed", ["users/naas"])
    checks = site.gateway.client(site.hub.user_token("mailed")).checks
    for address, verified in (
        ("typed@example.org", False),
        ("first@example.org", True),
        ("second@example.org", True),
        ("typed@example.org", False),
    ):
        tokens = iam_login.sign_in(iam, "mailed")
        claims = {"email": address, "email_verified": verified}
        site.gateway.hub.sign_in(sign_in_document(iam, "mailed", tokens, **claims))
        assert checks.projects().total == 1
        channels = site.server.admin("GET", "/mailed").json()["channels"]
        assert [one["name"] for one in channels if one["kind"] == "email"] == ([address] if verified else [])


def test_two_gateways_make_one_project(site: ChecksSite, iam: EmbeddedIam, hub: HubStandIn) -> None:
    here = newcomer(site, "seen-by-both")
    settings = load(site.gateway.log.parent / "gateway.yaml", SharedSettings)
    healthchecks = settings.healthchecks.model_dump(mode="json")
    sections = {"healthchecks": healthchecks, "gateway": {"hub_api_url": hub.url}}
    with gateway_app(site.gateway.log.parent, iam, name="second", **sections) as second:
        there = second.client(hub.user_token("seen-by-both")).checks
        with ThreadPoolExecutor(8) as panels:
            found = list(panels.map(lambda n: (here, there)[n % 2].projects().items, range(8)))
    assert len({(own.id,) for (own,) in found}) == 1
    check = here.create(found[0][0].id, NewCheck(name="the key is the server's newest"))
    assert here.pause(found[0][0].id, check.id).status == "paused"


def test_a_project_that_the_server_has_lost_is_made_again(site: ChecksSite) -> None:
    checks = newcomer(site, "unlucky")
    (own,) = checks.projects().items
    checks.create(own.id, NewCheck(name="lost"))
    site.server.admin("DELETE", "/unlucky")

    def create() -> str:
        try:
            return checks.create(own.id, NewCheck(name="found")).status
        except Unavailable:
            return ""

    wait_for(lambda: create() == "new", "there is a new project", 40)
    assert [one.id for one in checks.projects().items] == [own.id]


def test_without_the_server_the_others_projects_are_still_listed(site: ChecksSite) -> None:
    checks = newcomer(site, "patient")
    site.between.stop()
    try:
        with pytest.raises(NaasError) as error:
            checks.projects()
        assert error.value.code == "healthchecks-down"
    finally:
        site.between.start()
    wait_for(lambda: projects_of(checks), "the project is made when the server is back", 60)


def projects_of(checks: SyncChecksClient) -> list[CheckProject]:
    try:
        return checks.projects().items
    except NaasError:
        return []


def look(site: ChecksSite) -> None:
    """A pass of the watcher of another replica, which has read nothing yet."""

    async def watch() -> None:
        platform = Platform(load(site.gateway.log.parent / "gateway.yaml", SharedSettings))
        assert platform.check_watcher is not None
        await platform.check_watcher.watch()
        await platform.database.close()

    asyncio.run(watch())


def events(site: ChecksSite, check: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What was told about a check: type, to whom, what; in order."""
    with sqlite3.connect(site.gateway.log.parent / "gateway.sqlite") as database:
        rows = database.execute(
            "SELECT type, username, data FROM events WHERE type LIKE 'check.%' ORDER BY id"
        ).fetchall()
    found = [(kind, name, json.loads(data)) for kind, name, data in rows]
    return [event for event in found if event[2]["check"] == check]


def test_flips_are_told_once_to_those_who_want_to_hear(site: ChecksSite) -> None:
    owner, member, deaf, left = (
        newcomer(site, name, ("developers",)) for name in ("owner", "member", "deaf-one", "left-one")
    )
    made, _ = site.registered(owner, group="developers", name="Shared")
    for checks in (owner, member, deaf, left):
        checks.list(made.id)
    deaf.change_project(made.id, CheckProjectChanges(notify=False))
    check = owner.create(made.id, NewCheck(name="nightly"))
    site.gateway.iam.set_groups("left-one", ["users/naas"])
    wait_for(lambda: made.id not in [one.id for one in left.projects().items], "their groups are read again", 20)

    httpx.get(check.ping_url)
    look(site)
    assert events(site, check.id) == []  # a first ping is no news
    httpx.get(f"{check.ping_url}/7")
    look(site)
    look(site)
    down = {
        "project": made.id,
        "project_name": "Shared",
        "check": check.id,
        "name": "nightly",
        "status": "down",
        "cause": "failure",
        "exit_status": 7,
    }
    assert sorted((name, kind) for kind, name, _ in events(site, check.id)) == [
        ("member", "check.down"),
        ("owner", "check.down"),
    ]
    assert events(site, check.id)[0][2] == down
    httpx.get(check.ping_url)
    look(site)
    told = [(kind, name, data["status"]) for kind, name, data in events(site, check.id)][2:]
    assert sorted(told) == [("check.up", "member", "up"), ("check.up", "owner", "up")]


def test_a_pause_is_no_news(site: ChecksSite) -> None:
    checks = newcomer(site, "pausing")
    (own,) = checks.projects().items
    checks.list(own.id)
    check = checks.create(own.id, NewCheck(name="paused"))
    httpx.get(check.ping_url)
    look(site)
    checks.pause(own.id, check.id)
    look(site)
    checks.resume(own.id, check.id)
    look(site)
    assert events(site, check.id) == []


def test_lab_is_told_at_once_of_the_own_project_unless_its_channel_is_taken_away(site: ChecksSite) -> None:
    checks = newcomer(site, "in-lab")
    (own,) = checks.projects().items
    told, untold = (checks.create(own.id, NewCheck(name=name)) for name in ("told", "untold"))
    checks.change(own.id, untold.id, CheckChanges(channels=[]))
    for check in (told, untold):
        httpx.get(check.ping_url)
    began = time.monotonic()
    for check in (untold, told):
        httpx.get(f"{check.ping_url}/3")
    wait_for(lambda: events(site, told.id), "the event", 20)
    assert time.monotonic() - began < 10  # as a rule within a second
    assert checks.get(own.id, told.id).status == "down"  # who is told and looks sees it
    about = {"status": "down", "cause": "failure", "exit_status": 3, "project": own.id, "project_name": own.name}
    assert events(site, told.id) == [("check.down", "in-lab", {"check": told.id, "name": "told", **about})]
    look(site)
    site.gateway.stop()
    httpx.get(told.ping_url)
    site.gateway.start()
    wait_for(lambda: events(site, told.id)[1:], "what happened while the gateway was away", 20)
    checks.change_project(own.id, CheckProjectChanges(notify=False))
    other = newcomer(site, "in-lab-too")
    (theirs,) = other.projects().items
    fence = other.create(theirs.id, NewCheck(name="fence"))
    for check in (told, fence):
        httpx.get(f"{check.ping_url}/fail")
    wait_for(lambda: events(site, fence.id), "the event of somebody else", 20)
    assert [kind for kind, _, _ in events(site, told.id)] == ["check.down", "check.up"]
    assert events(site, untold.id) == []
