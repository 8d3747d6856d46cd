"""The image chooser of the spawn page: browser, hub, gateway, a real registry, and a stand-in for Harbor where only Harbor has scans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harbor_stand_in import HarborStandIn
from playwright.sync_api import Page, expect
from product import Product, naas_up
from registry import DockerRegistry, docker_registry
from sign_in_page import sign_in

pytestmark = [pytest.mark.server, pytest.mark.browser]
Take = Callable[[Page, str], None]
Check = Callable[..., None]
LOCAL = "127\\.0\\.0\\.1:[0-9]+"


@pytest.fixture(scope="module")
def harbor() -> Iterator[HarborStandIn]:
    with HarborStandIn().serving() as running:
        running.projects = {"naas": []}
        running.descriptions = {
            "naas/lab": "Python, R and Julia, Dask, Git",
            "naas/odd": "<img src=x onerror=window.hurt=1>",
        }
        running.put("naas/lab", "2026.11", "latest", low=3)
        running.put("naas/lab", "2026.05", pushed="2026-05-02T08:00:00.000Z", critical=2, high=5)
        running.put("naas/lab", "old", pushed="2025-01-02T08:00:00.000Z", high=1)
        running.put("naas/lab", "2026.12-rc1", pushed="2026-11-20T08:00:00.000Z")
        running.put("naas/odd", "1")
        for number in range(60):
            running.put(f"naas/many-{number:02}", "1")
        running.put("other/thing", "1")
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put("dev/analysis", "1", "2")
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, harbor: HarborStandIn, plain: DockerRegistry) -> Iterator[Product]:
    profile = {
        "slug": "standard",
        "name": "Standard",
        "description": "Python, R and Julia, Dask, Git",
        "groups": ["users/naas"],
        "images": [
            {"name": "Installed software", "default": True},
            {"name": "lab 2026.05", "image": f"{harbor.host}/naas/lab:2026.05", "size": "3G"},
            {"name": "elsewhere", "image": "quay.io/a/b:1"},
        ],
        "image_pattern": {"users/naas": f"{LOCAL}/(naas|dev)/.+:(?!old).+"},
        "cores": [1, 2],
        "memory": ["2G", "4G"],
        "cvmfs": ["cygno.infn.it", "sft.cern.ch"],
    }
    settings: dict[str, Any] = {
        "profiles": [profile],
        "registries": [{"url": harbor.url, "name": "Harbor"}, {"url": plain.url, "kind": "docker", "name": "Plain"}],
        "hub": {"cvmfs": {"repositories": {"cygno.infn.it": "CYGNO software", "sft.cern.ch": "LCG: ROOT, Geant4"}}},
    }
    with naas_up(tmp_path_factory.mktemp("site"), settings) as product:
        yield product


@pytest.fixture
def field(page: Page, site: Product) -> Any:
    """The text field of an image of one's own, on the spawn page."""
    sign_in(page, site, "alice")
    page.get_by_label("Image", exact=True).select_option(label="An image of your own")
    return page.get_by_label("Reference of your image")


def options(page: Page) -> Any:
    return page.get_by_role("listbox", name="Images").get_by_role("option")


def test_an_image_is_found_and_chosen_with_the_keyboard(
    page: Page, field: Any, harbor: HarborStandIn, picture: Take, accessible: Check
) -> None:
    field.press_sequentially("lab")
    expect(options(page)).to_have_text([re.compile(f"{harbor.host}/naas/lab.*Python, R and Julia")])
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", re.compile("n-list-standard-0"))
    field.press("Enter")
    expect(field).to_have_value(f"{harbor.host}/naas/lab:")
    expect(options(page)).to_have_count(5)
    accessible(page)
    picture(page, "image-chooser")
    for words in ("not scanned", "nothing serious", "2 critical, 5 high", "1 high", "3 GiB · 2026-11-09"):
        expect(page.get_by_role("listbox")).to_contain_text(words)
    field.press_sequentially("2026.0")
    expect(options(page)).to_have_count(1)
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value(f"{harbor.host}/naas/lab:2026.05")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(page.locator(".n-own .n-said")).to_have_text("2 critical, 5 high")
    expect(page.locator("[data-sum=image]:visible")).to_have_text(f"{harbor.host}/naas/lab:2026.05")
    field.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    field.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_a_listed_image_says_what_its_scan_found(page: Page, site: Product, picture: Take) -> None:
    sign_in(page, site, "alice")
    image = page.get_by_label("Image", exact=True)
    image.select_option(label="lab 2026.05, 3 GiB")
    expect(page.locator(".n-scanned")).to_have_text("Scanned 2026-11-09: 2 critical, 5 high")
    picture(page, "image-scan")
    image.select_option(label="elsewhere")
    expect(page.locator(".n-scanned")).to_be_hidden()


