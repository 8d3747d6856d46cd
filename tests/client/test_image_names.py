"""Names of images, as Docker reads them."""

from __future__ import annotations

import pytest
from naas_client.errors import InvalidInput
from naas_client.images import ImageName, by_name

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("python", "docker.io/library/python"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("jupyter/scipy-notebook:latest", "docker.io/jupyter/scipy-notebook:latest"),
        ("docker.io/python", "docker.io/library/python"),
        ("harbor.example.org/naas/lab:2026.11", "harbor.example.org/naas/lab:2026.11"),
        ("localhost/x", "localhost/x"),
        ("localhost:5000/x/y__z:1", "localhost:5000/x/y__z:1"),
        (f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
        (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}"),
    ],
)
def test_a_name_is_written_out(reference: str, whole: str) -> None:
    assert str(ImageName.parse(reference)) == whole


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "/x",
        "x/",
        "x//y",
        "a/../b",
        "..",
        "-x",
        "Upper/x",
        "x:",
        "x:" + "t" * 129,
        "x@",
        "x@sha256:abc",
        f"x@{DIGEST}@{DIGEST}",
        "host:port/x",
        "host:123456/x",
        "user:pass@host.example/x",
        "x y",
        "x\n",
        "x:1\n",
        "exämple.org/x",
        "x --privileged",
        "<img src=x>",
        "a" * 301,
    ],
)
def test_what_is_no_name_is_refused(reference: str) -> None:
    with pytest.raises(InvalidInput, match="not the name of an image"):
        ImageName.parse(reference)


@pytest.mark.parametrize("image_id", ["c9d340c19a3c", f"sha256:{'0a' * 32}", "python:3.12"])
def test_an_id_of_an_image_is_no_name(image_id: str) -> None:
    """Whoever may start images of any name could otherwise start what only somebody else may download."""
    assert by_name(image_id) == f"docker.io/library/{image_id}"
    assert by_name(f"dev/{image_id}") == f"dev/{image_id}"
