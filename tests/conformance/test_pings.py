"""Pings by uuid and by slug: https://healthchecks.io/docs/http_api/."""

from __future__ import annotations

import uuid

import pytest
from healthchecks_site import NOBODY, HealthchecksSite, new_name, ping

pytestmark = pytest.mark.server


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_ping_says_that_all_is_well(site: HealthchecksSite, method: str) -> None:
    check = site.create(timeout=600)
    answer = ping(check["ping_url"], method)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert int(answer.headers["Ping-Body-Limit"]) >= 10_000
    assert answer.text == ("" if method == "HEAD" else "OK")
    shown = site.show(check)
    assert (shown["status"], shown["n_pings"], shown["started"]) == ("up", 1, False)
    assert shown["last_ping"] < shown["next_ping"]
    assert [(one["type"], one["method"], one["n"]) for one in site.pings(check)] == [("success", method, 1)]


@pytest.mark.parametrize(
    ("end", "kind", "status"),
    [
        ("", "success", "up"),
        ("/start", "start", "new"),
        ("/fail", "fail", "down"),
        ("/log", "log", "new"),
        ("/0", "success", "up"),
        ("/1", "fail", "down"),
        ("/255", "fail", "down"),
    ],
)
def test_what_the_end_of_the_address_says(site: HealthchecksSite, end: str, kind: str, status: str) -> None:
    check = site.create()
    assert ping(check["ping_url"] + end).text == "OK"
    shown = site.show(check)
    assert (shown["status"], shown["started"], shown["n_pings"]) == (status, end == "/start", 1)
    assert (shown["last_ping"] is None) == (status == "new")
    assert site.pings(check)[0]["type"] == kind


@pytest.mark.parametrize("end", ["/256", "/99999"])
def test_an_exit_status_that_there_is_not(site: HealthchecksSite, end: str) -> None:
    check = site.create()
    answer = ping(check["ping_url"] + end)
    assert (answer.status_code, answer.text) == (400, "invalid url format")
    assert site.show(check)["n_pings"] == 0


@pytest.mark.parametrize("end", ["/-1", "/stop", "/0/0", "/%2e%2e", "/é"])
def test_an_address_that_says_nothing_known(site: HealthchecksSite, end: str) -> None:
    check = site.create()
    assert ping(check["ping_url"] + end).status_code in (400, 404)
    assert site.show(check)["n_pings"] == 0


def test_an_unknown_check(site: HealthchecksSite) -> None:
    answer = ping(f"{site.create()['ping_url'].rpartition('/')[0]}/{NOBODY}")
    assert (answer.status_code, answer.text) in ((404, "not found"), (200, "OK (not found)"))


def test_a_deleted_check(site: HealthchecksSite) -> None:
    check = site.create()
    site.call("DELETE", check["update_url"])
    assert ping(check["ping_url"]).text in ("not found", "OK (not found)")


def test_start_and_end_make_a_duration(site: HealthchecksSite) -> None:
    check = site.create()
    ping(f"{check['ping_url']}/start")
    assert site.show(check)["started"]
    ping(check["ping_url"])
    shown = site.show(check)
    assert (shown["started"], shown["status"]) == (False, "up")
    assert shown["last_duration"] in range(30)
    end, start = site.pings(check)
    assert 0 < end["duration"] < 30
    assert "duration" not in start


def test_run_ids_keep_runs_apart(site: HealthchecksSite) -> None:
    check = site.create()
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    for end in (f"/start?rid={one}", f"/start?rid={two}", f"?rid={one}", f"/fail?rid={two}"):
        assert ping(check["ping_url"] + end).status_code == 200
    fail, success, *starts = site.pings(check)
    assert (fail["rid"], success["rid"]) == (two, one)
    assert success["duration"] > 0
    assert fail["duration"] > 0
    assert [start["rid"] for start in starts] == [two, one]


def test_a_run_id_without_its_start_has_no_duration(site: HealthchecksSite) -> None:
    check = site.create()
    ping(f"{check['ping_url']}/start?rid={uuid.uuid4()}")
    ping(f"{check['ping_url']}?rid={uuid.uuid4()}")
    shown = site.show(check)
    assert "last_duration" not in shown
    assert shown["started"], "the run that was started goes on"


def test_a_run_id_that_is_no_uuid(site: HealthchecksSite) -> None:
    check = site.create()
    answer = ping(f"{check['ping_url']}?rid=first")
    assert (answer.status_code, answer.text) == (400, "invalid uuid format")
    assert site.show(check)["n_pings"] == 0


@pytest.mark.parametrize(
    "body", [b"hello\n", "Größe: 5 µm".encode(), bytes(range(256)), b"\0"], ids=["text", "utf-8", "binary", "nul"]
)
def test_a_body_is_kept_as_it_came(site: HealthchecksSite, body: bytes) -> None:
    check = site.create()
    ping(f"{check['ping_url']}/log", "POST", content=body)
    kept = site.call("GET", site.pings(check)[0]["body_url"])
    assert kept.headers["Content-Type"].startswith("text/plain")
    assert kept.content == body


