"""The one validator of start options: form, API body and query all end here, and none of them is trusted."""

from __future__ import annotations

import math
from typing import Any

import pytest
from naas_client.errors import InvalidInput
from naas_spawner.options import LONGEST, from_form, validate_options
from naas_spawner.profiles import Profile

GIB = 2**30
MEMBER = ["users/naas"]

PROFILES = [
    Profile.model_validate(
        {
            "slug": "standard",
            "name": "Standard",
            "groups": ["users/naas"],
            "default": True,
            "images": [
                {"name": "lab 2026.11", "image": "reg.example.org/lab:2026.11", "default": True},
                {"name": "old", "image": "reg.example.org/lab:2025.01"},
                {"name": "beta", "image": "reg.example.org/lab:beta", "groups": ["testers"]},
            ],
            "image_pattern": {"developers": r"reg\.example\.org/dev/.+"},
            "cores": [2, 4, 8],
            "memory": {"choices": ["4G", "8G", "16G"], "default": "8G", "needs_cores": {"16G": 4}},
            "cvmfs": ["cygno.infn.it", "sft.cern.ch"],
        }
    ),
    Profile.model_validate(
        {
            "slug": "gpu",
            "name": "GPU slice",
            "groups": ["developers"],
            "gpu": [{"name": "1g.10gb"}, {"name": "7g.80gb", "groups": ["users/ml-infn"]}],
        }
    ),
    Profile.model_validate(
        {"slug": "full", "name": "GPU full", "groups": ["users/ml-infn"], "gpu": [{"name": "A100", "default": True}]}
    ),
]


def test_missing_keys_take_the_defaults() -> None:
    choice = validate_options(PROFILES, MEMBER, {})
    assert choice.as_options() == {
        "profile": "standard",
        "image": "lab 2026.11",
        "cores": 2,
        "memory": 8 * GIB,
        "gpu": "none",
        "cvmfs": [],
    }
    assert choice.image == "reg.example.org/lab:2026.11"
    assert choice.describe() == "Standard · 2 cores · 8 GiB · lab 2026.11"


ACCEPTED: list[tuple[list[str], dict[str, Any], dict[str, Any]]] = [
    (MEMBER, {"profile": "standard", "cores": "4", "memory": "16G"}, {"cores": 4, "memory": 16 * GIB}),
    (MEMBER, {"memory": 4 * GIB}, {"memory": 4 * GIB}),
    (MEMBER, {"cvmfs": ["sft.cern.ch", "cygno.infn.it"]}, {"cvmfs": ["cygno.infn.it", "sft.cern.ch"]}),
    (MEMBER, {"cvmfs": "sft.cern.ch"}, {"cvmfs": ["sft.cern.ch"]}),
    ([*MEMBER, "testers"], {"image": "beta"}, {"image": "beta"}),
    (
        [*MEMBER, "developers"],
        {"custom_image": "reg.example.org/dev/mine:1"},
        {"custom_image": "reg.example.org/dev/mine:1"},
    ),
    (["developers"], {"profile": "gpu", "gpu": "1g.10gb"}, {"gpu": "1g.10gb"}),
    (["developers"], {"profile": "gpu"}, {"gpu": "none"}),
    (["users/ml-infn"], {"profile": "full"}, {"gpu": "A100"}),
]


@pytest.mark.parametrize(("groups", "raw", "kept"), ACCEPTED)
def test_what_is_open_is_kept_in_its_normal_form(groups: list[str], raw: dict[str, Any], kept: dict[str, Any]) -> None:
    choice = validate_options(PROFILES, groups, raw)
    assert kept.items() <= choice.as_options().items()
    assert validate_options(PROFILES, groups, choice.as_options()) == choice


HUGE = "x" * 10_000_000
HTML = "<script>alert(1)</script>"

