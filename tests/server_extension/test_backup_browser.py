"""The backup in a real JupyterLab and Chromium, on the embedded store: numbers, restore, settings, failure, languages, axe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab_page import DARK, ITALIAN, QUIET, serious, show_panel, write_settings
from lab_server import Stack, desk_store, platform
from naas_local.store.embedded import EmbeddedStore
from naas_storage.agent.engine import write_configuration
from naas_storage.backup.state import FOLDER, Attempt, BackupState
from naas_storage.plan import AgentPlan
from waiting import wait_for

sync_api = pytest.importorskip("playwright.sync_api")
expect: Any = sync_api.expect
Page = Any

pytestmark = [pytest.mark.server, pytest.mark.browser]

TAB = "#jp-naas-backups"
WORK_LIMIT = 120_000
"""Milliseconds for a backup or a restore of a few files on a busy machine."""


@dataclass
class BackupLab:
    """alice's Lab, her home, and the store that it is backed up to."""

    stack: Stack
    store: EmbeddedStore
    s3: Any

    @property
    def home(self) -> Path:
        return self.stack.desk.home

    def write(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def stored(self, name: str) -> Path:
        """Where the store has an object of the backup."""
        return self.store.buckets / "alice/naas-backup" / name


@pytest.fixture(scope="module")
def _backup_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupLab]:
    with (
        platform(tmp_path_factory.mktemp("backup"), "lab") as stack,
        desk_store(stack.desk) as (store, s3),
    ):
        plan = AgentPlan.model_validate_json((stack.desk.run / "plan.json").read_text())
        write_configuration(plan, plan.endpoint)
        yield BackupLab(stack, store, s3)


@pytest.fixture
def alice(_backup_lab: BackupLab) -> BackupLab:
    """Never backed up: a home with three files, an empty bucket."""
    lab = _backup_lab
    lab.stack.reset()
    shutil.rmtree(lab.stack.desk.config, ignore_errors=True)
    write_settings(lab.stack.desk.config, QUIET)
    for path in (lab.home / "local", lab.home / FOLDER):
        shutil.rmtree(path, ignore_errors=True)
    for item in lab.s3.list_objects_v2(Bucket="alice").get("Contents", []):
        lab.s3.delete_object(Bucket="alice", Key=item["Key"])
    for name in ("local/notes.txt", "local/runs/hits 1.csv", "local/runs/hits 2.csv"):
        lab.write(name, f"this is {name}")
    return lab


def row(panel: Any) -> Any:
    """The backup's row in the Storage section."""
    return panel.get_by_test_id("naas-backup")


def dialog(page: Page) -> Any:
    """The open question."""
    return page.locator("dialog[open]")


def back_up(page: Page) -> Any:
    """Press the row's button and wait for the end; the row."""
    backup = row(show_panel(page))
    backup.get_by_role("button", name="Back up now").click()
    expect(backup).to_have_attribute("data-look", "ok", timeout=WORK_LIMIT)
    return backup


def choose(page: Page, entry: str) -> None:
    """An entry of the row's menu."""
    page.get_by_role("button", name="More for the backup").click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def palette(page: Page, command: str) -> None:
    """A command, as people find it."""
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill(command)
    page.locator(".lm-CommandPalette-item", has_text=command).first.click()


