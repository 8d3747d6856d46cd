"""The Buckets tab in a real JupyterLab and Chromium, on the embedded store: what people do there, keys, states, languages, axe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab_page import DARK, ITALIAN, QUIET, serious, show_panel, write_settings
from lab_server import Stack, drive_store, platform
from panel_stand_ins import status
from waiting import wait_for

sync_api = pytest.importorskip("playwright.sync_api")
expect: Any = sync_api.expect
Page = Any

pytestmark = [pytest.mark.server, pytest.mark.browser]

TAB = "#jp-naas-buckets"
MANY = 1_050
"""More objects than a page of the store holds."""


@pytest.fixture(scope="module")
def _bucket_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Any]]:
    with platform(tmp_path_factory.mktemp("buckets"), "lab") as stack, drive_store(stack.desk) as s3:
        yield stack, s3


@pytest.fixture
def s3(_bucket_stack: tuple[Stack, Any]) -> Any:
    """alice's boto3 client; her bucket has two files and a folder, nothing else."""
    client = _bucket_stack[1]
    empty(client, "alice")
    for key in ("calib/gain.csv", "hits.parquet", "notes.txt"):
        client.put_object(Bucket="alice", Key=key, Body=b"x" * 4321)
    return client


@pytest.fixture
def lab(_bucket_stack: tuple[Stack, Any], s3: Any) -> Stack:
    """alice's Lab, as on the first day."""
    stack = _bucket_stack[0]
    stack.reset()
    shutil.rmtree(stack.desk.config, ignore_errors=True)
    write_settings(stack.desk.config, QUIET)
    return stack


def keys(s3: Any, bucket: str = "alice") -> list[str]:
    """What is in a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def empty(s3: Any, bucket: str) -> None:
    """Delete everything in a bucket."""
    for key in keys(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)


def browse(page: Page, bucket: str = "") -> Any:
    """The tab, opened from the panel; in a bucket when one is named."""
    show_panel(page).get_by_role("button", name="Browse buckets").click()
    tab = page.locator(TAB)
    expect(row(tab, "alice")).to_be_visible()
    if bucket:
        row(tab, bucket).get_by_role("button", name=bucket, exact=True).click()
        expect(tab.get_by_role("heading", name=bucket, exact=True)).to_be_visible()
        expect(tab.get_by_role("grid", name=f"Files in {bucket}/")).to_be_visible()
    return tab


def row(tab: Any, key: str) -> Any:
    """The row of a key."""
    return tab.locator(f'[data-key="{key}"]')


def choose(page: Page, row_: Any, entry: str) -> None:
    """Open a row's menu by its key and choose an entry."""
    row_.focus()
    page.keyboard.press("Shift+F10")
    page.get_by_role("menuitem", name=entry).click()


def upload(page: Page, tab: Any, *files: tuple[str, bytes]) -> None:
    """Choose files with the button."""
    with page.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Upload…").click()
    chosen = [{"name": name, "mimeType": "application/octet-stream", "buffer": body} for name, body in files]
    chooser.value.set_files(chosen)


def dialog(page: Page) -> Any:
    """The open question."""
    return page.locator("dialog[open]")


@pytest.mark.parametrize("theme", [{}, DARK], ids=["light", "dark"])
def test_a_folder_of_files(
    lab: Stack, s3: Any, visit: Callable[..., Page], pictures: Path, theme: dict[str, str]
) -> None:
    write_settings(lab.desk.config, theme)
    page = visit(lab.jupyter)
    page.locator(".jp-LauncherCard", has_text="Browse buckets").click()
    tab = page.locator(TAB)
    rows = tab.locator("[data-key]")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_have_accessible_name("alice, Yours")
    expect(rows.nth(1)).to_have_accessible_name("scratch, Shared")
    assert serious(page, TAB) == []

    rows.nth(0).focus()
    page.keyboard.press("Enter")
    expect(tab.get_by_test_id("naas-facts")).to_have_text(re.compile("Your bucket · 3 objects · 12.7 KiB"))
    expect(rows).to_have_count(3)
    expect(row(tab, "notes.txt")).to_have_accessible_name(re.compile(r"notes\.txt, 4\.22 KiB, \d+ \w+ ago"))
    expect(tab.locator(".jp-Naas-foot")).to_have_text("3 entries")
    page.screenshot(path=pictures / f"buckets-{len(theme)}.png")
    assert serious(page, TAB) == []

    row(tab, "calib/").get_by_role("button", name="calib", exact=True).click()
    expect(row(tab, "calib/gain.csv")).to_be_visible()
    row(tab, "calib/gain.csv").focus()
    page.keyboard.press("Backspace")
    expect(row(tab, "notes.txt")).to_be_visible()

    with page.expect_download() as download:
        row(tab, "notes.txt").hover()
        tab.get_by_role("button", name="Download notes.txt").click()
    assert Path(download.value.path()).read_bytes() == b"x" * 4321
    assert download.value.suggested_filename == "notes.txt"


