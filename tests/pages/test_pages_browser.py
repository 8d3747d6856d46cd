"""The pages in Chromium: one key to start, progress as it happens, and nothing serious for axe in light and dark."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from chromium import AXE

pytestmark = [pytest.mark.server, pytest.mark.browser]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
SIGN_IN = """async (name) => {
  const body = new FormData();
  for (const [key, value] of [["username", name], ["password", ""], ["_xsrf", window.jhdata.xsrf_token]]) body.set(key, value);
  return (await fetch("/hub/login", { method: "POST", body })).url;
}"""


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Any, hub: Any) -> Iterator[Any]:
    """A page of somebody who is signed in as alice; errors of scripts fail the test."""
    context = chromium.new_context(viewport=DESK, color_scheme=request.param, base_url=hub.url, locale="en-GB")
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.goto("/hub/login")
    page.evaluate(SIGN_IN, "alice")
    yield page
    page.goto("/hub/home")
    for name in ("Stop your server",):
        if page.get_by_role("button", name=name).count():
            page.get_by_role("button", name=name).click()
            page.get_by_role("dialog").get_by_role("button", name=name).click()
            page.get_by_text("Stopped").wait_for()
    context.close()
    assert mistakes == []


def serious(page: Any) -> list[str]:
    """What axe finds serious or critical on a page: rule and place."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed. Run `npm ci`.")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("async () => (await axe.run()).violations")
    worst = [rule for rule in found if rule["impact"] in {"serious", "critical"}]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in worst for node in rule["nodes"]]


def fits(page: Any) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("path", ["/hub/logout", "/hub/refused", "/hub/spawn", "/hub/home", "/hub/nothing-here"])
def test_axe_finds_nothing_serious(page: Any, path: str) -> None:
    page.goto(path)
    assert serious(page) == []
    page.set_viewport_size(PHONE)
    assert fits(page)


def test_enter_starts_and_the_progress_page_shows_the_steps(page: Any, hub: Any) -> None:
    page.goto("/hub/spawn")
    page.get_by_role("radio", name="Standard").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/hub/spawn-pending/alice*")
    hub.tell({"place": ""})
    page.get_by_text("1.4 of 3.4 GiB, 66 MiB/s", exact=True).wait_for()
    steps = page.get_by_role("region", name="Steps of the start")
    assert steps.get_by_role("heading").all_inner_texts() == ["Access", "Files", "Server"]
    assert re.search(r"\d s so far", page.locator("#n-lead").inner_text())
    assert serious(page) == []
    page.set_viewport_size(PHONE)
    assert fits(page)
    hub.tell({"folders": ""}, {"image": ""})
    page.get_by_text("the lab of the test").wait_for()


def test_a_failure_keeps_the_steps_and_offers_the_remedy(page: Any, hub: Any) -> None:
    page.goto("/hub/spawn")
    page.get_by_role("button", name="Start with these choices").click()
    page.wait_for_url("**/hub/spawn-pending/alice*")
    hub.tell({"place": ""}, {"folders": ""}, {"fail": "The registry does not answer. <i>Choose</i> another image."})
    alert = page.get_by_role("alert").filter(has_text="The registry does not answer. <i>Choose</i> another image.")
    alert.wait_for()
    assert "SpawnException" not in alert.inner_text()
    assert serious(page) == []
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("heading", name="Start your server").wait_for()


def test_a_start_can_be_cancelled(page: Any) -> None:
    page.goto("/hub/spawn")
    page.get_by_role("button", name="Start with these choices").click()
    page.get_by_role("button", name="Cancel start").click()
    page.wait_for_url("**/hub/home")
    page.get_by_role("cell", name=re.compile("Stopped|Could not start")).wait_for()


def test_the_last_choice_is_one_key_away(page: Any, hub: Any) -> None:
    hub.tell({"place": ""}, {"folders": ""}, {"image": ""})
    page.goto("/hub/spawn")
    page.get_by_role("radio", name="CYGNO").check()
    page.get_by_role("button", name="Start with these choices").click()
    page.get_by_text("the lab of the test").wait_for()
    page.goto("/hub/home")
    page.get_by_role("button", name="Stop your server").click()
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.get_by_role("dialog").get_by_role("button", name="Stop your server").click()
    page.get_by_text("Stopped").wait_for()
    page.goto("/hub/spawn")
    page.locator("[data-start]:focus").wait_for()  # autofocus comes with the first frame, which may be after "load"
    page.keyboard.press("Enter")
    page.get_by_text("the lab of the test").wait_for()
    page.goto("/hub/home")
    page.get_by_role("cell", name="CYGNO · 4 cores · 16 GiB").wait_for()


