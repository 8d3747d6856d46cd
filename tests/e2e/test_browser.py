"""What people see: sign-in, spawn form, Lab with the panel, the example notebook; with pictures and axe on every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hub_session import HubSession
from playwright.sync_api import Page, expect
from product import Product
from sign_in_page import sign_in
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.root, pytest.mark.fuse]
Take = Callable[[Page, str], None]
Check = Callable[..., None]
NOTEBOOK_LIMIT = 120_000
"""Milliseconds for the example notebook: it trains a model on two busy cores."""


@pytest.fixture
def stopped(product: Product) -> Iterator[None]:
    """alice's server is stopped afterwards."""
    yield
    with HubSession(product.url, "alice") as alice:
        alice.sign_in()
        if alice.hub("GET", "/users/alice").json().get("servers"):
            alice.stop_server()


@pytest.mark.usefixtures("stopped")
def test_from_sign_in_to_a_result_in_the_bucket(page: Page, product: Product, picture: Take, accessible: Check) -> None:
    page.goto(product.url)
    expect(page.get_by_role("link", name="Sign in with INDIGO IAM")).to_be_focused()
    accessible(page)
    picture(page, "login")

    page.keyboard.press("Enter")
    expect(page.get_by_label("Username")).to_be_visible()
    accessible(page)
    picture(page, "iam")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("alice")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Start your server")).to_be_visible()
    accessible(page)
    picture(page, "spawn")
    expect(page.locator("input[name=profile]:checked")).to_be_focused()
    page.keyboard.press("Enter")

    panel = open_panel(page)
    expect(panel.get_by_text("cloud-storage/alice", exact=True)).to_be_visible()
    expect(panel.get_by_text("cloud-storage/scratch-alice", exact=True)).to_be_visible()
    run_example(page)
    stored = product.data / "store" / "buckets" / "alice" / "first-analysis"
    wait_for(lambda: stored.exists() and any(stored.iterdir()), "the result in the bucket")
    expect(page.locator("#jp-main-statusbar").get_by_text("Saved")).to_be_visible()
    open_panel(page)
    accessible(page, "#jp-left-stack")
    page.locator(".jp-Notebook .jp-RenderedImage img").last.scroll_into_view_if_needed()
    picture(page, "lab")


def open_panel(page: Page) -> object:
    """The NaaS panel, shown by its icon."""
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)
    panel = page.locator("#jp-naas-panel")
    if not panel.is_visible():
        page.get_by_role("tab", name=re.compile("NaaS")).click()
    expect(panel).to_be_visible()
    return panel


def run_example(page: Page) -> None:
    """Open the example from the file browser and run all its cells."""
    page.get_by_role("tab", name=re.compile("File Browser")).click()
    page.locator(".jp-DirListing-item", has_text="examples").dblclick()
    page.locator(".jp-DirListing-item", has_text="first-analysis.ipynb").dblclick()
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible(timeout=60_000)
    expect(page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(page.get_by_text("Saved in ~/cloud-storage/alice/first-analysis")).to_be_visible(timeout=NOTEBOOK_LIMIT)
    expect(page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)


def test_the_second_start_is_one_key(page: Page, product: Product, picture: Take, accessible: Check) -> None:
    with HubSession(product.url, "bob") as bob:
        bob.sign_in()
        bob.start_server(user_options={"profile": "standard"})
        bob.stop_server()
    sign_in(page, product, "bob")
    again = page.get_by_role("button", name="Start as last time")
    expect(again).to_be_focused()
    accessible(page)
    picture(page, "spawn-again")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jp-Launcher", timeout=60_000)
    with HubSession(product.url, "bob") as bob:
        bob.sign_in()
        bob.stop_server()


def test_the_refusal_is_a_page_not_an_error(page: Page, product: Product, picture: Take, accessible: Check) -> None:
    sign_in(page, product, "carol")
    expect(page.get_by_role("heading", name="You are signed in, but not admitted yet")).to_be_visible()
    accessible(page)
    picture(page, "refused")


def test_pages_are_italian_for_italians(browser, product: Product) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(locale="it-IT")
    page = context.new_page()
    page.goto(product.url)
    expect(page.get_by_role("link", name="Accedi con INDIGO IAM")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_home_is_readable_in_both_colour_schemes(
    page: Page, product: Product, accessible: Check, picture: Take, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(page, product, "dana")
    page.goto(f"{product.url}/hub/home")
    expect(page.get_by_role("link", name="Admin")).to_be_visible()
    accessible(page)
    picture(page, f"home-{scheme}")