REFUSED: list[tuple[list[str], Any, str, str]] = [
    ([], {}, "profile", "No profile is open to your groups"),
    (MEMBER, {"profile": "full"}, "profile", "The profile GPU full is open to members of users/ml-infn"),
    (MEMBER, {"profile": "gpu", "gpu": "1g.10gb"}, "profile", "open to members of developers"),
    (MEMBER, {"profile": "nope"}, "profile", "Profile “nope” does not exist. Choose one of: standard"),
    (MEMBER, {"profile": HTML}, "profile", "This profile does not exist"),
    (MEMBER, {"profile": HUGE}, "profile", f"longer than {LONGEST} characters"),
    (MEMBER, {"profile": "../../etc/passwd"}, "profile", "does not exist"),
    (MEMBER, {"profile": ["standard", "gpu"]}, "profile", "is one text"),
    (MEMBER, {"profile": None}, "profile", "is one text"),
    (MEMBER, {"profile": {"$ne": 1}}, "profile", "is one text"),
    (MEMBER, {"image": "beta"}, "image", "not one of your images here"),
    (MEMBER, {"image": "reg.example.org/lab:beta"}, "image", "not one of your images here"),
    (MEMBER, {"image": HUGE}, "image", "longer than"),
    (MEMBER, {"image": 3}, "image", "is one text"),
    (MEMBER, {"custom_image": "reg.example.org/dev/mine:1"}, "image", "may not start images of their own"),
    ([*MEMBER, "developers"], {"custom_image": "evil.example.com/reg.example.org/dev/x"}, "image", "It must match"),
    ([*MEMBER, "developers"], {"custom_image": "reg.example.org/dev/../prod"}, "image", "It must match"),
    ([*MEMBER, "developers"], {"custom_image": "reg.example.org/dev/x\n--privileged"}, "image", "It must match"),
    ([*MEMBER, "developers"], {"custom_image": "reg.example.org/dev/a", "image": "old"}, "image", "not both"),
    (MEMBER, {"cores": 3}, "cores", "Choose one of: 2, 4, 8"),
    (MEMBER, {"cores": -2}, "cores", "Choose one of"),
    (MEMBER, {"cores": True}, "cores", "Choose one of"),
    (MEMBER, {"cores": 10**400}, "cores", "Choose one of"),
    (MEMBER, {"cores": math.nan}, "cores", "Choose one of"),
    (MEMBER, {"cores": "9" * 10_000_000}, "cores", "Choose one of"),
    (MEMBER, {"cores": [2]}, "cores", "Choose one of"),
    (MEMBER, {"memory": "-8G"}, "memory", "Choose one of: 4 GiB, 8 GiB, 16 GiB"),
    (MEMBER, {"memory": "1T"}, "memory", "Choose one of"),
    (MEMBER, {"memory": 10**400}, "memory", "Choose one of"),
    (MEMBER, {"memory": HUGE}, "memory", "Choose one of"),
    (MEMBER, {"memory": {"G": 4}}, "memory", "Choose one of"),
    (MEMBER, {"memory": "16G"}, "memory", "16 GiB needs 4 cores or more"),
    (MEMBER, {"gpu": "A100"}, "gpu", "Choose one of: none"),
    (["developers"], {"profile": "gpu", "gpu": "7g.80gb"}, "gpu", "Choose one of: 1g.10gb, none"),
    (["users/ml-infn"], {"profile": "full", "gpu": "none"}, "gpu", "Choose one of: A100"),
    (MEMBER, {"cvmfs": ["atlas.cern.ch"]}, "cvmfs", "Choose from: cygno.infn.it, sft.cern.ch"),
    (MEMBER, {"cvmfs": ["sft.cern.ch"] * 1000}, "cvmfs", "Choose CVMFS repositories from"),
    (MEMBER, {"cvmfs": [{}]}, "cvmfs", "is one text"),
    (MEMBER, {"cvmfs": 7}, "cvmfs", "Choose CVMFS repositories from"),
    (MEMBER, {"cmd": "/bin/sh"}, "options", "Option “cmd” is not known"),
    (MEMBER, {HTML: "1"}, "options", "This option is not known"),
    (MEMBER, {HUGE: "1"}, "options", "This option is not known"),
    (MEMBER, {7: "1"}, "options", "This option is not known"),
    (MEMBER, [], "options", "Send one"),
    (MEMBER, "profile=standard", "options", "Send one"),
    (MEMBER, None, "options", "Send one"),
]


@pytest.mark.parametrize(("groups", "raw", "code", "sentence"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_everything_else_is_refused_with_a_short_sentence(
    groups: list[str], raw: Any, code: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate_options(PROFILES, groups, raw)
    assert sentence in refused.value.message
    assert refused.value.code == code
    assert len(refused.value.message) < 300
    assert "<" not in refused.value.message


LAST = {"profile": "standard", "cores": 4}

FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"profile": ["standard"], "_xsrf": ["2|abc"]}, {"profile": "standard"}),
    (  # without JavaScript the fields of every profile are sent; those of the chosen one count
        {"profile": ["standard"], "cores:standard": ["4"], "cores:gpu": ["16"], "memory:standard": ["8G"]},
        {"profile": "standard", "cores": "4", "memory": "8G"},
    ),
    ({"profile": ["standard"], "cvmfs:standard": ["a", "b"]}, {"profile": "standard", "cvmfs": ["a", "b"]}),
    ({"profile": ["standard"], "custom_image:standard": [""]}, {"profile": "standard"}),
    (  # the list always sends an image; one's own, when filled in, is meant
        {"profile": ["standard"], "image:standard": ["old"], "custom_image:standard": ["reg.example.org/dev/x"]},
        {"profile": "standard", "custom_image": "reg.example.org/dev/x"},
    ),
    ({"memory": ["4G"]}, {"memory": "4G"}),
    ({"again": ["1"], "profile": ["gpu"]}, LAST),
    ({"profile": ["standard", "gpu"]}, {"profile": ["standard", "gpu"]}),
]


@pytest.mark.parametrize(("fields", "options"), FORMS)
def test_form_fields_become_the_same_options_as_an_api_body(fields: dict[str, Any], options: dict[str, Any]) -> None:
    assert from_form(fields, LAST) == options


def test_again_without_a_last_choice_takes_the_form() -> None:
    assert from_form({"again": ["1"], "profile": ["standard"]}, None) == {"profile": "standard"}
