"""Healthchecks through the gateway, with the real IAM and the embedded Healthchecks: projects, checks and what happened to them."""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from checks_site import ChecksSite, checks_site, new_project
from gateway_app import Gateway, HubStandIn
from gateway_calls import call, error_of
from naas_client.errors import Conflict, Forbidden, InvalidInput, NaasError, NotFound
from naas_client.gateway import SyncGatewayClient
from naas_client.gateway.checks import SyncChecksClient
from naas_client.models import CheckChanges, CheckProject, CheckProjectChanges, NewCheck, WantedSchedule
from naas_local.iam import EmbeddedIam
from pydantic import SecretStr
from waiting import wait_for

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[ChecksSite]:
    with checks_site(
        tmp_path_factory.mktemp("checks"),
        iam,
        hub,
        healthchecks={"requests_per_minute": 10_000},
        iam={"auth_refresh_age": 5},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def alice(site: ChecksSite) -> SyncGatewayClient:
    return site.person("alice")


@pytest.fixture(scope="module")
def bob(site: ChecksSite) -> SyncGatewayClient:
    return site.person("bob")


@pytest.fixture
def project(site: ChecksSite, alice: SyncGatewayClient) -> int:
    """A new project of alice's."""
    return site.registered(alice.checks)[0].id


def code_of(error: pytest.ExceptionInfo[NaasError]) -> str:
    assert error.value.message.endswith(".")
    return error.value.code


def test_a_project_is_registered_listed_renamed_and_removed(site: ChecksSite, alice: SyncGatewayClient) -> None:
    made, key = site.registered(alice.checks, name="  Nightly runs ")
    assert (made.name, made.group, made.read_only, made.writable, made.manageable) == (
        "Nightly runs",
        "",
        False,
        True,
        True,
    )
    listed = alice.checks.projects()
    assert made in listed.items
    assert (listed.url, "users/naas" in listed.groups) == (site.between.url, True)
    assert alice.checks.change_project(made.id, CheckProjectChanges(name="Nights")).name == "Nights"
    alice.checks.remove_project(made.id)
    assert made.id not in [one.id for one in alice.checks.projects().items]
    assert httpx.get(f"{site.server.url}/api/v3/checks/", headers={"X-Api-Key": key}).status_code == 200
    for action in ("register", "change", "remove"):
        assert ("alice", str(made.id)) in site.audit(f"check-project.{action}")


def test_the_key_stays_in_the_gateway_and_is_encrypted_there(site: ChecksSite, alice: SyncGatewayClient) -> None:
    made, key = site.registered(alice.checks)
    check = alice.checks.create(made.id, NewCheck(name="secretive"))
    seen = [
        alice.checks.projects(),
        alice.checks.list(),
        check,
        alice.checks.channels(made.id),
        alice.checks.badges(made.id),
    ]
    assert not any(key in document.model_dump_json() for document in seen)
    folder = site.gateway.log.parent
    with sqlite3.connect(folder / "gateway.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint")
    kept = [file for file in folder.iterdir() if file.is_file()]
    assert len(kept) > 3
    assert not any(key.encode() in file.read_bytes() for file in kept)
    assert key not in str(site.audit("check-project.register"))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("short", "32 characters"),
        ("x" * 33, "32 characters"),
        ("hcw_" + "é" * 28, "32 characters"),
        ("hcw_ " + "x" * 27, "32 characters"),
        ("hcw_" + "x" * 28, "does not know this key"),
    ],
)
def test_a_key_that_is_none_is_refused(alice: SyncGatewayClient, key: str, why: str) -> None:
    before = alice.checks.projects().total
    with pytest.raises(InvalidInput, match=why) as error:
        alice.checks.register(new_project(key))
    assert code_of(error) == "bad-key"
    assert key not in error.value.message
    assert alice.checks.projects().total == before


def test_a_key_is_registered_once_by_each(site: ChecksSite, alice: SyncGatewayClient, bob: SyncGatewayClient) -> None:
    made, key = site.registered(alice.checks, name="Ours")
    with pytest.raises(Conflict, match="as “Ours”") as error:
        alice.checks.register(new_project(key, name="Again"))
    assert code_of(error) == "key-registered"
    other = bob.checks.register(new_project(key, name="Mine"))
    alice.checks.create(made.id, NewCheck(name="seen by both"))
    assert [check.name for check in bob.checks.list(other.id).items] == ["seen by both"]
    assert [check.project for check in bob.checks.list(other.id).items] == [other.id]


