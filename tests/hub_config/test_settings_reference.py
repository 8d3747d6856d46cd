"""The settings page of the documentation is what the models say now."""

from __future__ import annotations

from pathlib import Path

from naas_hub.reference import settings_reference
from naas_hub.settings import SiteSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == settings_reference(), "run `make reference`"


def test_every_section_and_key_is_on_the_page() -> None:
    page = settings_reference()
    for section in SiteSettings.model_fields:
        assert f"## `{section}`" in page
    for key in ("auth_refresh_age", "hub_token_file", "first_uid", "needs_cores"):
        assert f"| `{key}` |" in page
