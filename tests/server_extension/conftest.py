"""The room's fixtures: servers that many tests share, and Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab_server import BUILT, Jupyter, Stack, platform


@pytest.fixture(scope="session")
def _server_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with platform(tmp_path_factory.mktemp("server"), "server") as stack:
        yield stack


@pytest.fixture
def stack(_server_stack: Stack) -> Stack:
    """alice's server on a good day."""
    _server_stack.reset()
    return _server_stack


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A client of ``naas/api`` of that server."""
    with stack.jupyter.client() as client:
        yield client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's Chromium, when the panel is built."""
    if not BUILT.exists():
        pytest.skip("The panel is not built. Run `make install`.")
    pytest.importorskip("playwright.sync_api")
    from chromium import launched
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def _lab_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with platform(tmp_path_factory.mktemp("lab"), "lab") as stack:
        yield stack


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of this run are, for people."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def lab(_lab_stack: Stack) -> Stack:
    """A Lab on a good day, with English and the light theme."""
    _lab_stack.reset()
    shutil.rmtree(_lab_stack.desk.config, ignore_errors=True)
    return _lab_stack


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a Lab; ``before`` may prepare the page, ``options`` are the browser context's."""
    contexts = []

    def open_lab(server: Jupyter, before: Callable[[Any], None] = lambda _: None, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        before(page)
        page.goto(f"{server.url}lab?token={server.token}")
        page.wait_for_selector("#jp-naas-panel", state="attached")
        page.wait_for_selector(".jp-Launcher, .jp-Notebook", state="visible")
        return page

    yield open_lab
    for context in contexts:
        context.close()