def test_a_project_is_its_owners_alone(
    site: ChecksSite, project: int, alice: SyncGatewayClient, bob: SyncGatewayClient
) -> None:
    check = alice.checks.create(project, NewCheck(name="private"))
    tries: list[Any] = [
        lambda: bob.checks.list(project),
        lambda: bob.checks.get(project, check.id),
        lambda: bob.checks.create(project, NewCheck(name="x")),
        lambda: bob.checks.change(project, check.id, CheckChanges(name="x")),
        lambda: bob.checks.delete(project, check.id),
        lambda: bob.checks.pings(project, check.id),
        lambda: bob.checks.change_project(project, CheckProjectChanges(notify=False)),
        lambda: bob.checks.remove_project(project),
    ]
    for one in tries:
        with pytest.raises(NotFound) as error:
            one()
        assert code_of(error) == "no-such-project"
    own, _ = site.registered(bob.checks)
    for one in (lambda: bob.checks.get(own.id, check.id), lambda: bob.checks.pause(own.id, check.id)):
        with pytest.raises(NotFound) as error:  # another project's check by one's own key
            one()
        assert code_of(error) == "no-such-check"
    assert alice.checks.get(project, check.id).status == "new"


def test_a_groups_project_is_its_members(site: ChecksSite, alice: SyncGatewayClient, bob: SyncGatewayClient) -> None:
    dana = site.person("dana")
    with pytest.raises(Forbidden) as error:
        site.registered(bob.checks, group="developers")
    assert code_of(error) == "not-in-group"
    made, _ = site.registered(alice.checks, group="developers", members_write=False)
    assert (made.group, made.writable, made.manageable) == ("developers", True, True)
    assert made.id not in [one.id for one in bob.checks.projects().items]
    (seen,) = [one for one in dana.checks.projects().items if one.id == made.id]
    assert (seen.writable, seen.manageable, seen.registered_by) == (False, False, "alice")
    check = alice.checks.create(made.id, NewCheck(name="shared"))
    assert dana.checks.get(made.id, check.id).name == "shared"
    assert {one.ping_url for one in dana.checks.list(project=made.id).items} == {""}, (
        "with it one could say all is well"
    )
    assert (
        alice.checks.list(project=made.id).items[0].ping_url
        == alice.checks.get(made.id, check.id).ping_url
        == check.ping_url
    )
    with pytest.raises(Forbidden, match="Ask alice") as error:
        dana.checks.pause(made.id, check.id)
    assert code_of(error) == "read-only-member"
    with pytest.raises(Forbidden) as error:
        dana.checks.change_project(made.id, CheckProjectChanges(name="Mine"))
    assert code_of(error) == "not-manager"
    assert not dana.checks.change_project(made.id, CheckProjectChanges(notify=False)).notify
    assert alice.checks.change_project(made.id, CheckProjectChanges(members_write=True)).notify
    assert dana.checks.pause(made.id, check.id).status == "paused"
    administrator = site.gateway.client(site.hub.user_token("dana", "custom:naas:use", "custom:naas:admin"))
    assert administrator.checks.change_project(made.id, CheckProjectChanges(name="Theirs")).manageable


def test_who_leaves_the_group_loses_its_projects(site: ChecksSite) -> None:
    site.gateway.iam.add_user("leaver", ["users/naas", "developers"])
    leaver = site.person("leaver")
    made, _ = site.registered(leaver.checks, group="developers")
    site.gateway.iam.set_groups("leaver", ["users/naas"])
    wait_for(lambda: made.id not in [one.id for one in leaver.checks.projects().items], "claims are read again", 20)
    with pytest.raises(NotFound):
        leaver.checks.list(made.id)


