"""Pause, resume, flips and badges: https://healthchecks.io/docs/api/."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

import httpx
import pytest
from healthchecks_site import HealthchecksSite, new_name, ping

pytestmark = pytest.mark.server


def test_pause_and_the_next_ping_resumes(site: HealthchecksSite) -> None:
    check = site.create()
    ping(f"{check['ping_url']}/start")
    paused = site.call("POST", check["pause_url"])
    assert paused.status_code == 200
    assert (paused.json()["status"], paused.json()["started"], paused.json()["next_ping"]) == ("paused", False, None)
    ping(check["ping_url"])
    assert site.show(check)["status"] == "up"


def test_manual_resume_ignores_pings(site: HealthchecksSite) -> None:
    check = site.create(manual_resume=True)
    site.call("POST", check["pause_url"])
    assert ping(check["ping_url"]).status_code == 200
    assert site.show(check)["status"] == "paused"
    assert site.pings(check)[0]["type"] == "ign"
    resumed = site.call("POST", check["resume_url"])
    assert resumed.status_code == 200
    assert (resumed.json()["status"], resumed.json()["last_ping"]) == ("new", None)
    assert site.call("POST", check["resume_url"]).status_code == 409


def test_flips_tell_each_change(site: HealthchecksSite) -> None:
    check = site.create()
    assert site.flips(check) == []
    for end in ("", "", "/fail", "/fail", ""):
        ping(check["ping_url"] + end)
    assert site.flips(check) == [1, 0, 1]
    now = int(time.time())
    assert site.flips(check, "?seconds=3600") == [1, 0, 1]
    assert site.flips(check, f"?start={now - 3600}&end={now + 3600}") == [1, 0, 1]
    assert site.flips(check, f"?end={now - 3600}") == []
    assert site.flips(check, f"?start={now + 3600}") == []
    flip = site.call("GET", f"{check['update_url']}/flips/").json()["flips"][0]
    assert flip["timestamp"] == site.show(check)["last_ping"]


@pytest.mark.parametrize(
    "query", ["seconds=-1", "seconds=abc", "seconds=12345678901234567890", "start=abc", "start=-1", "end=x"]
)
def test_wrong_times_of_flips(site: HealthchecksSite, query: str) -> None:
    assert site.call("GET", f"{site.create()['update_url']}/flips/?{query}").status_code == 400


def test_badges_of_tags_and_of_all(site: HealthchecksSite) -> None:
    tag = new_name()
    well = site.create(tags=tag)
    badges = site.call("GET", "/badges/").json()["badges"]
    assert {"*", tag} <= badges.keys()
    assert set(badges[tag]) == {"svg", "svg3", "json", "json3", "shields", "shields3"}

    def status() -> dict[str, object]:
        shown: dict[str, object] = httpx.get(badges[tag]["json3"]).json()
        return shown

    assert status() == {"status": "up", "total": 1, "grace": 0, "down": 0}
    ping(f"{well['ping_url']}/fail")
    assert status() == {"status": "down", "total": 1, "grace": 0, "down": 1}
    shields = httpx.get(badges[tag]["shields"]).json()
    assert shields == {"schemaVersion": 1, "label": tag, "message": "down", "color": "critical"}
    picture = httpx.get(badges[tag]["svg"])
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.text).tag == "{http://www.w3.org/2000/svg}svg"
    assert tag in picture.text
    assert "down" in picture.text
    assert httpx.get(badges["*"]["svg"]).status_code == 200


def test_a_badge_needs_its_signature(site: HealthchecksSite) -> None:
    tag = new_name()
    site.create(tags=tag)
    address: str = site.call("GET", "/badges/").json()["badges"][tag]["svg"]
    head, signature, name = address.rsplit("/", 2)
    assert httpx.get(f"{head}/{'A' * len(signature)}/{name}").status_code == 404
    assert httpx.get(f"{head}/{signature}/other.svg").status_code == 404