@pytest.mark.parametrize("theme", [{}, DARK], ids=["light", "dark"])
def test_from_never_to_a_file_that_is_back(
    alice: BackupLab, visit: Callable[..., Page], pictures: Path, theme: dict[str, str]
) -> None:
    write_settings(alice.stack.desk.config, theme)
    page = visit(alice.stack.jupyter)
    panel = show_panel(page)
    backup = row(panel)
    expect(backup).to_contain_text("No backup")
    page.screenshot(path=pictures / f"backup-never-{len(theme)}.png")
    backup.get_by_role("button", name="Back up now").click()
    expect(backup).to_have_attribute("data-look", "ok", timeout=WORK_LIMIT)
    expect(backup).to_contain_text(re.compile(r"Backup.*\d+ \w+ ago · \d+ files, [\d.]+ (B|KiB)"))
    toast = page.locator(".Toastify__toast", has_text="Your home is backed up")
    expect(toast).to_be_visible()
    assert alice.stored("home/local/notes.txt").read_text() == "this is local/notes.txt"
    page.screenshot(path=pictures / f"backup-row-{len(theme)}.png")
    assert serious(page) == []

    (alice.home / "local/notes.txt").unlink()
    choose(page, "Restore…")
    tab = page.locator(TAB)
    runs = tab.get_by_role("grid", name="Backups").locator("[data-key]")
    expect(runs).to_have_count(1)
    expect(runs).to_have_accessible_name(re.compile(r"\w+ \d+, \d\d:\d\d, \d+ files, .*, Complete"))
    page.screenshot(path=pictures / f"backup-list-{len(theme)}.png")
    assert serious(page, TAB) == []

    runs.focus()
    page.keyboard.press("Enter")
    files = tab.get_by_role("grid", name="Files in the backup")
    expect(files.locator('[data-key="local/"]')).to_be_visible()
    files.locator('[data-key="local/"]').get_by_role("button", name="local", exact=True).click()
    notes = files.locator('[data-key="local/notes.txt"]')
    expect(notes).to_have_accessible_name("notes.txt, 23 B")
    notes.focus()
    page.keyboard.press("Space")
    expect(tab.locator(".jp-Naas-marked")).to_contain_text("1 marked")
    page.screenshot(path=pictures / f"backup-files-{len(theme)}.png")
    assert serious(page, TAB) == []
    tab.get_by_role("button", name="Restore what is marked").click()
    question = dialog(page)
    expect(question).to_have_accessible_name(re.compile(r"^Restore notes\.txt as it was on \w+ \d+, \d\d:\d\d\?$"))
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.screenshot(path=pictures / f"backup-restore-{len(theme)}.png")
    assert serious(page, "dialog[open]") == []
    question.get_by_role("button", name="Restore 1 entry").click()
    told = page.locator(".Toastify__toast", has_text="1 file is back in local/restored-")
    expect(told).to_be_visible(timeout=WORK_LIMIT)
    [back] = alice.home.glob("local/restored-*/local/notes.txt")
    assert back.read_text() == "this is local/notes.txt"
    page.screenshot(path=pictures / f"backup-restored-{len(theme)}.png")
    tab.get_by_role("button", name="Open local/restored-").click()
    expect(page.locator(".jp-DirListing-item", has_text="local")).to_be_visible()
    expect(page.locator(".jp-FileBrowser .jp-BreadCrumbs")).to_contain_text("restored-")