def test_a_read_only_key_shows_and_changes_nothing(site: ChecksSite, alice: SyncGatewayClient) -> None:
    keys = site.keys()
    full, reading = (  # both before the project has any check to tell them apart by
        alice.checks.register(new_project(keys[kind], name=kind)) for kind in ("api_key", "api_key_readonly")
    )
    assert (full.read_only, full.writable, reading.read_only, reading.writable) == (False, True, True, False)
    made = alice.checks.create(full.id, NewCheck(name="by the other key", tags=["a", "b"]))
    wait_for(lambda: alice.checks.list(reading.id).items, "the list is read again", 10)
    (seen,) = alice.checks.list(reading.id).items
    assert (seen.name, seen.tags, seen.ping_url, seen.channels, len(seen.id)) == (made.name, ["a", "b"], "", [], 40)
    assert alice.checks.get(reading.id, seen.id).project == reading.id
    assert alice.checks.flips(reading.id, seen.id).items == []
    assert {badge.tag for badge in alice.checks.badges(reading.id).items} == {"*", "a", "b"}
    before = site.between.requests
    tries: list[Any] = [
        lambda: alice.checks.create(reading.id, NewCheck(name="x")),
        lambda: alice.checks.change(reading.id, seen.id, CheckChanges(name="x")),
        lambda: alice.checks.pause(reading.id, seen.id),
        lambda: alice.checks.delete(reading.id, seen.id),
        lambda: alice.checks.pings(reading.id, seen.id),
        lambda: alice.checks.channels(reading.id),
    ]
    for one in tries:
        with pytest.raises(Forbidden, match="Paste a read-write key") as error:
            one()
        assert code_of(error) == "read-only-key"
    assert site.between.requests == before  # the server was not asked


def test_all_fields_of_a_check_go_there_and_back(site: ChecksSite, project: int, alice: SyncGatewayClient) -> None:
    fields: dict[str, Any] = {
        "name": "<b>Nightly</b> “&” \N{PARTY POPPER}",
        "slug": "nightly-run",
        "tags": ["prod", "<i>x</i>"],
        "desc": "line\n<script>alert(1)</script>",
        "grace": 1800,
        "schedule": "30 1 * * 1-5",
        "tz": "Europe/Rome",
        "manual_resume": True,
        "methods": "POST",
        "start_kw": "begin",
        "success_kw": "done,ok",
        "failure_kw": "failed",
        "filter_subject": True,
        "filter_body": True,
        "filter_http_body": True,
        "filter_default_fail": True,
    }
    made = alice.checks.create(project, NewCheck(**fields))
    assert {name: getattr(made, name) for name in fields} == fields
    assert (made.kind, made.status, made.timeout, made.project) == ("cron", "new", None, project)
    assert made.ping_url == f"{site.server.ping_url}/{made.id}"
    assert made.channels == [channel.id for channel in alice.checks.channels(project).items] != []
    assert alice.checks.get(project, made.id) == alice.checks.list(project).items[0]
    simple = alice.checks.change(project, made.id, CheckChanges(timeout=3600, channels=[], tags=[], desc=""))
    assert (simple.kind, simple.timeout, simple.schedule, simple.channels, simple.tags) == (
        "simple",
        3600,
        None,
        [],
        [],
    )
    assert (simple.name, simple.desc, simple.grace) == (fields["name"], "", 1800)
    calendar = alice.checks.change(project, made.id, CheckChanges(schedule="Mon..Fri 01:30", tz="UTC"))
    assert (calendar.kind, calendar.schedule, calendar.tz) == ("oncalendar", "Mon..Fri 01:30", "UTC")


def test_a_check_is_found_again_by_unique(site: ChecksSite, project: int, alice: SyncGatewayClient) -> None:
    token = site.hub.user_token("alice")
    path, wanted = f"/healthchecks/projects/{project}/checks", {"name": "cell", "timeout": 600, "unique": ["name"]}
    first = call(site.gateway, "POST", path, token, json=wanted)
    second = call(site.gateway, "POST", path, token, json={**wanted, "timeout": 1200})
    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["id"], second.json()["timeout"]) == (second.json()["id"], 1200)
    quiet = alice.checks.change(project, first.json()["id"], CheckChanges(channels=[]))
    assert alice.checks.create(project, NewCheck(**wanted)).channels == quiet.channels == []
    with pytest.raises(Conflict, match="unique") as error:
        alice.checks.create(project, NewCheck(name="cell"))
    assert code_of(error) == "check-exists"
    other = alice.checks.create(project, NewCheck(name="other"))
    with pytest.raises(Conflict) as error:
        alice.checks.change(project, other.id, CheckChanges(name="cell"))
    assert code_of(error) == "check-exists"


