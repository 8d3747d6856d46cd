"""The settings of registries, and under which name an image is pulled."""

from __future__ import annotations

from typing import Any

import pytest
from naas_client.errors import InvalidInput
from naas_client.registries import pulled_name, registry_of
from naas_client.settings import SharedSettings, validate

HARBOR = {
    "url": "https://harbor.example.org/",
    "proxy_caches": {"docker.io": "dockerhub-proxy", "quay.io": "quay"},
    "projects": {"naas": [], "ml": ["users/ml-infn"]},
}
PLAIN = {"url": "http://127.0.0.1:5000", "kind": "docker"}


def read(*registries: dict[str, Any]) -> SharedSettings:
    return validate({"registries": list(registries)}, SharedSettings, "the test")


@pytest.mark.parametrize(
    ("reference", "pulled"),
    [
        ("python:3.12", "harbor.example.org/dockerhub-proxy/library/python:3.12"),
        ("jupyter/scipy-notebook", "harbor.example.org/dockerhub-proxy/jupyter/scipy-notebook"),
        ("docker.io/jupyter/scipy-notebook:1", "harbor.example.org/dockerhub-proxy/jupyter/scipy-notebook:1"),
        (f"quay.io/a/b@sha256:{'0' * 64}", f"harbor.example.org/quay/a/b@sha256:{'0' * 64}"),
        ("harbor.example.org/naas/lab:1", "harbor.example.org/naas/lab:1"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("naas/lab:0.1.0", "naas/lab:0.1.0"),
        ("naas-tests/lab:1", "harbor.example.org/dockerhub-proxy/naas-tests/lab:1"),
        ("Not An Image", "Not An Image"),
    ],
)
def test_an_image_comes_through_the_proxy_cache_of_its_registry(reference: str, pulled: str) -> None:
    assert pulled_name(reference, read(HARBOR, PLAIN).registries) == pulled


def test_a_registry_is_known_by_its_host() -> None:
    registries = read(HARBOR, PLAIN).registries
    assert [one.host for one in registries] == ["harbor.example.org", "127.0.0.1:5000"]
    assert registry_of("127.0.0.1:5000/x:1", registries) is registries[1]
    assert registry_of("127.0.0.1:50001/x:1", registries) is None
    assert registry_of("harbor.example.org.evil.example/x", registries) is None


def test_projects_are_shown_by_group() -> None:
    harbor, plain = read(HARBOR, PLAIN).registries
    assert harbor.shows("naas", [])
    assert harbor.shows("ml", ["users/ml-infn"])
    assert not harbor.shows("ml", ["users/naas"])
    assert not harbor.shows("other", ["users/ml-infn"])
    assert plain.shows("anything", [])


@pytest.mark.parametrize(
    ("registries", "said"),
    [
        ([{"url": "harbor.example.org"}], "registries.0.url: give scheme, host and perhaps port"),
        ([{"url": "https://harbor.example.org/api"}], "give scheme, host and perhaps port"),
        ([{"url": "https://admin:secret@harbor.example.org"}], "give scheme, host and perhaps port"),
        ([{**HARBOR, "proxy_caches": {"docker.io/library": "x"}}], "give a registry's host"),
        ([{**HARBOR, "proxy_caches": {"docker.io": "../x"}}], "String should match pattern"),
        ([{**HARBOR, "projects": {"naas": ["/users"]}}], "without a slash in front"),
        ([{**HARBOR, "secret": "x"}], "registries.0.secret: unknown key"),
        ([HARBOR, HARBOR], "harbor.example.org occurs twice"),
        ([HARBOR, {**PLAIN, "proxy_caches": {"quay.io": "q"}}], "quay.io has two proxy caches"),
    ],
)
def test_settings_that_cannot_be_used_are_explained(registries: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(*registries)
    assert said in refused.value.message