def test_the_summary_follows_and_the_impossible_is_off(page: Any) -> None:
    page.goto("/hub/spawn")
    page.get_by_role("radio", name="Standard").check()
    page.get_by_role("radio", name="8", exact=True).check()
    page.get_by_role("radio", name="16 GiB", exact=True).check()
    page.get_by_role("checkbox", name="sft.cern.ch").check()
    summary = page.get_by_role("region", name="You start")
    summary.get_by_text("8 cores, 16 GiB").wait_for()
    summary.get_by_text("sft.cern.ch").wait_for()
    page.get_by_role("radio", name="2", exact=True).check()
    assert page.get_by_role("radio", name="16 GiB", exact=True).is_disabled()
    summary.get_by_text("2 cores, 8 GiB").wait_for()
    page.get_by_role("radio", name="GPU slice").check()
    assert page.get_by_role("combobox", name="GPU", exact=True).is_visible()
    assert not page.get_by_label("Image").first.is_visible()


def test_the_language_stays(page: Any) -> None:
    page.goto("/hub/spawn")
    page.get_by_role("button", name="Italiano").click()
    page.get_by_role("heading", name="Avvia il tuo server").wait_for()
    assert page.evaluate("document.documentElement.lang") == "it"
    page.get_by_text("Stai per avviare").wait_for()
    page.goto("/hub/home")
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Servers").wait_for()


def test_a_note_about_a_stop_can_be_hidden_for_good(chromium: Any, hub: Any) -> None:
    context = chromium.new_context(base_url=hub.url)
    page = context.new_page()
    page.goto("/hub/login")
    page.evaluate(SIGN_IN, "bob")
    note = page.get_by_role("region", name="Why your server stopped")
    for _ in range(2):
        page.goto("/hub/home")
        if note.count() and note.is_visible():
            page.get_by_role("button", name="Hide this note").click()
    page.goto("/hub/home")
    assert not note.is_visible()
    context.close()


def gpu(flavour: str, total: int, free: int, age: float = 20) -> dict[str, Any]:
    """What the gateway says about a flavour; the longest lease began three hours ago."""
    now = dt.datetime.now(dt.UTC)
    busy = {"busy_since": (now - dt.timedelta(hours=3)).isoformat()} if free < total else {}
    return {
        "flavour": flavour,
        "total": total,
        "free": free,
        "at": (now - dt.timedelta(seconds=age)).isoformat(),
        **busy,
    }


SLICE, LARGE = "A100 1g.10gb", "A100 3g.40gb"


def test_free_gpus_are_said_with_their_age(page: Any, hub: Any) -> None:
    hub.tell({"gpus": [gpu(SLICE, 7, 3), gpu(LARGE, 2, 1, age=150)]})
    page.goto("/hub/spawn")
    page.get_by_role("radio", name=re.compile(r"Training.*1 of 2 free · 2 min ago")).check()
    page.get_by_role("radio", name="GPU slice").check()
    page.get_by_role("combobox", name="GPU", exact=True).select_option(SLICE)
    page.get_by_text(re.compile(r"^3 of 7 free · 2\d s ago$")).wait_for()
    assert serious(page) == []


def test_where_none_is_free_the_row_says_so_before_start_and_wakes_when_one_is(page: Any, hub: Any) -> None:
    page.clock.install()
    hub.tell({"gpus": [gpu(SLICE, 7, 0), gpu(LARGE, 2, 0)]})
    page.goto("/hub/spawn")
    training = page.get_by_role("radio", name="Training")
    assert training.is_disabled()
    page.get_by_text(re.compile(r"^All 2 are in use, the longest since .* UTC\.$")).wait_for()
    page.get_by_role("radio", name="GPU slice").check()
    assert page.get_by_role("option", name=f"{SLICE} (none free)").is_disabled()
    page.get_by_role("button", name="Tell me when one is free").first.click()
    page.get_by_role("button", name="You will be told here. Keep this page open.").wait_for()
    assert serious(page) == []
    page.set_viewport_size(PHONE)
    assert fits(page)
    hub.tell({"gpus": [gpu(SLICE, 7, 0), gpu(LARGE, 2, 1)]})
    page.clock.fast_forward(20_000)
    page.get_by_role("status").filter(has_text=f"{LARGE} is free now.").wait_for()
    assert page.title() == f"● {LARGE} is free now."
    assert training.is_enabled()


def test_a_choice_that_is_taken_meanwhile_cannot_be_started(page: Any, hub: Any) -> None:
    page.clock.install()
    hub.tell({"gpus": [gpu(SLICE, 7, 1), gpu(LARGE, 2, 2)]})
    page.goto("/hub/spawn")
    page.get_by_role("radio", name="GPU slice").check()
    page.get_by_role("combobox", name="GPU", exact=True).select_option(SLICE)
    hub.tell({"gpus": [gpu(SLICE, 7, 0), gpu(LARGE, 2, 2)]})
    page.clock.fast_forward(20_000)
    page.get_by_role("status").filter(has_text=f"{SLICE}: none free.").wait_for()
    start = page.get_by_role("button", name="Start with these choices")
    assert start.is_disabled()
    assert page.get_by_role("combobox", name="GPU", exact=True).input_value() == SLICE, (
        "what was chosen is not changed silently"
    )
    page.get_by_role("combobox", name="GPU", exact=True).select_option("none")
    assert start.is_enabled()