def test_a_check_is_paused_resumed_and_deleted(site: ChecksSite, project: int, alice: SyncGatewayClient) -> None:
    made = alice.checks.create(project, NewCheck(name="job"))
    assert alice.checks.pause(project, made.id).status == "paused"
    assert alice.checks.list(project, state="paused").total == 1
    assert alice.checks.resume(project, made.id).status == "new"
    with pytest.raises(Conflict) as error:
        alice.checks.resume(project, made.id)
    assert code_of(error) == "not-paused"
    alice.checks.delete(project, made.id)
    assert alice.checks.list(project).items == []
    for one in (alice.checks.get, alice.checks.delete, alice.checks.pause, alice.checks.flips):
        with pytest.raises(NotFound) as gone:
            one(project, made.id)
        assert code_of(gone) == "no-such-check"
    for action in ("create", "pause", "resume", "delete"):
        assert ("alice", f"{project}/{made.id}") in site.audit(f"check.{action}")


def test_pings_bodies_and_flips_are_shown(site: ChecksSite, project: int, alice: SyncGatewayClient) -> None:
    made = alice.checks.create(project, NewCheck(name="run"))
    run = str(uuid.uuid4())
    httpx.get(f"{made.ping_url}/start", params={"rid": run})
    httpx.post(made.ping_url, params={"rid": run}, content="gain 48 channels")
    httpx.post(f"{made.ping_url}/3", content=b"\xff\x00binary")
    httpx.post(f"{made.ping_url}/log", content="note")
    wait_for(lambda: alice.checks.get(project, made.id).n_pings == 4, "the list is read again", 10)
    seen = alice.checks.pings(project, made.id)
    assert [(ping.n, ping.type, ping.exit_status, ping.has_body) for ping in seen.items] == [
        (4, "log", None, True),
        (3, "fail", 3, True),
        (2, "success", None, True),
        (1, "start", None, False),
    ]
    assert seen.items[2].duration is not None
    assert (seen.items[2].run, seen.items[2].method) == (run, "POST")
    page = alice.checks.pings(project, made.id, limit=3)
    assert [ping.n for ping in alice.checks.pings(project, made.id, limit=3, cursor=page.next).items] == [1]
    assert alice.checks.ping_body(project, made.id, 2).text == "gain 48 channels"
    binary = alice.checks.ping_body(project, made.id, 3)
    assert (binary.binary, binary.text, binary.size) == (True, "", 8)
    with pytest.raises(NotFound) as error:
        alice.checks.ping_body(project, made.id, 1)
    assert code_of(error) == "no-body"
    assert [flip.up for flip in alice.checks.flips(project, made.id).items] == [True, False]
    check = alice.checks.get(project, made.id)
    assert (check.status, check.n_pings) == ("down", 4)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert alice.checks.flips(project, made.id, since=long_ago, until=long_ago + dt.timedelta(days=9)).items == []
    with pytest.raises(InvalidInput, match="366 days"):
        alice.checks.flips(project, made.id, since=long_ago)
    for year in (1, 1970, 9999):
        with pytest.raises(InvalidInput, match="in the years"):
            alice.checks.flips(project, made.id, until=dt.datetime(year, 1, 1, tzinfo=dt.UTC))


