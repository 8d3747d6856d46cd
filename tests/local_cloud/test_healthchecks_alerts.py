"""Alerts of the embedded Healthchecks: at the moment they are due, to all channels, once, and through a crash."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from alert_sink import MailSink, WebSink, certificate, mail_sink, web_sink
from healthchecks_late import late_in, move_due
from healthchecks_site import HealthchecksSite, ping
from naas_client.files import write_private
from naas_local.healthchecks import EmbeddedHealthchecks, embedded_healthchecks
from naas_local.ports import LOOPBACK, free_port
from waiting import wait_for

pytestmark = pytest.mark.server

SENDER = "healthchecks@example.org"
IN_TIME = 2.0
"""Seconds after it was due that an alert may come."""


@dataclass
class World:
    """A server, a person's project on it, and where their alerts arrive."""

    server: EmbeddedHealthchecks
    site: HealthchecksSite
    mail: MailSink
    web: WebSink

    def up(self, name: str, **fields: Any) -> dict[str, Any]:
        """A check that is up and alerts everybody."""
        check = self.site.create(name=name, channels="*", timeout=60, grace=60, **fields)
        ping(check["ping_url"])
        return check

    def hooks(self, name: str) -> list[str]:
        """What a webhook was told about a check."""
        return [document["status"] for _, document in self.web.posted if document["name"] == name]

    def notifications(self, name: str) -> list[str]:
        """What the Lab channel holds about a check."""
        return [one["new_status"] for one in lab(self.server)["notifications"] if one["name"] == name]


def lab(server: EmbeddedHealthchecks, query: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.admin_key}"}
    found: dict[str, Any] = httpx.get(f"{server.url}/api/notifications?{query}", headers=headers, timeout=70).json()
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mail_sink() as mail, web_sink() as web:
        settings = {"host": LOOPBACK, "port": mail.port, "security": "none", "sender": SENDER}
        with embedded_healthchecks(tmp_path, mail=settings, private_webhooks=True) as server:
            keys = server.project("alice", email="alice@example.org")
            server.admin(
                "POST", "/alice/channels", json={"kind": "webhook", "name": "hook", "value": f"{web.url}/hook"}
            )
            yield World(server, HealthchecksSite(server.url, keys["api_key"]), mail, web)


