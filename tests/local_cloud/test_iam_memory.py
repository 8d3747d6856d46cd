"""What the embedded IAM remembers over restarts and kills, and how it follows its users' file."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import httpx
import pytest
from iam_login import browser, claims_of, refresh, sign_in, token, userinfo
from naas_client.errors import Conflict, NotFound
from naas_local.iam import EmbeddedIam, add_user, embedded_iam, set_groups

pytestmark = pytest.mark.server


@pytest.fixture
def own(tmp_path: Path) -> object:
    with embedded_iam(tmp_path) as running:
        yield running


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_tokens_sessions_and_people_survive(own: EmbeddedIam, end: str) -> None:
    keys = httpx.get(f"{own.url}/jwk").json()
    subject = own.add_user("heidi", ["users/naas"])
    with browser() as window:
        tokens = sign_in(own, "heidi", window=window)
        assert tokens.refresh_token
        latest = refresh(own, tokens.refresh_token)
        getattr(own, end)()
        own.start()
        assert httpx.get(f"{own.url}/jwk").json() == keys
        assert userinfo(own, latest.access_token).json()["sub"] == subject
        assert latest.refresh_token
        assert refresh(own, latest.refresh_token).refresh_token
        assert sign_in(own, "heidi", password="not asked", window=window).access_token
    reused = token(own, grant_type="refresh_token", refresh_token=tokens.refresh_token)
    assert reused.json()["error"] == "invalid_grant"


class Refresher(threading.Thread):
    """Somebody who uses one refresh token after the other, until IAM is gone or the turns are over."""

    def __init__(self, iam: EmbeddedIam, name: str, turns: int) -> None:
        super().__init__()
        self.iam, self.turns = iam, turns
        self.held = sign_in(iam, name).refresh_token or ""
        self.waiting, self.busy, self.refused = False, threading.Event(), ""

    def run(self) -> None:
        for turn in range(self.turns):
            try:
                answer = token(self.iam, grant_type="refresh_token", refresh_token=self.held)
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                self.refused = answer.text
                return
            self.held = answer.json()["refresh_token"]
            if turn >= 2:
                self.busy.set()
        self.waiting = True


def test_a_kill_at_any_moment_forgets_no_token_that_was_handed_out(own: EmbeddedIam) -> None:
    """Some refresh without pause while IAM is killed; who holds an answer and has asked nothing since can go on with it."""
    names = [f"load-{number}" for number in range(6)]
    for name in names:
        own.add_user(name)
    for _ in range(4):
        people = [Refresher(own, name, turns=3 if name in names[:3] else 10_000) for name in names]
        for person in people:
            person.start()
        assert all(person.busy.wait(20) for person in people)
        own.kill()
        for person in people:
            person.join(15)
        own.start()
        assert [person.refused for person in people] == [""] * len(people)
        waiting = [person for person in people if person.waiting]
        assert len(waiting) >= 3
        for person in waiting:
            assert refresh(own, person.held).access_token


def test_a_line_that_a_kill_cut_off_does_not_stop_the_next_start(own: EmbeddedIam) -> None:
    tokens = sign_in(own, "alice")
    own.kill()
    with (own.data / "journal.jsonl").open("a") as journal:
        journal.write('["RefreshToken","half')
    own.start()
    assert tokens.refresh_token
    assert refresh(own, tokens.refresh_token).access_token


def test_a_start_throws_away_what_has_expired(tmp_path: Path) -> None:
    with embedded_iam(tmp_path, access_token_seconds=1) as iam:
        claims = claims_of(sign_in(iam, "alice").access_token)
        identifier = claims["jti"]
        while time.time() <= claims["exp"] + 1:  # the journal's clock has fractions of a second, a token's has none
            time.sleep(0.05)
        assert identifier in (iam.data / "journal.jsonl").read_text()
        iam.stop()
        iam.start()
        assert identifier not in (iam.data / "journal.jsonl").read_text()


# --- the users' file ------------------------------------------------------------------------------------------------


def groups_of(iam: EmbeddedIam, username: str) -> list[str]:
    groups: list[str] = userinfo(iam, sign_in(iam, username).access_token).json()["groups"]
    return groups


def test_changes_by_hand_are_followed_and_a_broken_file_changes_nothing(own: EmbeddedIam) -> None:
    file = own.data / "users.json"
    good = file.read_text()
    file.write_text("{ not json")
    assert groups_of(own, "alice") == ["users/naas", "users/s3", "developers"]
    document = json.loads(good)
    document["users"][0]["groups"] = ["by-hand"]
    file.write_text(json.dumps(document))
    assert groups_of(own, "alice") == ["by-hand"]


def test_prepare_again_keeps_people_and_subjects(tmp_path: Path) -> None:
    with embedded_iam(tmp_path) as iam:
        set_groups(iam.data, "carol", ["users/naas"])
        subject = userinfo(iam, sign_in(iam, "carol").access_token).json()["sub"]
    with embedded_iam(tmp_path) as iam:
        found = userinfo(iam, sign_in(iam, "carol").access_token).json()
    assert (found["sub"], found["groups"]) == (subject, ["users/naas"])


def test_people_that_are_not_there_or_there_twice(own: EmbeddedIam) -> None:
    with pytest.raises(NotFound, match="no user 'zoe'"):
        set_groups(own.data, "zoe", [])
    with pytest.raises(Conflict, match="already has"):
        add_user(own.data, "alice")


def test_hundreds_of_people(own: EmbeddedIam) -> None:
    for number in range(250):
        own.add_user(f"user{number}", ["users/naas"])
    assert groups_of(own, "user249") == ["users/naas"]
    assert groups_of(own, "alice") == ["users/naas", "users/s3", "developers"]
