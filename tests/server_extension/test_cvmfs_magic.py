"""`%cvmfs` in a real kernel: what was chosen, whether it is there, the line for an unpacked image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel, kernel

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("cvmfs")
    (root / "sft.cern.ch" / "lcg").mkdir(parents=True)
    for image in ("registry.hub.docker.com/library/python:3.12", "harbor.example.org/unpacked/lab:1"):
        (root / "unpacked.example.org" / image / "usr").mkdir(parents=True)
    return root


@pytest.fixture(scope="module")
def alice(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    asked = "sft.cern.ch,unpacked.example.org,absent.cern.ch"
    home = tmp_path_factory.mktemp("home")
    run = str(tmp_path_factory.mktemp("run"))
    with kernel(home, NAAS_STORAGE_RUN=run, CVMFS_MOUNT_DIR=str(root), CVMFS_REPOSITORIES=asked) as client:
        yield Kernel(client)


def test_the_repositories_are_listed(alice: Kernel, root: Path) -> None:
    shown = alice.run("%cvmfs")
    assert re.search(rf"sft.cern.ch +there +{root}/sft.cern.ch", shown["text"])
    assert re.search(r"absent.cern.ch +not there", shown["text"])
    assert "absent.cern.ch is not on the machine. Operators mount it there" in shown["text"]
    assert "<table>" in shown["html"]
    assert (
        "[True, True, False]"
        in alice.run("r = %cvmfs list\nprint([o.state == 'there' for o in r.repositories])")["text"]
    )


def test_an_image_that_is_published_has_its_line(alice: Kernel, root: Path) -> None:
    for name, place in {
        "python:3.12": "registry.hub.docker.com/library/python:3.12",
        "harbor.example.org/unpacked/lab:1": "harbor.example.org/unpacked/lab:1",
    }.items():
        shown = alice.run(f"%cvmfs image {name}")["text"]
        assert "is published." in shown
        assert f"apptainer exec {root}/unpacked.example.org/{place} COMMAND" in shown


def test_an_image_that_is_not_published_yet_is_said(alice: Kernel) -> None:
    shown = alice.run("image = %cvmfs image harbor.example.org/unpacked/lab:2\nprint(image, image.path)")["text"]
    assert "harbor.example.org/unpacked/lab:2 is not published yet" in shown
    assert shown.rstrip().endswith("None")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("image", "required: name"),
        ("image ../../etc/passwd", "not the name of an image"),
        ("image 'a b'", "not the name of an image"),
        (f"image {'a' * 301}", "not the name of an image"),
        ("mount", "invalid choice"),
        ("image 'open", "quote is not closed"),
    ],
)
def test_an_error_is_one_sentence(alice: Kernel, line: str, said: str) -> None:
    refused = alice.refused(f"%cvmfs {line}")
    assert said in refused
    assert "`%storage?`" not in refused


def test_tab_offers_the_commands(alice: Kernel) -> None:
    reply = alice.client.complete("%cvmfs ", 7, reply=True, timeout=60)
    assert {"list", "image"} <= set(reply["content"]["matches"])


def test_without_a_choice_it_says_so(tmp_path: Path) -> None:
    with kernel(tmp_path, NAAS_STORAGE_RUN=str(tmp_path), CVMFS_REPOSITORIES="") as client:
        bob = Kernel(client)
        assert "No CVMFS repository was chosen" in bob.run("%cvmfs")["text"]
        assert "No repository of unpacked images was chosen" in bob.refused("%cvmfs image python")
