"""Keys for other programs in the panel: who sees them, making one, the secret shown once, revoking, Italian, and axe."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab_page import ITALIAN, serious, write_settings
from lab_page import show_panel as show
from lab_server import Stack
from panel_stand_ins import Asked

sync_api = pytest.importorskip("playwright.sync_api")
expect: Any = sync_api.expect
Page = Any

pytestmark = [pytest.mark.server, pytest.mark.browser]

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYSAMPLEKEYabc"
JSON = {"Content-Type": "application/json"}


@dataclass
class Keys:
    """The gateway's calls about keys. ``store_down``: an end is not confirmed."""

    items: list[dict[str, Any]] = field(default_factory=list)
    store_down: bool = False
    wishes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, description: str, *, days: float = 30, read_only: bool = False) -> dict[str, Any]:
        now, number = dt.datetime.now(dt.UTC), len(self.items) + len(self.wishes) + 1
        key = {"id": number, "username": "alice", "access_key_id": f"NAASQ5XK7PLM2VTRWYJ{number}", "reason": ""}
        key |= {"description": description, "read_only": read_only, "state": "active"}
        key |= {"made_at": (now - dt.timedelta(minutes=3)).isoformat()}
        key |= {"expires_at": (now + dt.timedelta(days=days, minutes=1)).isoformat()}
        self.items.insert(0, key)
        return key

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if asked.method == "GET":
            page = {"items": self.items, "total": len(self.items), "next": None, "longest_days": 90, "most": 3}
            return 200, JSON, json.dumps(page).encode()
        wish = json.loads(asked.body)
        key = self.add(wish["description"], days=wish["days"], read_only=wish["read_only"])
        self.wishes.append(wish)
        place = {"secret_access_key": SECRET, "bucket": "alice", "endpoint": "https://rgw.example.org"}
        return 201, JSON, json.dumps({**key, **place, "region": "us-east-1"}).encode()

    def revoke(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        assert asked.method == "DELETE"
        (key,) = (item for item in self.items if item["id"] == int(asked.path.rpartition("/")[2]))
        if self.store_down:
            key["state"] = "revoking"
            return 200, JSON, json.dumps(key).encode()
        self.items.remove(key)
        return 200, JSON, json.dumps({**key, "state": "ended"}).encode()


@pytest.fixture
def keys(lab: Stack) -> Keys:
    """alice may have keys."""
    found = Keys()
    me = {"name": "alice", "groups": ["users/naas", "users/s3", "developers"]}
    lab.gateway.says("me", {**me, "capabilities": {"s3-keys": {"allowed": True, "groups": [], "reason": ""}}})
    lab.gateway.replies["s3-keys"] = found.answer
    for number in range(1, 10):
        lab.gateway.replies[f"s3-keys/{number}"] = found.revoke
    return found


def opened(page: Page) -> Any:
    show(page).get_by_role("button", name="Manage keys for other programs").click()
    return page.get_by_role("dialog", name="Keys for other programs")


def test_a_key_from_its_making_to_its_end(lab: Stack, visit: Callable[..., Page], keys: Keys, pictures: Path) -> None:
    page = visit(lab.jupyter, permissions=["clipboard-read", "clipboard-write"])
    dialog = opened(page)
    expect(dialog).to_contain_text("You have no keys.")
    dialog.get_by_role("button", name="New key…").click()

    form = page.get_by_role("dialog", name="New key")
    expect(form.get_by_label("What it is for")).to_be_focused()
    expect(form.get_by_role("button", name="Make key")).to_be_disabled()
    form.get_by_label("What it is for").fill("x" * 101)
    expect(form.get_by_role("button", name="Make key")).to_be_disabled()
    form.get_by_label("What it is for").fill("Backup of the lab computer")
    assert form.get_by_label("It works for").evaluate("e => [...e.options].map(o => o.text)") == [
        "1 day",
        "7 days",
        "30 days",
        "90 days",
    ]
    form.get_by_label("It works for").select_option("90")
    form.get_by_label("Read only").check()
    page.screenshot(path=pictures / "keys-new.png")
    assert serious(page, ".jp-Naas-dialog") == []
    form.get_by_role("button", name="Make key").click()

    made = page.get_by_role("dialog", name="Key for Backup of the lab computer")
    expect(made.get_by_label("Secret key", exact=True)).to_have_value(SECRET)
    assert keys.wishes == [{"description": "Backup of the lab computer", "days": 90, "read_only": True}]
    made.get_by_role("button", name="Copy Secret key").click()
    assert page.evaluate("navigator.clipboard.readText()") == SECRET
    made.get_by_role("button", name="for rclone").click()
    remote = page.evaluate("navigator.clipboard.readText()")
    assert f"secret_access_key = {SECRET}\nregion = us-east-1\nendpoint = https://rgw.example.org\n" in remote
    expect(made.get_by_role("status").last).to_contain_text("Copied.")
    page.screenshot(path=pictures / "keys-made.png")
    assert serious(page, ".jp-Naas-dialog") == []
    made.get_by_role("button", name="I have kept it").click()

    row = dialog.locator("[data-key]")
    expect(row).to_have_text(
        re.compile(r"Backup of the lab computer.*Read only.*made \d min ago · ends \w+ \d+, \d{4}")
    )
    assert SECRET not in page.content()
    row.get_by_role("button", name="Revoke Backup of the lab computer").click()
    question = page.get_by_role("dialog", name="Revoke the key for Backup of the lab computer?")
    expect(question.get_by_role("button", name="Keep")).to_be_focused()
    question.get_by_role("button", name="Revoke", exact=True).click()
    expect(dialog).to_contain_text("You have no keys.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Manage keys for other programs")).to_be_focused()


