"""The spawn page's form: what each person sees, and that nothing in it can be more than text."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from naas_client.folders import GroupFolder, HostFolder
from naas_client.models import Capability
from naas_client.settings import GroupSection
from naas_spawner.form import FormPage, render_options_form
from naas_spawner.options import KEYS, from_form, validate_options
from naas_spawner.profiles import Profile

GIB = 2**30
EVIL = '"><script>alert(1)</script>'

STANDARD = Profile.model_validate(
    {
        "slug": "standard",
        "name": "Standard",
        "description": "Python and Dask",
        "groups": ["users/naas"],
        "images": [
            {"name": "lab", "image": "lab:1", "default": True},
            {"name": "next", "image": "lab:2", "groups": ["testers"]},
        ],
        "image_pattern": {"developers": "dev/.+"},
        "cores": {"choices": [1, 2, 4]},
        "memory": {"choices": ["2G", "4G", "8G"], "needs_cores": {"8G": 2}},
        "gpu": [{"name": "slice"}, {"name": "whole", "groups": ["ml"]}],
        "cvmfs": ["sft.cern.ch", "cygno.infn.it"],
        "idle_timeout": 5400,
    }
)
LOCKED = Profile.model_validate(
    {"slug": "gpu-full", "name": "GPU full", "groups": ["users/ml"], "cores": [16], "memory": ["120G"]}
)
PROFILES = [STANDARD, LOCKED]


class Form(HTMLParser):
    """The fields, buttons, links and visible text of the form, as a browser without JavaScript has them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[dict[str, str]] = []
        self.buttons: list[dict[str, str]] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._select: dict[str, str] = {}
        self._quiet = 0
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._quiet += tag in {"script", "style"}
        if tag == "select":
            self._select = given
        elif tag == "option":
            self.fields.append({**given, "name": self._select["name"], "type": "option"})
        elif tag == "input":
            self.fields.append(given)
        elif tag == "button":
            self.buttons.append(given)
        elif tag == "a":
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [field["value"] for field in self.fields if field["name"] == name and "disabled" not in field]

    def sent(self) -> dict[str, list[str]]:
        """What a press on a start button sends without JavaScript."""
        chosen: dict[str, list[str]] = {}
        for field in self.fields:
            kind = field.get("type", "text")
            if kind in {"hidden", "text"} or "checked" in field or "selected" in field:
                chosen[field["name"]] = [field["value"]]
        for field in self.fields:  # a select without a selected option sends its first one
            if field.get("type") == "option" and "disabled" not in field:
                chosen.setdefault(field["name"], [field["value"]])
        return chosen


def render(**changes: Any) -> str:
    page: dict[str, Any] = {
        "user": "alice",
        "groups": ["users/naas"],
        "profiles": PROFILES,
        "storage": Capability(allowed=True),
        "join_url": "https://iam.example.org",
    }
    return render_options_form(FormPage(**{**page, **changes}))


def form(**changes: Any) -> Form:
    return Form(render(**changes))


class TestWithoutJavaScript:
    def test_every_choice_is_in_the_page(self) -> None:
        page = form(groups=["users/naas", "developers"])
        assert page.values("profile") == ["standard"]
        assert page.values("image:standard") == ["lab", ""]
        assert page.values("cores:standard") == ["1", "2", "4"]
        assert page.values("memory:standard") == [str(2 * GIB), str(4 * GIB), str(8 * GIB)]
        assert page.values("gpu:standard") == ["none", "slice"]
        assert page.values("cvmfs:standard") == ["sft.cern.ch", "cygno.infn.it"]
        assert page.values("custom_image:standard") == [""]

    def test_only_fields_of_the_validator_are_sent(self) -> None:
        names = {field["name"] for field in form(groups=["users/naas", "developers"]).fields}
        assert names == {"profile", *(f"{key}:standard" for key in KEYS)}

    @pytest.mark.parametrize("groups", [["users/naas"], ["users/naas", "developers"], ["users/naas", "users/ml", "ml"]])
    def test_what_it_sends_untouched_is_valid(self, groups: list[str]) -> None:
        choice = validate_options(PROFILES, groups, from_form(form(groups=groups).sent()))
        assert (choice.profile.slug, choice.cores, choice.memory, choice.image_name) == ("standard", 1, 2 * GIB, "lab")

    def test_what_it_sends_after_a_start_is_the_last_choice(self) -> None:
        groups = ["users/naas", "developers"]
        wish = {
            "profile": "standard",
            "cores": 4,
            "memory": "8G",
            "gpu": "slice",
            "cvmfs": ["sft.cern.ch"],
            "custom_image": "dev/x:1",
        }
        last = validate_options(PROFILES, groups, wish)
        assert validate_options(PROFILES, groups, from_form(form(groups=groups, last=last).sent())) == last