def test_lists_are_filtered_sorted_and_paged(site: ChecksSite, project: int, alice: SyncGatewayClient) -> None:
    made = {
        name: alice.checks.create(project, NewCheck(name=name, tags=tags, desc=desc))
        for name, tags, desc in (
            ("Alpha", ["night"], ""),
            ("beta", ["night", "raw"], ""),
            ("gamma", [], "about ALPHA particles"),
            ("delta", [], ""),
            ("epsilon", [], ""),
        )
    }
    for name, signal in (("Alpha", ""), ("beta", "/fail"), ("delta", "/start")):
        httpx.get(made[name].ping_url + signal)
    alice.checks.pause(project, made["epsilon"].id)
    wait_for(lambda: alice.checks.list(project).states.get("down") == 1, "the list is read again", 10)
    page = alice.checks.list(project)
    assert [check.name for check in page.items] == ["beta", "delta", "Alpha", "epsilon", "gamma"]
    assert page.states == {"down": 1, "up": 1, "paused": 1, "new": 2, "started": 1}
    assert (page.tags, page.total, page.problems) == (["night", "raw"], 5, [])
    assert page.as_of is not None
    first = alice.checks.list(project, limit=2)
    second = alice.checks.list(project, limit=2, cursor=first.next)
    third = alice.checks.list(project, limit=2, cursor=second.next)
    assert (first.items + second.items + third.items, third.next) == (page.items, None)
    assert {check.name for check in alice.checks.list(project, search="alpha").items} == {"Alpha", "gamma"}
    assert {check.name for check in alice.checks.list(project, tag="night").items} == {"Alpha", "beta"}
    assert [check.name for check in alice.checks.list(project, state="started").items] == ["delta"]
    assert {check.name for check in alice.checks.list(search="alpha").items} >= {"Alpha", "gamma"}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"name": "x", "timeout": 59}, "invalid-input"),
        ({"name": "x", "timeout": 31_536_001}, "invalid-input"),
        ({"name": "x", "timeout": 1.5}, "invalid-input"),
        ({"name": "x", "timeout": "600"}, "invalid-input"),
        ({"name": "x", "grace": 30}, "invalid-input"),
        ({"name": "x", "schedule": "* * 31 2 *"}, "bad-schedule"),
        ({"name": "x", "schedule": "61 * * * *"}, "bad-schedule"),
        ({"name": "x", "schedule": "nonsense"}, "bad-schedule"),
        ({"name": "x", "schedule": "*-02-31"}, "bad-schedule"),
        ({"name": "x", "schedule": "* * * * *", "tz": "Mars/Base"}, "bad-time-zone"),
        ({"name": "x", "schedule": "* * * * *", "tz": "../../etc/passwd"}, "bad-time-zone"),
        ({"name": "x", "schedule": "* * * * *", "timeout": 60}, "invalid-input"),
        ({"name": "x", "channels": ["no-such-channel"]}, "invalid-input"),
        ({"name": "x", "channels": ["a,b"]}, "invalid-input"),
        ({"name": "x", "slug": "Not A Slug"}, "invalid-input"),
        ({"name": "x", "slug": "a/b"}, "invalid-input"),
        ({"name": "x", "tags": ["two words"]}, "invalid-input"),
        ({"name": "x", "methods": "PUT"}, "invalid-input"),
        ({"name": "x", "unique": ["desc"]}, "invalid-input"),
        ({"name": "x", "unique": ["slug"]}, "invalid-input"),
        ({"name": ""}, "invalid-input"),
        ({"name": "x" * 101}, "invalid-input"),
        ({"name": "two\nlines"}, "invalid-input"),
        ({}, "invalid-input"),
    ],
)
def test_bad_fields_make_nothing(
    site: ChecksSite, project: int, alice: SyncGatewayClient, wanted: dict[str, Any], code: str
) -> None:
    path = f"/healthchecks/projects/{project}/checks"
    assert error_of(call(site.gateway, "POST", path, site.hub.user_token("alice"), json=wanted)) == (400, code)
    assert alice.checks.list(project).items == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "invalid-input"),
        ({"tz": "Europe/Rome"}, "invalid-input"),
        ({"timeout": 59}, "invalid-input"),
        ({"schedule": "* * 31 2 *"}, "bad-schedule"),
    ],
)
def test_bad_changes_change_nothing(
    site: ChecksSite, project: int, alice: SyncGatewayClient, changes: dict[str, Any], code: str
) -> None:
    made = alice.checks.create(project, NewCheck(name="x"))
    path = f"/healthchecks/projects/{project}/checks/{made.id}"
    assert error_of(call(site.gateway, "PATCH", path, site.hub.user_token("alice"), json=changes)) == (400, code)
    assert alice.checks.get(project, made.id).model_dump(exclude={"as_of"}) == made.model_dump(exclude={"as_of"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/healthchecks/checks?state=broken", (400, "invalid-input")),
        ("/healthchecks/checks?cursor=x", (400, "invalid-input")),
        ("/healthchecks/checks?limit=0", (400, "invalid-input")),
        ("/healthchecks/projects/999999/checks", (404, "no-such-project")),
        ("/healthchecks/projects/0/checks", (400, "invalid-input")),
        ("/healthchecks/projects/1/checks/..%2f..%2fstatus", (404, "not-found")),
        ("/healthchecks/projects/1/checks/nonsense", (400, "invalid-input")),
    ],
)
def test_bad_addresses_are_told_of(
    site: ChecksSite, alice: SyncGatewayClient, path: str, expected: tuple[int, str]
) -> None:
    assert alice.checks.projects()
    assert error_of(call(site.gateway, "GET", path, site.hub.user_token("alice"))) == expected