def test_a_list_with_all_that_can_be(lab: Stack, visit: Callable[..., Page], keys: Keys, pictures: Path) -> None:
    keys.add("Microscope in room 12", days=0.2, read_only=True)
    keys.add("Nextcloud external storage " + "ü" * 70)
    keys.add("<b>restic</b> on the NAS")
    keys.store_down = True
    page = visit(lab.jupyter)
    dialog = opened(page)
    expect(dialog.get_by_role("button", name="New key…")).to_be_disabled()
    expect(dialog).to_contain_text("You have 3 keys, as many as one may have here. Revoke one first.")
    expect(dialog.locator("[data-key]").last).to_contain_text(re.compile("ends in 4 h 4"))
    dialog.get_by_role("button", name="Revoke <b>restic</b> on the NAS").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    first = dialog.locator("[data-key]").first
    expect(first).to_contain_text("being revoked")
    expect(first.get_by_role("button")).to_have_count(0)
    page.screenshot(path=pictures / "keys-list.png")
    assert serious(page, ".jp-Naas-dialog", "#jp-naas-panel") == []


def test_what_the_platform_refuses_is_said_and_nothing_is_lost(
    lab: Stack, visit: Callable[..., Page], keys: Keys
) -> None:
    page = visit(lab.jupyter)
    opened(page).get_by_role("button", name="New key…").click()
    down = {"code": "store-down", "message": "The object store does not answer. Try again in a minute."}
    lab.gateway.says("s3-keys", {"error": {**down, "request_id": "r"}}, 503)
    form = page.get_by_role("dialog", name="New key")
    form.get_by_label("What it is for").fill("Backup")
    form.get_by_role("button", name="Make key").click()
    expect(form.get_by_role("alert")).to_have_text("The object store does not answer. Try again in a minute.")
    expect(form.get_by_label("What it is for")).to_have_value("Backup")
    lab.gateway.replies["s3-keys"] = keys.answer
    form.get_by_role("button", name="Make key").click()
    expect(page.get_by_role("dialog", name="Key for Backup")).to_be_visible()


@pytest.mark.parametrize("capabilities", [{}, {"s3-keys": {"allowed": False, "groups": ["x"], "reason": "Join x."}}])
def test_who_may_have_none_sees_nothing_of_it(
    lab: Stack, visit: Callable[..., Page], capabilities: dict[str, Any]
) -> None:
    lab.gateway.says("me", {"name": "alice", "groups": ["users/s3"], "capabilities": capabilities})
    panel = show(visit(lab.jupyter))
    expect(panel.locator(".jp-Naas-header")).to_contain_text("alice")
    expect(panel.get_by_test_id("naas-access")).to_be_visible()
    expect(panel.get_by_test_id("naas-keys")).to_have_count(0)


def test_in_italian(lab: Stack, visit: Callable[..., Page], keys: Keys, pictures: Path) -> None:
    write_settings(lab.desk.config, ITALIAN)
    keys.add("Microscopio")
    page = visit(lab.jupyter)
    show(page).get_by_role("button", name="Gestisci le chiavi per altri programmi").click()
    dialog = page.get_by_role("dialog", name="Chiavi per altri programmi")
    expect(dialog.locator("[data-key]")).to_contain_text("creata 3 min fa · scade il")
    page.screenshot(path=pictures / "keys-italian.png")
    dialog.get_by_role("button", name="Nuova chiave…").click()
    expect(page.get_by_role("dialog", name="Nuova chiave")).to_contain_text("Chi ha la chiave apre il tuo bucket")