def test_a_late_check_is_told_of_when_it_is_due_and_when_it_is_back(world: World) -> None:
    check = world.up("Nightly\nbackup", tags="prod")
    due = late_in(world.server, world.site, 3, check)
    assert world.site.show(check)["status"] == "grace"
    wait_for(lambda: world.site.show(check)["status"] == "down", "down", 10)
    wait_for(lambda: world.mail.mails, "the e-mail")
    wait_for(lambda: world.web.posted, "the webhook")
    assert time.time() - due < IN_TIME
    mail = world.mail.mails[0]
    assert (mail["Subject"], mail["To"], mail["From"]) == ("DOWN | Nightly backup", "alice@example.org", SENDER)
    assert "no ping came in time" in mail.get_content()
    path, document = world.web.posted[0]
    assert (path, document["status"], document["reason"], document["tags"]) == ("/hook", "down", "timeout", "prod")
    flip = world.site.call("GET", f"{check['update_url']}/flips/").json()["flips"][0]
    assert document["since"] == flip["timestamp"] == dt.datetime.fromtimestamp(int(due), dt.UTC).isoformat()
    assert (
        abs(time.mktime(time.strptime(flip["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - due) < 24 * 3600
    )
    ping(check["ping_url"])
    wait_for(lambda: len(world.mail.mails) == 2, "the second e-mail")
    assert world.mail.subjects()[1] == "UP | Nightly backup"
    wait_for(lambda: world.hooks("Nightly\nbackup") == ["down", "up"], "both on the webhook")
    assert world.notifications("Nightly\nbackup") == ["down", "up"]
    assert world.site.flips(check) == [1, 0, 1]


def test_a_failure_is_told_of_at_once(world: World) -> None:
    check = world.up("job")
    began = time.monotonic()
    ping(f"{check['ping_url']}/fail", "POST", content=b"boom")
    wait_for(lambda: world.mail.subjects() == ["DOWN | job"], "the e-mail")
    assert time.monotonic() - began < IN_TIME


def test_a_job_that_has_started_and_does_not_end_is_late(world: World) -> None:
    check = world.site.create(name="long job", channels="*", timeout=86400, grace=60)
    ping(f"{check['ping_url']}/start")
    late_in(world.server, world.site, 1, check)
    wait_for(lambda: world.mail.subjects() == ["DOWN | long job"], "the e-mail")
    assert world.site.show(check)["status"] == "down"


def test_what_is_no_news_is_not_told(world: World) -> None:
    quiet = world.up("quiet")
    world.site.call("POST", quiet["pause_url"])
    ping(quiet["ping_url"])
    ping(f"{world.up('last')['ping_url']}/fail")
    wait_for(lambda: world.mail.subjects() == ["DOWN | last"], "the e-mail of the other check")
    assert world.notifications("quiet") == []
    assert world.hooks("quiet") == []


def test_a_check_without_channels_alerts_nobody(world: World) -> None:
    silent = world.site.create(name="silent")
    ping(f"{silent['ping_url']}/fail")
    ping(f"{world.up('last')['ping_url']}/fail")
    wait_for(lambda: world.mail.subjects(), "the e-mail of the other check")
    assert world.mail.subjects() == ["DOWN | last"]


def test_the_gateway_hears_of_the_lab_channel_while_it_waits(world: World) -> None:
    check = world.up("watched")
    began = time.monotonic()
    assert lab(world.server, "wait=1") == {"notifications": [], "newest": 0}
    assert time.monotonic() - began > 0.9
    late_in(world.server, world.site, 2, check)
    (down,) = lab(world.server, "wait=60")["notifications"]
    assert (down["owner"], down["name"], down["new_status"], down["reason"]) == ("alice", "watched", "down", "timeout")
    assert check["update_url"].endswith(down["check"])
    ping(check["ping_url"])
    (up,) = lab(world.server, f"after={down['id']}&wait=60")["notifications"]
    assert up["new_status"] == "up"
    ping(f"{check['ping_url']}/7")
    (failed,) = lab(world.server, f"after={up['id']}&wait=60")["notifications"]
    assert (failed["reason"], failed["exit_status"], down["exit_status"], up["exit_status"]) == ("fail", 7, None, None)
    began = time.monotonic()
    ahead = lab(world.server, f"after={2**40}&wait=60")  # of a server that this one has replaced
    assert ahead["notifications"] == []
    assert failed["id"] <= ahead["newest"] < 2**40
    assert time.monotonic() - began < 10
    world.server.kill()
    world.server.start()
    assert [one["id"] for one in lab(world.server)["notifications"]] == [down["id"], up["id"], failed["id"]]
    for query in ("after=x", "after=-1", "wait=61"):
        assert "error" in lab(world.server, query)


def test_an_alert_that_fails_is_tried_again_in_order(world: World) -> None:
    world.web.answers = [500]
    world.mail.refuse = ["451 try later"]
    check = world.up("flaky")
    ping(f"{check['ping_url']}/fail")
    ping(check["ping_url"])
    wait_for(lambda: world.hooks("flaky") == ["down", "down", "up"], "the webhook, again and then the next", 30)
    wait_for(lambda: world.mail.subjects() == ["DOWN | flaky", "UP | flaky"], "both e-mails", 30)


@pytest.mark.parametrize("status", [404, 302])
def test_an_address_that_refuses_is_given_up_and_no_redirect_is_followed(world: World, status: int) -> None:
    world.web.answers = [status]
    ping(f"{world.up('gone')['ping_url']}/fail")

    def error() -> str:
        channels = world.server.admin("GET", "/alice").json()["channels"]
        return next(str(one["last_error"]) for one in channels if one["name"] == "hook")

    wait_for(lambda: str(status) in error(), "the reason at the channel")
    assert [path for path, _ in world.web.posted] == ["/hook"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_e_mail_goes_through_a_server_with_tls_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    trusted, context = certificate(tmp_path, "localhost")
    password = tmp_path / "password"
    write_private(password, "correct horse battery staple")
    with mail_sink(security, context, "correct horse battery staple") as mail:
        settings = {
            "host": "localhost",
            "port": mail.port,
            "security": security,
            "sender": SENDER,
            "user": "naas",
            "password_file": str(password),
        }

        def alerted(folder: Path) -> tuple[list[str], str]:
            with embedded_healthchecks(folder, mail=settings) as server:
                site = HealthchecksSite(server.url, server.project("alice", email="alice@example.org")["api_key"])
                ping(f"{site.create(name='x', channels='*')['ping_url']}/fail")

                def error() -> str:
                    return "".join(one["last_error"] for one in server.admin("GET", "/alice").json()["channels"])

                wait_for(lambda: mail.mails or error(), "the e-mail, or why it was not sent", 30)
                assert "battery" not in server.log.read_text()
                return mail.subjects(), error()

        subjects, reason = alerted(tmp_path / "strangers")
        assert (subjects, reason) == ([], "localhost did not take the e-mail: SSLCertVerificationError.")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert alerted(tmp_path / "trusted") == (["DOWN | x"], "")
        mail.mails.clear()
        write_private(password, "wrong horse battery staple")
        subjects, reason = alerted(tmp_path / "wrong")
        assert (subjects, reason) == ([], "localhost did not take the e-mail: SMTPAuthenticationError.")


def test_an_alert_survives_a_crash(tmp_path: Path) -> None:
    port = free_port()
    with embedded_healthchecks(tmp_path, private_webhooks=True) as server:
        keys = server.project("alice")
        hook = {"kind": "webhook", "name": "hook", "value": f"http://{LOOPBACK}:{port}/"}
        server.admin("POST", "/alice/channels", json=hook)
        site = HealthchecksSite(server.url, keys["api_key"])
        check = site.create(name="crash", channels="*")
        ping(f"{check['ping_url']}/fail")
        server.kill()
        with web_sink(port) as web:
            server.start()
            wait_for(lambda: [document["name"] for _, document in web.posted] == ["crash"], "the alert", 30)


@pytest.mark.parametrize(
    "address", ["http://{own}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://0x7f000001:{port}/"]
)
def test_webhooks_do_not_reach_the_machine_itself(tmp_path: Path, address: str) -> None:
    with web_sink() as web, embedded_healthchecks(tmp_path) as server:
        own = web.url.removeprefix("http://")
        keys = server.project("mallory")
        hook = {"kind": "webhook", "name": "hook", "value": address.format(own=own, port=own.rpartition(":")[2])}
        assert server.admin("POST", "/mallory/channels", json=hook).status_code == 201
        site = HealthchecksSite(server.url, keys["api_key"])
        ping(f"{site.create(name='x', channels='hook')['ping_url']}/fail")

        def error() -> object:
            return [
                one["last_error"] for one in server.admin("GET", "/mallory").json()["channels"] if one["last_error"]
            ]

        wait_for(error, "the reason at the channel", 30)
        assert web.posted == []


def test_checks_that_were_due_while_the_server_was_away_get_their_grace_again(world: World) -> None:
    check, started = world.up("waits"), world.up("runs")
    ping(f"{started['ping_url']}/start")
    world.server.stop()
    move_due(world.server, time.time() - 30, check, started)
    world.server.start()
    assert world.site.show(check)["status"] == "grace"
    assert world.site.show(started)["status"] == "grace"
    ping(f"{world.up('last')['ping_url']}/fail")
    wait_for(lambda: world.mail.subjects(), "the e-mail of the other check")
    assert world.mail.subjects() == ["DOWN | last"]
    assert world.site.flips(check) == [1]