def test_what_a_pattern_forbids_is_shown_and_cannot_be_chosen(page: Page, field: Any, harbor: HarborStandIn) -> None:
    field.fill(f"{harbor.host}/naas/lab:old")
    old = options(page)
    expect(old).to_contain_text("not open to your groups")
    expect(old).to_have_attribute("aria-disabled", "true")
    field.press("ArrowDown")
    field.press("Enter")
    expect(page.get_by_role("listbox")).to_be_visible()
    field.fill("thing")
    expect(page.locator(".n-own .n-said")).to_have_text("Nothing matches. You may type the whole name.")


def test_the_plain_registry_is_there_too_and_clicks_work(page: Page, field: Any, plain: DockerRegistry) -> None:
    field.fill("analysis")
    options(page).click()
    options(page).filter(has_text=re.compile("^2")).click()
    expect(field).to_have_value(f"{plain.host}/dev/analysis:2")
    expect(page.locator(".n-own .n-said")).to_have_text("not scanned")


def test_text_of_a_registry_stays_text(page: Page, field: Any) -> None:
    field.fill("odd")
    expect(options(page)).to_contain_text("<img src=x onerror=window.hurt=1>")
    assert page.evaluate("window.hurt") is None


def test_more_than_a_page_is_said(page: Page, field: Any) -> None:
    field.click()
    expect(options(page)).to_have_count(50)
    expect(page.get_by_text("There are more. Type more of the name.")).to_be_attached()


def test_it_speaks_italian_and_fits_a_phone_at_night(
    page: Page, site: Product, harbor: HarborStandIn, picture: Take, accessible: Check
) -> None:
    page.emulate_media(color_scheme="dark")
    page.context.add_cookies([{"name": "naas_lang", "value": "it", "url": site.url}])
    sign_in(page, site, "alice")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("select[name='image:standard']").select_option("")
    field = page.locator("[name='custom_image:standard']")
    field.fill(f"{harbor.host}/naas/lab:")
    expect(page.get_by_role("listbox", name="Immagini")).to_contain_text("2 critiche, 5 gravi")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    accessible(page)
    picture(page, "image-chooser-phone")


def test_a_registry_that_is_away_is_said_and_the_name_can_be_typed(
    page: Page, field: Any, plain: DockerRegistry, harbor: HarborStandIn
) -> None:
    plain.stop()
    try:
        field.fill(f"{plain.host}/dev/analysis:")
        expect(page.locator(".n-own .n-said")).to_have_text("Plain does not answer. Try again in a minute.")
        field.fill(f"{harbor.host}/naas/lab:2026.1")
        expect(options(page)).to_have_count(2)
    finally:
        plain.start()
    page.route("**/hub/naas/images**", lambda route: route.abort())
    field.fill(f"{harbor.host}/naas/odd:1")
    expect(page.locator(".n-own .n-said")).to_have_text("The list of images cannot be had now. Type the whole name.")
    expect(page.locator("[data-sum=image]:visible")).to_have_text(f"{harbor.host}/naas/odd:1")


def test_the_hub_asks_only_for_who_is_signed_in(page: Page, site: Product) -> None:
    sign_in(page, site, "alice")
    request = page.context.request
    address = f"{site.url}/hub/naas/images"
    assert request.get(f"{address}?profile=standard").json()["items"]
    assert request.get(f"{address}?profile=nothing").json()["items"] == []
    long = request.get(f"{address}?profile=standard&search={'x' * 101}").json()
    assert long["items"] == []
    assert "at most 100 characters" in long["troubles"][0]
    page.context.clear_cookies()
    assert "login" in request.get(f"{address}?profile=standard").url
