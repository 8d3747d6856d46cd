"""`naas checks`, and checks that are made by their name: with a real gateway and Healthchecks server, as in a server's terminal."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from checks_site import ChecksSite, checks_site, new_project
from gateway_app import HubStandIn
from laptop import NAAS
from naas_client.gateway import API_PATH
from naas_client.gateway.checks import SyncChecksClient
from naas_client.models import Check, NewCheck
from naas_local.healthchecks.settings import ADMIN_KEY
from naas_local.iam import embedded_iam
from waiting import wait_for

pytestmark = pytest.mark.server
LIMIT = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChecksSite]:
    folder = tmp_path_factory.mktemp("site")
    key = {"admin_key_file": str(folder / "healthchecks" / ADMIN_KEY), "requests_per_minute": 10_000}
    with (
        embedded_iam(folder) as iam,
        HubStandIn().serving() as hub,
        checks_site(folder, iam, hub, healthchecks=key) as running,
    ):
        running.gateway.sign_in("alice")
        yield running


@dataclass
class Terminal:
    """A terminal of alice's server."""

    site: ChecksSite
    home: Path
    token: str

    @property
    def environment(self) -> dict[str, str]:
        inside = {"NAAS_GATEWAY_URL": self.site.gateway.url + API_PATH, "JUPYTERHUB_API_TOKEN": self.token}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **inside}

    def run(self, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NAAS, *arguments],
            env=self.environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def say(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.removeprefix("Error: ").strip()

    @property
    def checks(self) -> SyncChecksClient:
        return self.site.gateway.client(self.token).checks

    def named(self, name: str) -> list[Check]:
        return [check for check in self.checks.list(search=name).items if check.name == name]

    def arrived(self, name: str, *kinds: str) -> None:
        """Wait until exactly these have arrived at the only check of a name."""

        def look() -> list[str]:
            found = self.named(name)
            return [ping.type for ping in self.checks.pings(found[0].project, found[0].id).items] if found else []

        wait_for(lambda: len(look()) >= len(kinds), f"{kinds} at {name}", 30)
        assert look() == list(reversed(kinds))


@pytest.fixture
def alice(site: ChecksSite, tmp_path: Path) -> Terminal:
    return Terminal(site, tmp_path, site.hub.user_token("alice"))


def test_a_check_from_its_making_to_its_end(alice: Terminal) -> None:
    made = alice.say(
        "checks", "create", "nightly", "--every", "2h", "--grace", "30m", "--tags", "lab night", "--desc", "À"
    )
    assert "every 2 h, grace 30 min" in made
    url = next(line.split()[-1] for line in made.splitlines() if line.startswith("ping address"))
    assert alice.say("ping", url, "--", "echo", "done") == "done\n"
    alice.arrived("nightly", "start", "success")
    wait_for(lambda: "up     nightly" in alice.say("checks", "list", "--search", "nightly"), "the ping in the list", 30)
    assert "lab night" in alice.say("checks", "list")
    log = alice.say("checks", "log", "nightly")
    assert log.splitlines()[1].split()[0] == "2"
    assert "exit status 0" in log
    assert "done" in alice.say("checks", "log", "nightly", "--body", "2")
    changed = alice.say("checks", "edit", "nightly", "--schedule", "30 1 * * 1-5", "--tz", "Europe/Rome")
    assert "30 1 * * 1-5 (Europe/Rome), grace 30 min" in changed
    assert "paused" in alice.say("checks", "pause", "nightly")
    assert "state         new" in alice.say("checks", "resume", "nightly")
    assert alice.run("checks", "delete", "nightly", answer="n\n").returncode == 1
    assert "deleted" in alice.say("checks", "delete", "nightly", "--yes")
    assert "There is no check called nightly" in alice.refused("checks", "show", "nightly")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--every", "30s"), "timeout: Input should be greater than or equal to 60. Correct it; nothing was changed."),
        (("--every", "soon"), "soon is not a time between two pings. Write 90s, 30m, 2h or 1d."),
        (("--every", "53w"), "timeout: Input should be less than or equal to 31536000"),
        (("--every", "2h", "--schedule", "* * * * *"), "give timeout or schedule, not both"),
        (("--schedule", "* * 31 2 *"), "schedule"),
        (("--schedule", "* * * * *", "--tz", "Europe/Nowhere"), "zone"),
        (("--channels", "nobody"), "nobody"),
        (("--project", "99"), "99"),
    ],
)
def test_what_cannot_be_is_a_sentence(alice: Terminal, options: tuple[str, ...], sentence: str) -> None:
    assert sentence in alice.refused("checks", "create", "impossible", *options)
    assert alice.named("impossible") == []


def test_a_check_is_found_by_its_slug_and_an_unreadable_project_is_said(alice: Terminal) -> None:
    (own,) = alice.checks.projects().items
    alice.checks.create(own.id, NewCheck(name="Slow Job", slug="slow-job"))
    assert alice.say("checks", "show", "slow-job").startswith("name          Slow Job\n")
    alice.say("checks", "create", "slow-job")
    assert alice.say("checks", "show", "slow-job").startswith("name          slow-job\n")
    owner = "revoked"
    made = alice.checks.register(new_project(alice.site.server.project(owner)["api_key"], name="Gone"))
    alice.site.server.admin("POST", f"/{owner}/keys")
    try:
        said = alice.refused("checks", "show", "nowhere")
        assert "There is no check called nowhere" in said
        assert f"Project {made.id}: The key of “Gone” does not work any more" in said
    finally:
        alice.checks.remove_project(made.id)


def test_one_name_one_check(alice: Terminal) -> None:
    alice.say("checks", "create", "once")
    assert "has a check of this name" in alice.refused("checks", "create", "once")
    assert "Say what to change" in alice.refused("checks", "edit", "once")
    alice.say("checks", "edit", "once", "--name", "twice")
    assert alice.say("checks", "show", "twice").startswith("name          twice\n")


def test_a_name_makes_its_check_at_the_first_ping(alice: Terminal) -> None:
    for _ in range(2):
        assert alice.run("ping", "first use", "--", "false").returncode == 1
    alice.arrived("first use", "start", "fail", "start", "fail")
    assert len(alice.named("first use")) == 1
    kept = alice.home / ".local/state/naas/checks/addresses.json"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_check_that_was_deleted_is_made_anew(alice: Terminal) -> None:
    alice.say("ping", "again")
    alice.say("checks", "delete", "again", "--yes")
    alice.say("ping", "again")
    alice.arrived("again", "success")


def test_without_the_gateway_known_checks_are_told_and_others_wait(alice: Terminal) -> None:
    alice.say("ping", "known")
    gateway = alice.site.gateway
    gateway.stop()
    try:
        assert alice.run("ping", "known", "--", "sh", "-c", "exit 5").returncode == 5
        begun = time.monotonic()
        unknown = alice.run("ping", "unknown", "--", "echo", "out")
        assert (unknown.returncode, unknown.stdout, unknown.stderr) == (0, "out\n", "")
        assert time.monotonic() - begun < 20
        assert "The gateway does not answer" in alice.refused("checks", "list")
    finally:
        gateway.start()
    alice.arrived("known", "success", "start", "fail")
    alice.arrived("unknown", "start", "success")


def test_what_waits_is_said(alice: Terminal) -> None:
    alice.run("ping", "http://127.0.0.1:9/ping/x", "--", "true")
    assert "2 pings have not arrived yet" in alice.run("checks", "list").stderr
    (alice.home / ".local/state/naas/checks/waiting.jsonl").unlink()  # ends the process that sends what waits
