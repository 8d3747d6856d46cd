"""Checks in the management API v3: https://healthchecks.io/docs/api/."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from healthchecks_site import NOBODY, HealthchecksSite, new_name

pytestmark = pytest.mark.server

FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "slug": str,
    "tags": str,
    "desc": str,
    "grace": int,
    "n_pings": int,
    "status": str,
    "started": bool,
    "last_ping": (str, type(None)),
    "next_ping": (str, type(None)),
    "manual_resume": bool,
    "methods": str,
    "start_kw": str,
    "success_kw": str,
    "failure_kw": str,
    "filter_subject": bool,
    "filter_body": bool,
}
OF_WRITERS = ("ping_url", "update_url", "pause_url", "resume_url", "channels")


def assert_shape(check: dict[str, Any]) -> None:
    for name, kind in FIELDS.items():
        assert isinstance(check[name], kind), name


def error(answer: httpx.Response) -> str:
    assert answer.headers["Content-Type"].startswith("application/json")
    text = answer.json()["error"]
    assert isinstance(text, str)
    return text


def test_a_check_can_be_made_of_nothing(site: HealthchecksSite) -> None:
    check = site.create()
    assert_shape(check)
    assert (check["name"], check["slug"], check["tags"], check["desc"], check["channels"]) == ("", "", "", "", "")
    assert (check["timeout"], check["grace"]) == (86400, 3600)
    assert (check["status"], check["n_pings"], check["last_ping"], check["next_ping"]) == ("new", 0, None, None)
    assert check["pause_url"] == f"{check['update_url']}/pause"
    assert check["resume_url"] == f"{check['update_url']}/resume"
    assert check["ping_url"].endswith(check["update_url"].rpartition("/")[2])


def test_all_fields_are_kept(site: HealthchecksSite) -> None:
    fields = {
        "name": "Nächtliche Sicherung",
        "slug": new_name(),
        "tags": "prod backup",
        "desc": "every night\nat two",
        "timeout": 3600,
        "grace": 60,
        "manual_resume": True,
        "methods": "POST",
        "start_kw": "START",
        "success_kw": "DONE,FINISHED",
        "failure_kw": "ERROR",
        "filter_subject": True,
        "filter_body": True,
    }
    check = site.create(**fields)
    assert {name: check[name] for name in fields} == fields
    assert site.show(check) == check


@pytest.mark.parametrize(
    "schedule", ["15 5 * * *", "*/5 9-17 * * 1-5", "0 2 * * SUN#1", "*-*~1 12:00", "Mon..Fri 06:00"]
)
def test_a_schedule_takes_the_place_of_the_timeout(site: HealthchecksSite, schedule: str) -> None:
    check = site.create(schedule=schedule, tz="Europe/Rome", timeout=3600)
    assert (check["schedule"], check["tz"]) == (schedule, "Europe/Rome")
    assert "timeout" not in check
    simple = site.call("POST", check["update_url"], json={"timeout": 120}).json()
    assert simple["timeout"] == 120
    assert "schedule" not in simple
    assert "tz" not in simple


def test_an_update_leaves_what_it_does_not_name(site: HealthchecksSite) -> None:
    check = site.create(name="before", tags="one", timeout=600, grace=120)
    answer = site.call("POST", check["update_url"], json={"name": "after"})
    assert answer.status_code == 200
    assert answer.json() == {**check, "name": "after"}
    assert site.call("POST", check["update_url"], json={}).json() == {**check, "name": "after"}


def test_delete_returns_the_check(site: HealthchecksSite) -> None:
    check = site.create(name="short life")
    gone = site.call("DELETE", check["update_url"])
    assert gone.status_code == 200
    assert gone.json()["name"] == "short life"
    for method in ("GET", "POST", "DELETE"):
        assert site.call(method, check["update_url"], json={} if method == "POST" else None).status_code == 404
    for end in ("pause", "resume"):
        assert site.call("POST", f"{check['update_url']}/{end}").status_code == 404


def test_the_list_is_filtered_by_slug_and_by_all_tags(site: HealthchecksSite) -> None:
    tag, slug = new_name(), new_name()
    both = site.create(name="both", tags=f"{tag} {tag}-more", slug=slug)
    one = site.create(name="one", tags=tag, slug=slug)
    site.create(name="other", tags=f"{tag}-longer")

    def names(query: str) -> set[str]:
        return {check["name"] for check in site.call("GET", f"/checks/?{query}").json()["checks"]}

    assert names(f"tag={tag}") == {"both", "one"}
    assert names(f"tag={tag}&tag={tag}-more") == {"both"}
    assert names(f"slug={slug}") == {"both", "one"}
    assert names(f"slug={slug}&tag={tag}-more") == {"both"}
    assert names(f"slug={slug}-none") == set()
    listed = {check["update_url"]: check for check in site.call("GET", "/checks/").json()["checks"]}
    assert listed[both["update_url"]] == both
    assert listed[one["update_url"]] == one


def test_unique_finds_the_check_that_is_the_same(site: HealthchecksSite) -> None:
    name = new_name()
    wanted = {"name": name, "tags": "a", "timeout": 600, "unique": ["name", "tags", "timeout"]}
    made = site.call("POST", "/checks/", json=wanted)
    first = site.mine(made)
    again = site.call("POST", "/checks/", json={**wanted, "desc": "changed"})
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first, "desc": "changed"}
    other = site.call("POST", "/checks/", json={**wanted, "tags": "b"})
    assert other.status_code == 201
    site.mine(other)
    absent = site.call("POST", "/checks/", json={"name": name, "unique": ["name", "slug"]})
    assert absent.status_code == 201, "a field of unique that is left out matches nothing"
    site.mine(absent)


def test_two_checks_may_have_one_name(site: HealthchecksSite) -> None:
    name = new_name()
    assert site.create(name=name)["ping_url"] != site.create(name=name)["ping_url"]


WRONG = [
    ({"timeout": 59}, "timeout is too small"),
    ({"timeout": 0}, "timeout is too small"),
    ({"timeout": -1}, "timeout is too small"),
    ({"timeout": 31_536_001}, "timeout is too large"),
    ({"timeout": "60"}, "timeout is not a number"),
    ({"grace": 59}, "grace is too small"),
    ({"grace": 31_536_001}, "grace is too large"),
    ({"name": "x" * 101}, "name is too long"),
    ({"name": 1}, "name is not a string"),
    ({"name": None}, "name is not a string"),
    ({"desc": []}, "desc is not a string"),
    ({"slug": "a/b"}, "slug does not match pattern"),
    ({"slug": "Größe"}, "slug does not match pattern"),
    ({"slug": "UPPER"}, "slug does not match pattern"),
    ({"schedule": "* * 31 2 *"}, "schedule is not a valid cron or OnCalendar expression"),
    ({"schedule": "* * * *"}, "schedule is not a valid cron or OnCalendar expression"),
    ({"schedule": "60 * * * *"}, "schedule is not a valid cron or OnCalendar expression"),
    ({"schedule": "*-02-31"}, "schedule is not a valid cron or OnCalendar expression"),
    ({"schedule": "0 " * 60}, "schedule is too long"),
    ({"tz": "Mars/Olympus"}, "tz is not a valid timezone"),
    ({"tz": 1}, "tz is not a string"),
    ({"manual_resume": 1}, "manual_resume is not a boolean"),
    ({"methods": "PUT"}, "methods has unexpected value"),
    ({"success_kw": "x" * 201}, "success_kw is too long"),
    ({"filter_body": "yes"}, "filter_body is not a boolean"),
    ({"unique": "name"}, "unique is not an array"),
    ({"unique": ["status"]}, "an item in 'unique' has unexpected value"),
    ({"channels": 1}, "channels is not a string"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=[f"{given!r:.40}" for given, _ in WRONG])
def test_a_wrong_value_is_named_and_changes_nothing(
    site: HealthchecksSite, fields: dict[str, Any], message: str
) -> None:
    check = site.create(name="right")
    for path in ("/checks/", check["update_url"]):
        answer = site.call("POST", path, json=fields)
        assert answer.status_code == 400
        assert error(answer) == f"json validation error: {message}"
    assert site.show(check) == check


@pytest.mark.parametrize("fields", [{"timeout": 60}, {"timeout": 31_536_000}, {"grace": 60}, {"grace": 31_536_000}])
def test_the_limits_themselves_are_allowed(site: HealthchecksSite, fields: dict[str, Any]) -> None:
    assert {name: site.create(**fields)[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"{", "could not parse request body"), (b"[]", "json validation error: value is not an object")],
)
def test_a_body_that_is_no_object(site: HealthchecksSite, body: bytes, message: str) -> None:
    answer = site.call("POST", "/checks/", content=body)
    assert answer.status_code == 400
    assert error(answer) == message


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("no-such-channel", "invalid channel identifier: no-such-channel"),
        (NOBODY, f"invalid channel identifier: {NOBODY}"),
        (",", "empty channel identifier"),
    ],
)
def test_unknown_channels(site: HealthchecksSite, channels: str, message: str) -> None:
    answer = site.call("POST", "/checks/", json={"channels": channels})
    assert answer.status_code == 400
    assert error(answer) == message


def test_channels_are_assigned_by_id_by_name_or_all(site: HealthchecksSite) -> None:
    channels = site.call("GET", "/channels/").json()["channels"]
    for channel in channels:
        assert {"id", "name", "kind"} <= channel.keys()
    ids = sorted(channel["id"] for channel in channels)
    check = site.create(channels="*")
    assert check["channels"] == ",".join(ids)
    assert site.call("POST", check["update_url"], json={"channels": ""}).json()["channels"] == ""
    if not ids:
        pytest.skip("the project has no channel")
    assert site.create(channels=ids[0])["channels"] == ids[0]
    names = [channel["name"] for channel in channels]
    named = [channel for channel in channels if channel["name"] and names.count(channel["name"]) == 1]
    for channel in named:
        assert site.create(channels=channel["name"])["channels"] == channel["id"]


def test_the_key_may_be_in_the_body(site: HealthchecksSite) -> None:
    answer = httpx.post(f"{site.url}/api/v3/checks/", content=json.dumps({"api_key": site.key, "name": "by body"}))
    assert answer.status_code == 201
    assert site.mine(answer)["name"] == "by body"


@pytest.mark.parametrize(
    ("key", "message"), [("", "missing api key"), ("short", "missing api key"), ("x" * 32, "wrong api key")]
)
def test_without_the_right_key_nothing_is_told(site: HealthchecksSite, key: str, message: str) -> None:
    check = site.create()
    calls = [("GET", "/checks/"), ("POST", "/checks/"), ("GET", "/channels/"), ("GET", "/badges/")]
    calls += [(method, check["update_url"]) for method in ("GET", "POST", "DELETE")]
    calls += [
        ("POST", check["pause_url"]),
        ("GET", f"{check['update_url']}/pings/"),
        ("GET", f"{check['update_url']}/flips/"),
    ]
    for method, path in calls:
        answer = site.call(method, path, key=key, json={} if method == "POST" else None)
        assert answer.status_code == 401, path
        assert error(answer) == message


def test_an_unknown_uuid(site: HealthchecksSite) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("GET", "/pings/"),
        ("GET", "/flips/"),
    ):
        assert site.call(method, f"/checks/{NOBODY}{path}", json={} if method == "POST" else None).status_code == 404


def test_a_read_only_key_reads_and_hides_what_pings(read_site: HealthchecksSite) -> None:
    site = read_site
    check = site.create(name="seen", tags=new_name())
    listed = site.call("GET", f"/checks/?tag={check['tags']}", key=site.read_key).json()["checks"]
    assert len(listed) == 1
    seen = listed[0]
    assert_shape(seen)
    assert not {*OF_WRITERS, "uuid"} & seen.keys()
    assert check["ping_url"].rpartition("/")[2] not in json.dumps({**seen, "badge_url": ""})
    by_key = f"/checks/{seen['unique_key']}"
    assert site.call("GET", by_key, key=site.read_key).json() == seen
    assert site.call("GET", by_key).json() == check
    assert site.call("GET", f"{by_key}/flips/", key=site.read_key).json() == {"flips": []}
    assert site.call("GET", f"/checks/{'0' * 40}", key=site.read_key).status_code == 404
    assert site.call("GET", "/badges/", key=site.read_key).status_code == 200


def test_a_read_only_key_changes_nothing(read_site: HealthchecksSite) -> None:
    site = read_site
    check = site.create()
    for method, path in (
        ("POST", "/checks/"),
        ("POST", check["update_url"]),
        ("DELETE", check["update_url"]),
        ("POST", check["pause_url"]),
        ("GET", f"{check['update_url']}/pings/"),
        ("GET", "/channels/"),
    ):
        assert site.call(method, path, key=site.read_key, json={} if method == "POST" else None).status_code == 401, (
            path
        )
    assert site.show(check) == check


def test_the_status_needs_no_key(site: HealthchecksSite) -> None:
    assert httpx.get(f"{site.url}/api/v3/status/").status_code == 200
