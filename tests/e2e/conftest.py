"""A browser for the whole session, pages of a person each, pictures, and axe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import AXE, launched
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ.get("NAAS_PICTURES") or ROOT / "test-results")
WIDTH, HEIGHT = 1440, 900


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    with launched() as chromium:
        yield chromium


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember a failure, for the picture that `page` then takes."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of somebody who was never here before; after a failure its picture is kept."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB")
    context.set_default_timeout(30_000)
    page = context.new_page()
    yield page
    if request.node.stash.get(FAILED, False):
        page.screenshot(path=ROOT / "test-results" / f"failed-{request.node.name}.png")
    context.close()


@pytest.fixture(scope="session")
def picture() -> Callable[[Page, str], None]:
    """Keep a picture of a page, for README, docs and the eyes of a reviewer."""

    def take(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")

    return take


@pytest.fixture(scope="session")
def accessible() -> Callable[..., None]:
    """Fail when axe finds something serious. ``within`` limits it to our part of a page of somebody else."""

    def check(page: Page, within: str = "html") -> None:
        page.evaluate(AXE.read_text())
        found: dict[str, Any] = page.evaluate("selector => axe.run(selector)", within)
        serious = [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert not serious, "\n".join(serious)

    return check