def test_a_schedule_is_previewed(alice: SyncGatewayClient) -> None:
    seen = alice.checks.preview(WantedSchedule(schedule="30 1 * * 1-5", tz="Europe/Rome"))
    assert (seen.kind, seen.tz, len(seen.runs)) == ("cron", "Europe/Rome", 5)
    assert "Monday" in seen.text
    assert all((run.hour, run.minute, run.weekday() < 5) == (1, 30, True) for run in seen.runs)
    assert seen.runs == sorted(seen.runs)
    assert alice.checks.preview(WantedSchedule(schedule="*-*~1 12:00")).kind == "oncalendar"
    for schedule, kind in (("* * 31 2 *", None), ("Mon..Fri 01:30", "cron"), ("* * * * *", "oncalendar")):
        with pytest.raises(InvalidInput) as error:
            alice.checks.preview(WantedSchedule(schedule=schedule, kind=kind))  # type: ignore[arg-type]
        assert code_of(error) == "bad-schedule"


def test_a_revoked_key_is_told_of_and_a_new_one_helps(site: ChecksSite, alice: SyncGatewayClient) -> None:
    owner = "revoked-in-mid-session"
    old = site.server.project(owner)["api_key"]
    made = alice.checks.register(new_project(old, name="Precious"))
    check = alice.checks.create(made.id, NewCheck(name="still there"))
    new = site.server.admin("POST", f"/{owner}/keys").json()["api_key"]
    with pytest.raises(Conflict, match="Paste a new one") as error:
        alice.checks.pause(made.id, check.id)
    assert code_of(error) == "key-revoked"
    before = site.between.requests
    for one in (lambda: alice.checks.list(made.id), lambda: alice.checks.pings(made.id, check.id)):
        with pytest.raises(Conflict) as again:
            one()
        assert code_of(again) == "key-revoked"
    assert site.between.requests == before  # nobody asks with a dead key
    (problem,) = [one for one in alice.checks.list().problems if one.project == made.id]
    assert (problem.code, problem.as_of) == ("key-revoked", None)
    assert project_of(alice.checks, made.id).key_revoked
    with pytest.raises(InvalidInput):
        alice.checks.change_project(made.id, CheckProjectChanges(api_key=SecretStr("hcw_" + "y" * 28)))
    assert project_of(alice.checks, made.id).key_revoked
    changed = alice.checks.change_project(made.id, CheckProjectChanges(api_key=SecretStr(new)))
    assert not changed.key_revoked
    assert alice.checks.get(made.id, check.id).name == "still there"


def project_of(checks: SyncChecksClient, project_id: int) -> CheckProject:
    return next(one for one in checks.projects().items if one.id == project_id)


def test_everybody_who_looks_hears_of_a_change(site: ChecksSite, alice: SyncGatewayClient) -> None:
    dana = site.person("dana")
    made, _ = site.registered(alice.checks, group="developers")
    dana.checks.list(made.id)
    alice.checks.create(made.id, NewCheck(name="news"))
    with sqlite3.connect(site.gateway.log.parent / "gateway.sqlite") as database:
        rows = database.execute(
            "SELECT username, data FROM events WHERE type = 'checks.changed' ORDER BY id"
        ).fetchall()
    assert rows[-1] == ("dana", f'{{"project": {made.id}}}')


def test_health_and_me_tell_of_healthchecks(site: ChecksSite, alice: SyncGatewayClient) -> None:
    (part,) = [part for part in alice.health().parts if part.name == "healthchecks"]
    assert part.state == "ok"
    assert alice.me().capabilities["healthchecks"].allowed


def test_a_site_without_a_server_says_so(signed_in: Gateway, hub: HubStandIn) -> None:
    alice = signed_in.client(hub.user_token("alice"))
    with pytest.raises(NotFound, match="no Healthchecks server") as error:
        alice.checks.projects()
    assert code_of(error) == "no-healthchecks"
    assert "healthchecks" not in alice.me().capabilities
    assert "healthchecks" not in [part.name for part in alice.health().parts]


def test_who_has_not_the_capability_is_told_how_to_get_it(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn
) -> None:
    closed = {"healthchecks": ["developers"]}
    with checks_site(tmp_path_factory.mktemp("closed"), iam, hub, capabilities=closed) as site:
        bob, alice = site.person("bob"), site.person("alice")
        with pytest.raises(Forbidden, match="open to members of developers") as error:
            bob.checks.list()
        assert code_of(error) == "no-capability"
        assert not bob.me().capabilities["healthchecks"].allowed
        assert alice.checks.list().items == []