def test_what_is_there_moves_aside_and_names_are_found(alice: BackupLab, visit: Callable[..., Page]) -> None:
    page = visit(alice.stack.jupyter)
    back_up(page)
    alice.write("local/runs/hits 2.csv", "spoilt")
    palette(page, "Restore From Backup…")
    tab = page.locator(TAB)
    tab.get_by_role("grid", name="Backups").locator("[data-key]").get_by_role("button").first.click()
    expect(tab.get_by_role("grid", name="Files in the backup")).to_be_visible()
    page.keyboard.press("/")
    expect(tab.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("HITS 2")
    found = tab.locator("[data-key]")
    expect(found).to_have_count(1)
    expect(found).to_have_accessible_name("local/runs/hits 2.csv, 29 B")
    found.focus()
    page.keyboard.press("Enter")
    dialog(page).get_by_label("Where they came from").check()
    dialog(page).get_by_role("button", name="Restore 1 entry").click()
    expect(tab.locator(".jp-Naas-note")).to_have_text(
        re.compile(r"1 file is back in its place\. What was there is now in local/replaced-"), timeout=WORK_LIMIT
    )
    assert (alice.home / "local/runs/hits 2.csv").read_text() == "this is local/runs/hits 2.csv"
    [aside] = alice.home.glob("local/replaced-*/local/runs/hits 2.csv")
    assert aside.read_text() == "spoilt"

    tab.get_by_role("searchbox").fill("nothing like this")
    expect(tab.get_by_test_id("naas-empty")).to_contain_text("Nothing matches “nothing like this”")
    tab.get_by_role("button", name="Clear search").click()
    expect(tab.locator('[data-key="local/"]')).to_be_visible()


def test_settings_are_kept_and_a_wrong_pattern_is_said(
    alice: BackupLab, visit: Callable[..., Page], pictures: Path
) -> None:
    page = visit(alice.stack.jupyter)
    palette(page, "Backup Settings…")
    question = dialog(page)
    every = question.get_by_label("Back up by itself")
    expect(every).to_be_focused()
    expect(question).to_contain_text("Only when you ask for it.")
    every.select_option("24")
    expect(question).to_contain_text("The next one begins within two minutes.")
    days = question.get_by_label("Days that replaced")
    days.fill("0")
    expect(question.get_by_role("button", name="Save")).to_be_disabled()
    days.fill("30")
    question.get_by_label("Leave out").fill("*.tmp\n\n***\n")
    question.get_by_role("button", name="Save").click()
    expect(question.get_by_role("alert")).to_contain_text(
        'A pattern to leave out cannot be used: too many stars in "***".'
    )
    page.screenshot(path=pictures / "backup-settings.png")
    assert serious(page, "dialog[open]") == []
    assert BackupState(alice.home).settings.keep_days == 90
    question.get_by_label("Leave out").fill("*.tmp\n/local/big/**")
    question.get_by_label("Address of a healthcheck").fill("https://hc-ping.example.org/1")
    question.get_by_role("button", name="Save").click()
    expect(question).to_have_count(0)
    kept = BackupState(alice.home).settings
    assert (kept.every_hours, kept.keep_days, kept.exclude) == (24, 30, ["*.tmp", "/local/big/**"])
    assert kept.ping_url == "https://hc-ping.example.org/1"
    palette(page, "Backup Settings…")
    expect(question.get_by_label("Leave out")).to_have_value("*.tmp\n/local/big/**")
    question.get_by_label("Back up by itself").select_option("0")
    question.get_by_role("button", name="Save").click()
    expect(question).to_have_count(0)
    assert BackupState(alice.home).settings.every_hours == 0


def test_a_store_that_is_away_is_said_with_what_to_do(
    alice: BackupLab, visit: Callable[..., Page], pictures: Path
) -> None:
    page = visit(alice.stack.jupyter)
    backup = row(show_panel(page))
    expect(backup).to_be_visible()
    alice.store.stop()
    try:
        palette(page, "Back Up Home Now")
        expect(backup).to_have_attribute("data-look", "bad", timeout=WORK_LIMIT)
        expect(backup).to_contain_text("Backup failed")
        expect(backup).to_contain_text("The object store does not answer as it should")
        toast = page.locator(".Toastify__toast", has_text="The backup failed.")
        expect(toast.get_by_role("button", name="Try again")).to_be_visible()
        page.screenshot(path=pictures / "backup-failed.png")
        assert serious(page) == []
        choose(page, "Restore…")
        tab = page.locator(TAB)
        expect(tab.get_by_test_id("naas-error")).to_contain_text(
            "Your backups could not be listed.", timeout=WORK_LIMIT
        )
        page.screenshot(path=pictures / "backup-list-failed.png")
    finally:
        alice.store.start()
    backup.get_by_role("button", name="Back up again").click()
    expect(backup).to_have_attribute("data-look", "ok", timeout=WORK_LIMIT)
    expect(toast).to_have_count(0)
    expect(tab.get_by_role("grid", name="Backups").locator("[data-key]")).to_have_count(1, timeout=WORK_LIMIT)


def test_what_could_not_be_saved_is_named(alice: BackupLab, visit: Callable[..., Page], pictures: Path) -> None:
    page = visit(alice.stack.jupyter)
    backup = back_up(page)
    state = BackupState(alice.home)
    line = "local/locked.txt: Failed to copy: failed to open source object: permission denied"
    run = state.known_runs()[0].model_copy(update={"errors": [line]})
    record = f"naas-backup/runs/{run.id}.json"  # as after a backup with a file that is locked
    alice.s3.put_object(Bucket="alice", Key=record, Body=run.model_dump_json().encode())
    state.ended(Attempt(at=run.started_at), run)
    page.get_by_role("button", name="Refresh all").click()
    expect(backup).to_have_attribute("data-look", "warn")
    backup.get_by_role("button", name="Show what is not in the backup").click()
    tab = page.locator(TAB)
    problems = tab.locator("details")
    expect(problems).to_contain_text("Not everything was saved.")
    problems.locator("summary").click()
    expect(problems.locator("li")).to_have_text(line)
    page.screenshot(path=pictures / "backup-incomplete.png")
    assert serious(page, TAB) == []


def test_narrow_and_italian(alice: BackupLab, visit: Callable[..., Page], pictures: Path) -> None:
    write_settings(alice.stack.desk.config, ITALIAN)
    page = visit(alice.stack.jupyter)
    panel = show_panel(page)
    backup = row(panel)
    expect(backup).to_contain_text("Nessun backup")
    box = panel.bounding_box()
    page.mouse.move(box["x"] + box["width"] + 2, 700)
    page.mouse.down()
    page.mouse.move(box["x"] + 252, 700, steps=8)
    page.mouse.up()
    expect(backup).to_be_visible()
    backup.get_by_role("button", name="Esegui ora").click()
    expect(backup).to_have_attribute("data-look", "ok", timeout=WORK_LIMIT)
    page.screenshot(path=pictures / "backup-narrow.png")
    page.get_by_role("button", name="Altro per il backup").click()
    page.get_by_role("menuitem", name="Ripristina…").click()
    tab = page.locator(TAB)
    expect(tab.get_by_role("grid", name="Backup").locator("[data-key]")).to_have_count(1)
    page.set_viewport_size({"width": 700, "height": 900})
    page.screenshot(path=pictures / "backup-narrow-tab.png")
    assert page.evaluate(f"(node => node.scrollWidth <= node.clientWidth)(document.querySelector('{TAB}'))")
    wait_for(lambda: page.locator(f"{TAB} h1").inner_text() == "Backup", "the heading")
