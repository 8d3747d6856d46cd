"""Profiles in naas.yaml: what is accepted, and what a mistake is answered with."""

from __future__ import annotations

from typing import Any

import pytest
from naas_client.errors import InvalidInput
from naas_client.settings import Section, validate
from naas_client.sizes import format_size, parse_size
from naas_spawner.options import allowed_profiles, default_profile
from naas_spawner.profiles import Profiles, default_profiles

GIB = 2**30


class Site(Section):
    profiles: Profiles


def load(*profiles: dict[str, Any]) -> Site:
    return validate({"profiles": list(profiles)}, Site, "naas.yaml")


def profile(**more: Any) -> dict[str, Any]:
    return {"slug": "small", "name": "Small", **more}


MISTAKES = [
    ({"colour": "red"}, "profiles.0.colour: unknown key"),
    ({"slug": "A/b"}, "profiles.0.slug"),
    ({"name": ""}, "profiles.0.name"),
    ({"name": "x" * 81}, "profiles.0.name"),
    ({"cores": []}, "profiles.0.cores.choices"),
    ({"cores": [-1]}, "profiles.0.cores.choices.0"),
    ({"cores": {"choices": [1, 2], "default": 3}}, "the default 3 is not among the choices 1, 2"),
    ({"memory": ["-4G"]}, "profiles.0.memory.choices.0: a size is a positive number with K, M, G or T"),
    ({"memory": ["4 apples"]}, "profiles.0.memory.choices.0"),
    ({"memory": {"choices": ["4G"], "default": "8G"}}, "8 GiB is not among the choices 4 GiB"),
    ({"memory": {"choices": ["4G"], "needs_cores": {"8G": 2}}}, "8 GiB is not among the choices 4 GiB"),
    (
        {"cores": [1, 4], "memory": {"choices": ["8G"], "needs_cores": {"8G": 4}}},
        "the defaults do not go together: 8 GiB needs 4 cores or more",
    ),
    ({"image_pattern": {"dev": "("}}, "profiles.0.image_pattern.dev: not a regular expression"),
    ({"images": []}, "profiles.0.images"),
    ({"images": [{"name": "a"}, {"name": "a"}]}, "images: the name 'a' occurs twice"),
    ({"images": [{"name": "a", "image": "two words"}]}, "profiles.0.images.0.image"),
    ({"gpu": [{"name": "a"}, {"name": "a"}]}, "gpu: the name 'a' occurs twice"),
    ({"cvmfs": ["../etc"]}, "profiles.0.cvmfs.0"),
    ({"environment": {"1A": "x"}}, "no digit in front"),
    ({"environment": {"PATH": "/evil"}}, "belongs to the platform"),
    ({"environment": {"LD_PRELOAD": "x"}}, "belongs to the platform"),
    ({"environment": {"JUPYTERHUB_API_TOKEN": "x"}}, "belongs to the platform"),
    ({"environment": {"NAAS_GATEWAY_URL": "x"}}, "belongs to the platform"),
    ({"environment": {"DB_PASSWORD": "x"}}, "looks like a secret"),
    ({"idle_timeout": -1}, "profiles.0.idle_timeout"),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES)
def test_a_mistake_is_refused_with_its_path(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(profile(**change))
    assert sentence in refused.value.message
    assert refused.value.message.startswith("naas.yaml: profiles")


def test_two_profiles_need_two_slugs() -> None:
    with pytest.raises(InvalidInput, match="the slug 'small' occurs twice"):
        load(profile(), profile(name="Other"))


def test_a_short_profile_is_enough() -> None:
    (small,) = load(profile(cores=[2, 4], memory=["4G", "512M"])).profiles
    assert (small.cores.preferred, small.memory.preferred) == (2, 4 * GIB)
    assert small.memory.choices == [4 * GIB, 512 * 2**20]
    assert [image.default for image in small.images] == [True]


@pytest.mark.parametrize(
    ("groups", "slugs", "first"),
    [
        (["users/naas", "users/s3", "developers"], ["standard", "developer"], "standard"),
        (["users/naas"], ["standard"], "standard"),
        (["admins"], ["standard"], "standard"),
        (["users/ml-infn"], ["gpu-full"], "gpu-full"),
        ([], [], None),
    ],
)
def test_the_demo_users_see_what_their_groups_open(groups: list[str], slugs: list[str], first: str | None) -> None:
    allowed = allowed_profiles(default_profiles(), groups)
    assert [found.slug for found in allowed] == slugs
    if first:
        assert default_profile(allowed).slug == first
    else:
        with pytest.raises(InvalidInput, match="No profile is open to your groups"):
            default_profile(allowed)


@pytest.mark.parametrize(
    ("written", "size"),
    [("4G", 4 * GIB), ("4GiB", 4 * GIB), ("4 gb", 4 * GIB), ("0.5G", GIB // 2), ("512M", 512 * 2**20), (1024, 1024)],
)
def test_sizes_are_binary(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "-1G", "0", 0, -5, True, None, 1.5, "1e9", "4G4G", "٤G", "9" * 40, [], "0.3B"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="a size is a positive number"):
        parse_size(written)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(8 * GIB, "8 GiB"), (int(62.4 * GIB), "62.4 GiB"), (512 * 2**20, "512 MiB"), (2**50, "1,024 TiB")],
)
def test_sizes_are_shown_with_their_true_name(size: int, shown: str) -> None:
    assert format_size(size) == shown.replace(",", "")
