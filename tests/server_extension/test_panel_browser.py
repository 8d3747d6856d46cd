"""The panel in a real JupyterLab and Chromium: what people see, keys, the four states, languages, and axe."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab_page import DARK, ITALIAN, serious, write_settings
from lab_page import show_panel as show
from lab_server import Desk, Stack, drive_store, jupyter
from naas_client.models import FolderState, StorageStatus, Usage
from panel_stand_ins import folder, status, uploads
from waiting import wait_for

sync_api = pytest.importorskip("playwright.sync_api")
expect: Any = sync_api.expect
Page = Any

pytestmark = [pytest.mark.server, pytest.mark.browser]
GIB = 2**30


def bad_day(desk: Desk) -> StorageStatus:
    """A file that is not saved, folders in several states, uploads."""
    checked = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=6)
    return status(
        desk.home,
        state="degraded",
        reason="cygno-analysis: full",
        folders=[
            folder(desk.home, "alice", checked_at=checked),
            folder(desk.home, "cygno-analysis", state=FolderState.REFUSED, reason="500 of 500 GiB are used."),
            folder(desk.home, "cygno-data", state=FolderState.RECONNECTING),
            folder(desk.home, "scratch", read_only=True, checked_at=checked),
        ],
        **uploads(
            ("calib/pmt_gain.h5", 2**20, "failed"),
            ("hits_0412.parquet", 640 * 2**20, "uploading"),
            ("gains_of_all_channels_of_run_0412.parquet", 1_258_291, "waiting"),
            *((f"part_{n}.bin", 5, "waiting") for n in range(9)),
        ),
    )


def test_a_good_day(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    page = visit(lab.jupyter)
    panel = show(page)
    expect(panel.get_by_role("button", name="Storage", exact=True)).to_be_focused()
    rows = panel.get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_have_accessible_name("cloud-storage/alice, Connected, Read and write")
    expect(rows.nth(1)).to_have_accessible_name("cloud-storage/scratch, Connected, Read only")
    expect(panel.get_by_test_id("naas-access")).to_contain_text(re.compile(r"Access renews itself.*in 3[78] min"))
    expect(panel.locator(".jp-Naas-header")).to_contain_text("alice")
    expect(page.locator("#jp-naas-status")).to_have_text("Saved")
    services = panel.get_by_role("button", name=re.compile("All services answer"))
    services.click()
    expect(panel.locator("[data-part=iam]")).to_contain_text("Sign-in")
    page.screenshot(path=pictures / "good-day.png")
    assert serious(page) == []


@pytest.mark.parametrize("theme", [{}, DARK], ids=["light", "dark"])
def test_a_bad_day(lab: Stack, visit: Callable[..., Page], pictures: Path, theme: dict[str, str]) -> None:
    write_settings(lab.desk.config, theme)
    page = visit(lab.jupyter)
    icon = page.locator(".jp-SideBar [data-id=jp-naas-panel]")
    expect(icon).to_have_attribute("title", "NaaS: storage and services")

    lab.agent.set(bad_day(lab.desk))
    expect(page.locator("#jp-naas-status")).to_have_text("1 file not saved · 11 uploading")
    expect(icon).to_have_class(re.compile("jp-mod-naasBadge"))
    expect(icon).to_have_attribute("title", re.compile("^NaaS: 1 file not saved"))
    toast = page.locator(".Toastify__toast", has_text="pmt_gain.h5 is not saved to the bucket.")
    expect(toast).to_be_visible()
    page.screenshot(path=pictures / f"badge-{len(theme)}.png")

    toast.get_by_role("button", name="Show in panel").click()
    panel = page.locator("#jp-naas-panel")
    expect(panel).to_be_visible()
    expect(icon).not_to_have_class(re.compile("jp-mod-naasBadge"))
    note = panel.get_by_role("alert")
    expect(note).to_have_text(re.compile("pmt_gain.h5 is not saved to the bucket.*kept on this server"))
    expect(panel.locator("[data-folder=cygno-analysis]")).to_contain_text("Writes refused500 of 500 GiB are used.")
    expect(panel.locator("[data-upload]")).to_have_count(5)
    expect(panel).to_contain_text("and 7 more")
    page.screenshot(path=pictures / f"bad-day-{len(theme)}.png")
    assert serious(page) == []

    lab.agent.set(status(lab.desk.home))
    expect(page.locator("#jp-naas-status")).to_have_text("Saved")
    expect(panel.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".Toastify__toast", has_text="is not saved")).to_have_count(0)


def test_keys(lab: Stack, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    panel = show(page)
    alice, scratch = panel.locator("[data-folder=alice]"), panel.locator("[data-folder=scratch]")
    expect(alice).to_be_visible()
    page.keyboard.press("Tab")
    while not page.evaluate("document.activeElement.matches('[role=row]')"):
        assert page.evaluate("document.activeElement.closest('#jp-naas-panel') !== null"), "Tab left the panel"
        page.keyboard.press("Tab")
    expect(alice).to_be_focused()
    for key, name in (("End", "scratch-alice"), ("ArrowUp", "scratch"), ("a", "alice"), ("ArrowDown", "scratch")):
        page.keyboard.press(key)
        expect(panel.locator(f"[data-folder={name}]")).to_be_focused()
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menuitem", name="Copy Path")).to_be_visible()
    page.keyboard.press("Escape")
    expect(scratch).to_be_focused()
    expect(panel.get_by_test_id("naas-backup")).to_be_visible()
    stops = ["Back up now", "More for the backup"]
    for name in stops:
        page.keyboard.press("Tab")
        expect(panel.get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(panel.locator("#jp-naas-services-toggle")).to_be_focused()
    for _ in (*stops, "the list"):
        page.keyboard.press("Shift+Tab")
    expect(scratch).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".jp-FileBrowser .jp-BreadCrumbs")).to_have_text("/cloud-storage/scratch/")
    show(page)
    expect(scratch).to_be_focused()


def test_code_is_inserted_below_the_active_cell(lab: Stack, visit: Callable[..., Page]) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # without it Lab asks which kernel
    cell = {
        "cell_type": "code",
        "id": "first",
        "source": "6 * 7",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (lab.desk.home / "a.ipynb").write_text(json.dumps(notebook))
    page = visit(lab.jupyter)
    panel = show(page)
    expect(panel.get_by_role("button", name="Insert code for storage")).to_have_count(0)
    held: list[Any] = []
    page.route(re.compile(r"/api/contents/a\.ipynb\?.*content=1"), lambda route: held.append(route), times=1)
    page.goto(f"{lab.jupyter.url}lab/tree/a.ipynb")
    page.wait_for_selector("#jp-naas-panel", state="attached")
    panel = show(page)
    panel.get_by_role("button", name="Insert code for storage").click()
    [reading] = held
    reading.continue_()  # the code is not lost when the file comes
    cells = page.locator(".jp-Notebook .jp-Cell")
    expect(cells).to_have_count(2)
    expect(cells.first).to_contain_text("6 * 7")
    expect(cells.last).to_contain_text(f'folder = Path("{lab.desk.home}/cloud-storage/alice")')


def test_narrow(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    page = visit(lab.jupyter)
    lab.agent.set(bad_day(lab.desk))
    panel = show(page)
    for width, shown in ((320, True), (260, False)):
        edge = panel.bounding_box()["x"] + panel.bounding_box()["width"] + 2
        page.mouse.move(edge, 700)
        page.mouse.down()
        page.mouse.move(panel.bounding_box()["x"] + width + 2, 700, steps=8)
        page.mouse.up()
        assert panel.locator("[data-folder=alice] time").is_visible() is shown
        panel.locator("[data-folder=alice]").hover()
        page.screenshot(path=pictures / f"width-{width}.png")
        assert not panel.evaluate(
            "node => [...node.querySelectorAll('*')].some(n => n.scrollWidth > n.clientWidth + 1 "
            "&& getComputedStyle(n).overflowX === 'auto')"
        )
    assert serious(page) == []


def test_loading_then_words_then_the_list(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    held: list[Any] = []

    def hold(page: Page) -> None:
        page.route("**/naas/api/storage*", lambda route: held.append(route))
        page.route("**/naas/api/events*", lambda route: route.abort())

    page = visit(lab.jupyter, hold)
    panel = show(page)
    expect(panel.get_by_test_id("naas-loading")).to_be_visible()
    expect(panel).to_contain_text(re.compile(r"Still asking your server about its folders, \d+ s"), timeout=10_000)
    page.screenshot(path=pictures / "state-loading.png")
    assert serious(page) == []
    held.pop().continue_()
    expect(panel.get_by_role("row")).to_have_count(3)
    expect(panel.get_by_test_id("naas-loading")).to_have_count(0)


def test_an_error_is_never_shown_as_empty(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    answer = {"error": {"code": "internal", "message": "This server had an internal error.", "request_id": "0123abcd"}}

    def fail(page: Page) -> None:
        page.route("**/naas/api/storage*", lambda route: route.fulfill(status=500, json=answer))
        page.route("**/naas/api/events*", lambda route: route.abort())

    page = visit(lab.jupyter, fail)
    panel = show(page)
    failure = panel.get_by_test_id("naas-error")
    expect(failure).to_contain_text("The folders could not be read. This server had an internal error.")
    expect(failure).to_contain_text("Code internal")
    expect(panel.get_by_test_id("naas-empty")).to_have_count(0)
    page.screenshot(path=pictures / "state-error.png")
    assert serious(page) == []
    page.unroute("**/naas/api/storage*")
    failure.get_by_role("button", name="Try again").click()
    expect(panel.get_by_role("row")).to_have_count(3)


def test_old_data_stay_and_say_their_age(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    page = visit(lab.jupyter, lambda page: page.route("**/naas/api/events*", lambda route: route.abort()))
    panel = show(page)
    expect(panel.get_by_role("row")).to_have_count(3)
    page.route("**/naas/api/storage*", lambda route: route.abort())
    stale = panel.get_by_test_id("naas-stale")
    expect(stale).to_contain_text(
        re.compile(r"Shown as of \d\d:\d\d, 1[5-9] s ago. Not refreshed since."), timeout=25_000
    )
    expect(panel.get_by_role("row")).to_have_count(3)
    expect(page.locator("#jp-naas-status")).to_have_text("Storage: not known now")
    page.screenshot(path=pictures / "state-stale.png")
    assert serious(page) == []


def test_without_platform_and_storage_lab_is_as_it_was(
    tmp_path: Path, visit: Callable[..., Page], pictures: Path
) -> None:
    with jupyter(Desk.at(tmp_path), "lab") as server:
        page = visit(server)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        panel = show(page)
        expect(panel.get_by_test_id("naas-empty")).to_contain_text("This server was started without cloud storage.")
        expect(panel.get_by_role("button", name="Not connected to a platform")).to_be_visible()
        expect(page.locator("#jp-naas-status")).to_be_empty()
        expect(page.locator(".Toastify__toast", has_not_text="Jupyter news")).to_have_count(0)
        page.screenshot(path=pictures / "state-empty.png")
        assert problems == []
        assert serious(page) == []


def test_a_hidden_page_asks_nothing_and_asks_at_once_when_it_is_back(lab: Stack, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    expect(page.locator("#jp-naas-status")).to_have_text("Saved")
    assert lab.agent.wait_watchers(1)
    hide = (
        "hidden => {Object.defineProperty(document, 'hidden', {configurable: true, value: hidden});"
        "document.dispatchEvent(new Event('visibilitychange'))}"
    )
    page.evaluate(hide, True)
    assert lab.agent.wait_watchers(0)
    with page.expect_request("**/naas/api/storage*", timeout=3_000):
        page.evaluate(hide, False)
    assert lab.agent.wait_watchers(1)


def test_services_that_do_not_answer_are_named(lab: Stack, visit: Callable[..., Page]) -> None:
    parts = [
        {"name": "iam", "state": "down", "detail": "IAM did not answer within 2 s.", "latency_ms": 2000},
        {"name": "database", "state": "ok", "latency_ms": 0.4},
    ]
    lab.gateway.says("health", {"status": "degraded", "version": "0.1.0", "parts": parts})
    page = visit(lab.jupyter)
    panel = show(page)
    panel.get_by_role("button", name=re.compile("1 service does not answer")).click()
    expect(panel.locator("[data-part=iam]")).to_contain_text("Does not answer. IAM did not answer within 2 s.")
    expect(panel.locator("[data-part=database]")).to_contain_text("1 ms")
    assert serious(page) == []


def test_italian(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    write_settings(lab.desk.config, ITALIAN)
    lab.agent.set(bad_day(lab.desk))
    page = visit(lab.jupyter)
    panel = show(page)
    expect(page.locator("#jp-naas-status")).to_have_text("1 file non salvato · 11 in caricamento")
    expect(panel.get_by_role("heading", name="Cartelle")).to_be_visible()
    expect(panel.locator("[data-folder=cygno-data]")).to_contain_text("In riconnessione")
    expect(panel.get_by_role("alert")).to_contain_text("pmt_gain.h5 non è salvato nel bucket.")
    expect(panel.get_by_role("button", name=re.compile("Tutti i servizi rispondono"))).to_be_visible()
    page.screenshot(path=pictures / "italian.png")


def test_the_palette_has_our_commands(lab: Stack, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    page.keyboard.press("Control+Shift+C")
    for label in ("Show Storage", "Show Service Status", "Insert Code for Storage"):
        expect(page.locator(".lm-CommandPalette-item", has_text=label).first).to_be_attached()


def test_without_fuse_the_files_are_in_a_tab_of_their_own(
    lab: Stack, visit: Callable[..., Page], pictures: Path
) -> None:
    reason = "This machine cannot mount folders: /dev/fuse is missing."
    lab.agent.set(status(lab.desk.home, state="degraded", mode="none", code="no-fuse", reason=reason, folders=[]))
    with drive_store(lab.desk) as s3:
        s3.put_object(Bucket="alice", Key="notes.txt", Body=b"from the bucket")
        page = visit(lab.jupyter)
        page.get_by_role("tab", name="Files in cloud-storage").click()
        browser = page.locator("#jp-naas-drive")
        browser.get_by_text("alice", exact=True).dblclick()
        browser.get_by_text("notes.txt", exact=True).dblclick()
        expect(page.get_by_text("from the bucket")).to_be_visible()
        page.screenshot(path=pictures / "drive.png")
        with page.expect_file_chooser() as chooser:
            browser.locator(".jp-id-upload, [data-jp-item-name=upload] jp-button").first.click()
        chooser.value.set_files({"name": "raw.bin", "mimeType": "application/octet-stream", "buffer": bytes(3_000_000)})
        expect(browser.get_by_text("raw.bin", exact=True)).to_be_visible()
        assert s3.head_object(Bucket="alice", Key="raw.bin")["ContentLength"] == 3_000_000


def used(percent: float) -> Usage:
    """Of a bucket with 200 GiB."""
    return Usage(
        used_bytes=round(2 * GIB * percent),
        quota_bytes=200 * GIB,
        objects=2014,
        at=dt.datetime.now(dt.UTC),
        source="store",
    )


def test_a_bucket_that_fills_up_is_told_once_at_80_and_95(
    lab: Stack, visit: Callable[..., Page], pictures: Path
) -> None:
    lab.agent.set(status(lab.desk.home, usage=used(31.2)))
    page = visit(lab.jupyter)
    panel = show(page)
    meter = panel.get_by_role("meter", name="Used of your bucket")
    expect(meter).to_have_attribute("aria-valuetext", "62.4 of 200 GiB")
    expect(panel.get_by_test_id("naas-quota")).to_contain_text("62.4 of 200 GiB")
    panel.get_by_role("button", name="Storage", exact=True).click()
    expect(panel.locator(".jp-Naas-sectionState")).to_have_text("62.4 of 200 GiB")
    panel.get_by_role("button", name="Storage", exact=True).click()

    toast = page.locator(".Toastify__toast", has_text="Your bucket alice is over")
    lab.agent.set(status(lab.desk.home, usage=used(82)))
    expect(toast).to_contain_text("over 80 % full: 164 of 200 GiB")
    expect(panel.locator("[data-folder=alice]")).to_contain_text("Over 80 %")
    expect(page.locator("#jp-naas-status")).to_have_text("Saved")
    assert serious(page) == []
    lab.agent.set(status(lab.desk.home, usage=used(96)))
    expect(toast.filter(has_text="over 95 % full: 192 of 200 GiB")).to_be_visible()
    expect(toast).to_have_count(1)  # the one at 80 % is gone
    expect(page.locator("#jp-naas-status")).to_have_text("Bucket 96 % full")
    page.screenshot(path=pictures / "quota.png")
    toast.get_by_role("button", name="Hide notification").click()
    expect(toast).to_have_count(0)
    lab.agent.set(status(lab.desk.home, usage=used(97)))
    expect(page.locator("#jp-naas-status")).to_have_text("Bucket 97 % full")
    expect(toast).to_have_count(0)


def test_failed_uploads_are_told_by_cause_and_sent_again(lab: Stack, visit: Callable[..., Page]) -> None:
    bad = status(
        lab.desk.home,
        **uploads(("a/pmt_gain.h5", 1, "failed"), ("b.h5", 1, "failed"), ("c.h5", 1, "failed")),
        endpoint="http://s3.second.example.org",
    )
    bad.uploads[0].error = bad.uploads[1].error = "alice is full: 200 of 200 GiB. Delete something, then retry."
    bad.uploads[2].error = "The store refused your access. Ask your group manager."
    lab.agent.set(bad)
    page = visit(lab.jupyter)
    panel = show(page)
    notes = panel.get_by_role("alert")
    expect(notes).to_have_count(2)
    expect(notes.nth(0)).to_contain_text("2 files are not saved to the bucket. pmt_gain.h5, b.h5. alice is full")
    expect(notes.nth(1)).to_contain_text("c.h5 is not saved to the bucket. The store refused your access.")
    expect(page.locator(".Toastify__toast", has_text="not saved to the bucket")).to_have_count(2)
    expect(panel.get_by_test_id("naas-site")).to_contain_text("s3.second.example.org")
    assert serious(page) == []
    lab.agent.words.clear()
    notes.nth(1).get_by_role("button", name="Retry upload of c.h5").click()
    wait_for(lambda: page.wait_for_timeout(20) or "retry" in lab.agent.words, "the agent was asked to retry")

    panel.locator("[data-folder=scratch]").focus()
    page.keyboard.press("Shift+F10")
    page.get_by_role("menuitem", name="Reconnect", exact=True).click()
    wait_for(lambda: page.wait_for_timeout(20) or "reconnect scratch" in lab.agent.words, "the folder is reconnected")