def test_changes_reach_the_store(lab: Stack, s3: Any, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    tab = browse(page, "alice")
    tab.get_by_role("button", name="New folder…").click()
    expect(dialog(page).get_by_label("Name")).to_be_focused()
    page.keyboard.type("run 1/é")
    expect(dialog(page).get_by_role("button", name="Make folder")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_text("A name has no slash.")).to_be_visible()
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(row(tab, "run 1/")).to_be_visible()
    expect(dialog(page)).to_have_count(0)

    row(tab, "notes.txt").focus()
    page.keyboard.press("F2")
    expect(dialog(page).get_by_label("New name")).to_be_focused()
    page.keyboard.type("diary")  # the name without its ending is marked
    page.keyboard.press("Enter")
    expect(row(tab, "diary.txt")).to_be_visible()
    expect(row(tab, "notes.txt")).to_have_count(0)
    assert "diary.txt" in keys(s3)
    assert "notes.txt" not in keys(s3)

    row(tab, "diary.txt").focus()
    page.keyboard.press("Delete")
    question = dialog(page)
    expect(question).to_have_accessible_name("Delete diary.txt?")
    expect(question).to_contain_text("It is deleted from alice. Nothing of this can be restored.")
    expect(question.get_by_role("button", name="Keep")).to_be_focused()
    assert serious(page, TAB) == []
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(row(tab, "diary.txt")).to_be_focused()
    assert "diary.txt" in keys(s3)

    page.keyboard.press("Space")
    for key in ("calib/", "run 1/"):
        row(tab, key).focus()
        page.keyboard.press("Space")
    expect(tab.locator(".jp-Naas-marked")).to_contain_text("3 marked")
    page.keyboard.press("Delete")
    expect(question).to_contain_text("Folders go with everything that is in them")
    question.get_by_role("button", name="Delete 3 entries").click()
    expect(row(tab, "diary.txt")).to_have_count(0)
    expect(question).to_have_count(0)
    expect(tab.locator("[data-key]")).to_have_count(1)
    assert keys(s3) == ["hits.parquet"]


def test_uploads(lab: Stack, s3: Any, visit: Callable[..., Page], pictures: Path) -> None:
    page = visit(lab.jupyter)
    tab = browse(page, "alice")
    body = bytes(range(256)) * 40_000
    upload(page, tab, ("notes.txt", b"new"), ("raw.bin", body), ("none", b""))
    listed = tab.get_by_role("region", name="Uploads")
    for name in ("raw.bin", "none"):
        expect(listed.locator(f'[data-transfer="{name}"]')).to_have_attribute("data-state", "saved")
    there = listed.locator('[data-transfer="notes.txt"]')
    expect(there).to_contain_text("A file of this name is there already")
    expect(row(tab, "raw.bin")).to_be_visible()
    page.screenshot(path=pictures / "buckets-uploads.png")
    assert serious(page, TAB) == []
    assert s3.get_object(Bucket="alice", Key="raw.bin")["Body"].read() == body
    assert s3.head_object(Bucket="alice", Key="none")["ContentLength"] == 0
    assert s3.head_object(Bucket="alice", Key="notes.txt")["ContentLength"] == 4321
    there.get_by_role("button", name="Replace notes.txt").click()
    expect(there).to_have_attribute("data-state", "saved")
    assert s3.get_object(Bucket="alice", Key="notes.txt")["Body"].read() == b"new"
    listed.get_by_role("button", name="Clear").click()
    expect(listed).to_have_count(0)

    page.evaluate(
        """selector => {
            const data = new DataTransfer();
            data.items.add(new File(['dropped'], 'dropped.txt'));
            const event = type => new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
            const target = document.querySelector(selector + ' [role=grid]');
            target.dispatchEvent(event('dragover'));
            target.dispatchEvent(event('drop'));
        }""",
        TAB,
    )
    expect(row(tab, "dropped.txt")).to_be_visible()
    assert s3.get_object(Bucket="alice", Key="dropped.txt")["Body"].read() == b"dropped"


def test_a_refused_or_cancelled_upload_is_never_silent(lab: Stack, s3: Any, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    tab = browse(page, "scratch")  # alice may read it, and write below her name
    upload(page, tab, ("mine.txt", b"x"))
    refused = tab.locator('[data-transfer="mine.txt"]')
    expect(refused).to_have_attribute("data-state", "failed")
    expect(refused.locator(".jp-Naas-cause")).not_to_be_empty()
    refused.get_by_role("button", name="Retry upload of mine.txt").click()
    expect(refused).to_have_attribute("data-state", "failed")
    refused.get_by_role("button", name="Take mine.txt off this list").click()
    expect(refused).to_have_count(0)

    held: list[Any] = []
    page.route("**/naas/api/buckets/scratch/object?**", lambda route: held.append(route))
    upload(page, tab, ("slow.txt", b"x"))
    slow = tab.locator('[data-transfer="slow.txt"]')
    expect(slow).to_have_attribute("data-state", "uploading")
    wait_for(lambda: page.wait_for_timeout(20) or held, "the upload was begun")
    slow.get_by_role("button", name="Cancel upload of slow.txt").click()
    expect(slow).to_have_count(0)
    assert not [key for key in keys(s3, "scratch") if "slow" in key]


def test_buckets_are_made_and_deleted(lab: Stack, s3: Any, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    tab = browse(page)
    tab.get_by_role("button", name="New bucket…").click()
    question = dialog(page)
    name = question.get_by_label("Name")
    expect(name).to_be_focused()
    name.fill("Runs")
    name.blur()
    expect(question).to_contain_text("Use small letters, digits and hyphens.")
    name.fill("runs")
    question.get_by_label("Keep earlier versions").check()
    assert serious(page, TAB) == []
    question.get_by_role("button", name="Make bucket").click()
    expect(question.get_by_role("alert")).not_to_be_empty()  # the embedded store keeps no versions
    question.get_by_label("Keep earlier versions").uncheck()
    question.get_by_role("button", name="Make bucket").click()
    expect(tab.get_by_role("heading", name="alice--runs")).to_be_visible()
    expect(tab.get_by_test_id("naas-empty")).to_contain_text("This folder is empty")
    assert "alice--runs" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

    s3.put_object(Bucket="alice--runs", Key="a", Body=b"a")
    tab.get_by_role("button", name="More for alice--runs").click()
    page.get_by_role("menuitem", name="Delete Bucket…").click()
    delete = question.get_by_role("button", name="Delete alice--runs")
    expect(delete).to_be_disabled()
    question.get_by_label("Type alice--runs to confirm").fill("alice--runs")
    delete.click()
    expect(question.get_by_role("alert")).not_to_be_empty()  # it is not empty
    s3.delete_object(Bucket="alice--runs", Key="a")
    delete.click()
    expect(question).to_have_count(0)
    expect(row(tab, "alice")).to_be_visible()
    expect(row(tab, "alice--runs")).to_have_count(0)
    assert "alice--runs" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_long_list_is_read_page_by_page_and_searched(lab: Stack, s3: Any, visit: Callable[..., Page]) -> None:
    with ThreadPoolExecutor(8) as pool:
        put = lambda n: s3.put_object(Bucket="alice", Key=f"many/part-{n:05}.bin", Body=b"")  # noqa: E731
        list(pool.map(put, range(MANY)))
    s3.put_object(Bucket="alice", Key="many/deep/er/Needle.txt", Body=b"")
    page = visit(lab.jupyter)
    tab = browse(page, "alice")
    row(tab, "many/").get_by_role("button", name="many", exact=True).click()
    expect(row(tab, "many/part-00000.bin")).to_be_visible()
    expect(tab.locator(".jp-Naas-foot")).to_have_text(re.compile("1,000 entries so far"))
    assert tab.locator("[data-key]").count() < 80, "only rows in sight are in the page"
    first = row(tab, "many/deep/")
    first.focus()
    page.keyboard.press("End")
    expect(tab.locator(".jp-Naas-foot")).to_have_text(f"{MANY + 1:,} entries")
    page.keyboard.press("End")
    last = row(tab, f"many/part-{MANY - 1:05}.bin")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport()

    page.keyboard.press("/")
    search = tab.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("needle")
    expect(row(tab, "many/deep/er/Needle.txt")).to_contain_text("deep/er/Needle.txt")
    expect(tab.locator("[data-key]")).to_have_count(1)
    choose(page, row(tab, "many/deep/er/Needle.txt"), "Show in its folder")
    expect(tab.get_by_role("heading", name="er", exact=True)).to_be_visible()
    tab.get_by_role("searchbox").fill("nowhere")
    expect(tab.get_by_test_id("naas-empty")).to_contain_text("Nothing matches “nowhere”")
    tab.get_by_role("searchbox").press("Escape")
    expect(row(tab, "many/deep/er/Needle.txt")).to_be_visible()


def test_a_shared_link_opens_the_file_for_everybody(lab: Stack, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = browse(page, "alice")
    choose(page, row(tab, "notes.txt"), "Share…")
    question = dialog(page)
    expect(question).to_contain_text("A link cannot be taken back.")
    expect(question).to_contain_text(re.compile(r"Your session allows at most \d+ (min|h) now\."))
    link = question.get_by_label("Link", exact=True).input_value()
    assert httpx.get(link).content == b"x" * 4321
    assert serious(page, TAB) == []
    question.get_by_role("button", name="Copy link").click()
    expect(question).to_contain_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.keyboard.press("Escape")
    expect(row(tab, "notes.txt")).to_be_focused()


def test_the_four_states(lab: Stack, visit: Callable[..., Page], pictures: Path) -> None:
    answer = {"error": {"code": "forbidden", "message": "The store refused your access.", "request_id": "0123abcd"}}
    page = visit(lab.jupyter)
    tab = browse(page)
    objects = "**/naas/api/buckets/alice/objects?**"
    page.route(objects, lambda route: route.fulfill(status=403, json=answer))
    row(tab, "alice").dblclick()
    failure = tab.get_by_test_id("naas-error")
    expect(failure).to_contain_text("alice/ could not be listed. The store refused your access.")
    expect(tab.get_by_test_id("naas-empty")).to_have_count(0)
    assert serious(page, TAB) == []

    held: list[Any] = []
    page.unroute(objects)
    page.route(objects, lambda route: held.append(route))
    failure.get_by_role("button", name="Try again").click()
    expect(tab.get_by_test_id("naas-loading")).to_be_visible()
    wait_for(lambda: page.wait_for_timeout(20) or held, "the list was asked for")
    held[0].continue_()
    expect(row(tab, "notes.txt")).to_be_visible()

    page.unroute(objects)
    page.route(objects, lambda route: route.fulfill(status=503, json=answer))
    tab.get_by_role("button", name="Refresh").click()
    stale = tab.get_by_test_id("naas-stale")
    expect(stale).to_contain_text(re.compile(r"Shown as of \d\d:\d\d, .* The store refused your access."))
    expect(row(tab, "notes.txt")).to_be_visible()
    page.screenshot(path=pictures / "buckets-stale.png")
    assert serious(page, TAB) == []
    page.unroute(objects)
    stale.get_by_role("button", name="Try again").click()
    expect(stale).to_have_count(0)


def test_the_tab_comes_back_where_it_was_in_italian_and_narrow(
    lab: Stack, s3: Any, visit: Callable[..., Page], pictures: Path
) -> None:
    write_settings(lab.desk.config, ITALIAN)
    page = visit(lab.jupyter)
    page.locator(".jp-LauncherCard", has_text="Sfoglia i bucket").click()
    tab = page.locator(TAB)
    row(tab, "alice").dblclick()
    row(tab, "calib/").dblclick()
    expect(row(tab, "calib/gain.csv")).to_be_visible()
    expect(tab.get_by_role("button", name="Nuova cartella…")).to_be_visible()
    saved = lambda: "calib/" in "".join(p.read_text() for p in lab.desk.config.glob("workspaces/*"))  # noqa: E731
    wait_for(lambda: page.wait_for_timeout(50) or saved(), "the workspace is kept")
    page.reload()
    expect(row(tab, "calib/gain.csv")).to_be_visible()
    expect(tab.get_by_role("heading", name="calib", exact=True)).to_be_visible()

    page.set_viewport_size({"width": 620, "height": 800})
    expect(tab.locator(".jp-Naas-toolWord").first).to_be_hidden()
    assert not tab.evaluate("node => [...node.querySelectorAll('*')].some(n => n.scrollLeft > 0)")
    page.screenshot(path=pictures / "buckets-narrow.png")
    assert serious(page, TAB) == []


def test_code_goes_to_the_clipboard_without_a_notebook(lab: Stack, visit: Callable[..., Page]) -> None:
    page = visit(lab.jupyter)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = browse(page, "alice")
    choose(page, row(tab, "hits.parquet"), "Insert Code to Read This File")
    expect(page.locator(".Toastify__toast", has_text="The code is in your clipboard.")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")
    assert 'fs.open("alice/hits.parquet", "rb")' in code
    assert "pd.read_parquet(file)" in code


def test_a_server_without_storage_offers_no_buckets(lab: Stack, visit: Callable[..., Page]) -> None:
    lab.agent.set(status(lab.desk.home, state="degraded", code="no-storage", reason="No storage.", folders=[]))
    page = visit(lab.jupyter)
    expect(show_panel(page).get_by_test_id("naas-empty")).to_contain_text("No storage.")
    expect(page.locator(".jp-LauncherCard", has_text="Browse buckets")).to_have_count(0)
    expect(page.get_by_role("button", name="Browse buckets")).to_have_count(0)