class TestEnter:
    def test_without_a_last_choice_the_profiles_have_the_focus(self) -> None:
        page = form()
        assert [field["value"] for field in page.fields if "autofocus" in field] == ["standard"]
        assert not [button for button in page.buttons if button.get("name")]

    def test_with_a_last_choice_its_button_has_the_focus(self) -> None:
        page = form(
            last=validate_options(PROFILES, ["users/naas"], {"cores": 2}),
            last_at=dt.datetime(2026, 11, 20, 17, 2, tzinfo=dt.UTC),
        )
        assert [(button["name"], button["value"]) for button in page.buttons if "autofocus" in button] == [
            ("again", "1")
        ]
        assert "Standard · 2 cores · 2 GiB · lab · slice" not in page.text
        assert "Standard · 2 cores · 2 GiB · lab · 20 Nov 17:02 UTC" in page.text

    def test_in_a_field_it_starts_what_was_chosen_there(self) -> None:
        """The first submit button is what a browser presses; it must not be the one of the last choice."""
        page = form(last=validate_options(PROFILES, ["users/naas"], {}))
        assert "name" not in page.buttons[0]


class TestLocked:
    def test_a_profile_is_shown_with_the_group_that_opens_it(self) -> None:
        page = form(group_notes={"users/ml": GroupSection(join_url="https://join.example.org")})
        assert "GPU full" in page.text
        assert "Open to users/ml" in page.text
        assert "https://join.example.org" in page.links
        assert not [field for field in page.fields if "gpu-full" in field["name"] + field["value"]]

    def test_an_image_and_a_gpu_are_shown_but_cannot_be_chosen(self) -> None:
        shut = [field["value"] for field in form().fields if "disabled" in field]
        assert shut == ["next", "whole"]

    def test_an_image_of_ones_own_needs_the_group(self) -> None:
        assert form().values("custom_image:standard") == []

    def test_storage_says_which_group_gives_it(self) -> None:
        page = form(storage=Capability(allowed=False, groups=["users/s3"], reason="…"))
        assert "No cloud-storage. It opens to members of users/s3." in page.text
        assert "cloud-storage/alice" not in page.text

    def test_nobody_is_left_with_an_empty_page(self) -> None:
        page = form(groups=[])
        assert "No profile is open to you yet." in page.text
        assert "Standard: Open to users/naas." in page.text
        assert page.buttons == []


class TestFiles:
    def test_folders_have_the_names_they_will_have(self) -> None:
        text = form().text
        assert all(
            name in text
            for name in (
                "cloud-storage/alice",
                "cloud-storage/scratch",
                "cloud-storage/scratch-alice",
                "local",
                "examples",
            )
        )

    def test_folders_of_groups_and_of_the_host_are_named_with_their_rights(self) -> None:
        group = GroupFolder(
            name="cygno", bucket="cygno-data", groups=["cygno"], description="<b>raw</b> data", read_only=True
        )
        host = HostFolder(name="private", path=Path("/srv/homes"), kind="private")
        text = form(group_folders=[group], host_folders=[host]).text
        assert "cloud-storage/cygno" in text
        assert "<b>raw</b> data · read only" in text
        assert "private" in text
        assert "yours alone" in text
        assert "cloud-storage/cygno" not in form(group_folders=[group], storage=Capability(allowed=False)).text

    def test_without_scratch_there_is_none(self) -> None:
        assert "scratch" not in form(scratch=False).text


class TestHostileText:
    """Names and descriptions come from others; user names and groups from IAM."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"profiles": [STANDARD.model_copy(update={"name": EVIL, "description": EVIL})]},
            {"profiles": [STANDARD, LOCKED.model_copy(update={"name": EVIL, "groups": [EVIL]})]},
            {"profiles": [STANDARD.model_copy(update={"images": [STANDARD.images[0].model_copy(update={"name": EVIL, "image": EVIL})]})]},
            {"profiles": [STANDARD.model_copy(update={"gpu": [STANDARD.gpu[0].model_copy(update={"name": EVIL})]})]},
            {"profiles": [STANDARD.model_copy(update={"image_pattern": {"users/naas": EVIL}})]},
            {"profiles": [STANDARD.model_copy(update={"groups": [EVIL]})], "groups": [EVIL]},
            {"user": EVIL},
            {"contact": EVIL},
            {"storage": Capability(allowed=False, reason=EVIL)},
            {"group_notes": {"users/ml": GroupSection.model_construct(join_url=EVIL)}},
        ],
    )  # fmt: skip
    def test_stays_text(self, changes: dict[str, Any]) -> None:
        html = render(**changes)
        assert "<script>alert" not in html
        assert Form(html).tags.count("script") == 1

    @pytest.mark.parametrize(
        ("contact", "link"),
        [
            ("help@example.org", "mailto:help@example.org"),
            ("https://example.org/help", "https://example.org/help"),
            ("javascript:alert(1)", "mailto:javascript:alert(1)"),
        ],
    )
    def test_a_contact_is_a_mail_address_or_a_page(self, contact: str, link: str) -> None:
        assert link in form(contact=contact).links


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "You start"), ("it", "Stai per avviare"), ("xx", "You start")]
)
def test_it_speaks_the_persons_language(language: str, sentence: str) -> None:
    assert sentence in form(language=language).text
