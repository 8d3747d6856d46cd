"""Healthchecks as a scientist uses them: made in the panel, told by cells, seen in Lab and in the mailbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from alert_sink import MailSink, mail_sink
from hub_session import HubSession
from naas_local.ports import LOOPBACK
from playwright.sync_api import Locator, Page, expect
from product import Product, naas_up
from sign_in_page import sign_in
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.root, pytest.mark.fuse]
Take = Callable[[Page, str], None]
Check = Callable[..., None]
ALERT_LIMIT = 60_000
"""Milliseconds until Lab shows what a check has become: the platform asks the server each half minute at the latest."""


@pytest.fixture(scope="module")
def mails() -> Iterator[MailSink]:
    with mail_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mails: MailSink) -> Iterator[Product]:
    mail = {"host": LOOPBACK, "port": mails.port, "security": "none", "sender": "naas@example.org"}
    with naas_up(tmp_path_factory.mktemp("checks"), {"mail": mail}) as product:
        yield product


NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}},
    "cells": [
        {"cell_type": "code", "id": name, "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for name, source in {
            "good": "%%healthcheck nightly\nprint('gain', 6 * 8)\n6 * 7",
            "bad": "%%healthcheck nightly\nraise KeyError('charge')",
        }.items()
    ],
}


def run_cell(page: Page, number: int) -> None:
    page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def row(page: Page) -> Locator:
    return page.locator("#jp-naas-checks [data-check=nightly]")


def open_lab(page: Page, site: Product) -> None:
    sign_in(page, site, "alice")
    with HubSession(site.url, "alice") as alice:
        alice.sign_in()
        alice.start_server(user_options={"profile": "standard"})
        made = alice.server(
            "PUT", "api/contents/local/run.ipynb", json={"type": "notebook", "format": "json", "content": NOTEBOOK}
        )
        assert made.status_code == 201, made.text
    page.goto(f"{site.url}/user/alice/lab/tree/local/run.ipynb")
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name=re.compile("NaaS")).click()
    page.get_by_role("button", name="Healthchecks", exact=True).click()


def test_a_check_from_its_making_to_its_end(
    page: Page, site: Product, mails: MailSink, picture: Take, accessible: Check
) -> None:
    open_lab(page, site)
    section = page.locator("#jp-naas-checks")
    expect(section.get_by_text("No checks")).to_be_visible()

    section.get_by_role("button", name="New healthcheck", exact=True).click()
    dialog = page.get_by_role("dialog", name="New healthcheck")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_label("Tags").fill("calibration")
    dialog.get_by_text("Cron", exact=True).click()
    dialog.get_by_label("Expression").fill("* * 31 2 *")
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Expression").fill("30 1 * * 1-5")
    expect(dialog.get_by_role("row")).to_have_count(5)
    accessible(page, "dialog")
    dialog.get_by_role("button", name="Create").click()

    state = page.get_by_test_id("naas-check-state")
    expect(state).to_contain_text("New · no ping yet")
    expect(row(page)).to_have_attribute("data-look", "waiting")

    page.get_by_role("tab", name="run.ipynb").click()
    run_cell(page, 0)
    outputs = page.locator(".jp-Cell").first.locator(".jp-OutputArea-output")
    expect(outputs).to_have_text(["gain 48\n", "42"], timeout=60_000)
    expect(row(page)).to_have_attribute("data-look", "ok", timeout=ALERT_LIMIT)
    run_cell(page, 1)
    expect(page.locator(".jp-Cell").nth(1)).to_contain_text("KeyError: 'charge'")
    expect(row(page)).to_have_attribute("data-look", "bad", timeout=ALERT_LIMIT)
    wait_for(lambda: "DOWN | nightly" in mails.subjects(), "the e-mail")
    expect(page.locator(".jp-Notification-List, .Toastify").get_by_text("nightly is down.")).to_be_visible(
        timeout=ALERT_LIMIT
    )

    row(page).click()
    tab = page.locator(".jp-Naas-checkTab")
    expect(state).to_have_attribute("data-look", "bad")
    expect(tab.get_by_text("Went down")).to_be_visible()
    expect(tab.locator("[data-event=fail]")).to_be_visible()
    tab.locator("[data-event=fail]").get_by_role("button", name=re.compile("Show the message")).click()
    expect(tab.locator(".jp-Naas-message")).to_contain_text("KeyError: 'charge'")
    expect(tab.get_by_test_id("naas-month")).to_have_count(3)
    page.get_by_role("button", name="Hide notification").first.click()
    accessible(page, ".jp-Naas-checkTab")
    accessible(page, "#jp-left-stack")
    picture(page, "lab-healthchecks")

    tab.get_by_role("button", name="Pause").click()
    expect(state).to_contain_text("Paused")
    tab.get_by_role("button", name="Resume").click()
    expect(state).not_to_contain_text("Paused")
    tab.get_by_role("button", name="More for nightly").click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(section.get_by_text("No checks")).to_be_visible()
    expect(tab).to_have_count(0)
    watch_backup(page)


def watch_backup(page: Page) -> None:
    """One tick in the settings of the backup, and a backup."""
    page.get_by_role("button", name="More for the backup", exact=True).click()
    page.get_by_role("menuitem", name="Settings…").click()
    dialog = page.get_by_role("dialog", name="Backup settings")
    dialog.get_by_label("Tell me when backups fail").check()
    dialog.get_by_role("button", name="Save").click()
    check = page.locator("#jp-naas-checks [data-check='backup of home']")
    expect(check).to_have_attribute("data-look", "waiting", timeout=ALERT_LIMIT)
    page.get_by_role("button", name="Back up now").click()
    expect(check).to_have_attribute("data-look", "ok", timeout=ALERT_LIMIT)