def test_of_a_long_body_the_beginning_is_kept(site: HealthchecksSite) -> None:
    check = site.create()
    body = b"".join(b"%09d\n" % n for n in range(11_000))
    answer = ping(check["ping_url"], "POST", content=body)
    assert answer.status_code == 200
    limit = int(answer.headers["Ping-Body-Limit"])
    assert site.call("GET", site.pings(check)[0]["body_url"]).content == body[:limit]


def test_a_ping_without_a_body(site: HealthchecksSite) -> None:
    check = site.create()
    ping(check["ping_url"], "POST", content=b"")
    assert site.pings(check)[0]["body_url"] is None
    for n in (1, 2):
        assert site.call("GET", f"{check['update_url']}/pings/{n}/body").status_code == 404


def test_a_ping_is_shown_with_what_it_came_with(site: HealthchecksSite) -> None:
    check = site.create()
    ping(check["ping_url"], headers={"User-Agent": "x" * 300})
    shown = site.pings(check)[0]
    assert shown["ua"] == "x" * 200
    assert shown["scheme"] in ("http", "https")
    assert shown["remote_addr"]
    assert shown["rid"] is None
    assert shown["date"].endswith("+00:00")


def test_only_post_counts_where_the_check_says_so(site: HealthchecksSite) -> None:
    check = site.create(methods="POST")
    assert ping(check["ping_url"]).status_code == 200
    assert site.show(check)["status"] == "new"
    assert site.pings(check)[0]["type"] == "ign"
    ping(check["ping_url"], "POST")
    assert site.show(check)["status"] == "up"


def test_keywords_in_the_body_decide(site: HealthchecksSite) -> None:
    check = site.create(start_kw="BEGIN", success_kw="DONE, FINISHED", failure_kw="ERROR", filter_body=True)
    if "filter_http_body" not in check:
        pytest.skip("this version does not filter HTTP bodies")
    site.call("POST", check["update_url"], json={"filter_http_body": True})
    for body, kind in (("BEGIN", "start"), ("all FINISHED", "success"), ("DONE with ERROR", "fail"), ("done", "ign")):
        ping(check["ping_url"], "POST", content=body.encode())
        assert site.pings(check)[0]["type"] == kind, body
    site.call("POST", check["update_url"], json={"filter_default_fail": True})
    ping(check["ping_url"], "POST", content=b"nothing known")
    assert site.pings(check)[0]["type"] == "fail"


def test_a_slug_names_the_check(slug_site: HealthchecksSite) -> None:
    slug = new_name()
    check = slug_site.create(slug=slug)
    for end, kind in (("", "success"), ("/start", "start"), ("/7", "fail"), ("/log", "log")):
        answer = ping(slug_site.by_slug(slug) + end)
        assert (answer.status_code, answer.text) == (200, "OK")
        assert slug_site.pings(check)[0]["type"] == kind


def test_an_unknown_slug_makes_a_check_when_it_is_told_to(slug_site: HealthchecksSite) -> None:
    slug = new_name()
    address = slug_site.by_slug(slug)
    answer = ping(address)
    assert (answer.status_code, answer.text) == (404, "not found")
    made = ping(f"{address}?create=1")
    assert (made.status_code, made.text) == (201, "Created")
    found = slug_site.call("GET", f"/checks/?slug={slug}").json()["checks"]
    assert [(one["name"], one["slug"], one["status"], one["n_pings"]) for one in found] == [(slug, slug, "up", 1)]
    slug_site.made.append(found[0]["update_url"])
    channels = {one["id"] for one in slug_site.call("GET", "/channels/").json()["channels"]}
    assert set(filter(None, found[0]["channels"].split(","))) == channels, "it alerts all that the project has"
    again = ping(f"{address}/start?create=1")
    assert (again.status_code, again.text) == (200, "OK")


def test_two_checks_of_one_slug(slug_site: HealthchecksSite) -> None:
    slug = new_name()
    checks = [slug_site.create(slug=slug) for _ in range(2)]
    answer = ping(slug_site.by_slug(slug))
    assert (answer.status_code, answer.text) == (409, "ambiguous slug")
    assert [slug_site.show(check)["n_pings"] for check in checks] == [0, 0]


@pytest.mark.parametrize("slug", ["Gr%C3%B6%C3%9Fe", "a%2Fb", "a/b/c", "a b", ""])
def test_a_slug_that_cannot_be(slug_site: HealthchecksSite, slug: str) -> None:
    assert ping(f"{slug_site.by_slug(slug)}?create=1").status_code in (400, 404)


def test_a_wrong_ping_key(slug_site: HealthchecksSite) -> None:
    slug = new_name()
    slug_site.create(slug=slug)
    address = slug_site.by_slug(slug).replace(slug_site.ping_key, "A" * 22)
    for query in ("", "?create=1"):
        answer = ping(address + query)
        assert (answer.status_code, answer.text) == (404, "not found")
