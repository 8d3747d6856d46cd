"""The private mount namespace: any uid reaches what it needs, and only that, below private folders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from naas_local.view import covered_folders, private_namespace

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A needed folder and a secret one below a private parent, as in a clone below /root."""
    parent = tmp_path / "private"
    (parent / "clone" / "data").mkdir(parents=True)
    (parent / "clone" / "data" / "file").write_text("needed")
    (parent / "letters").mkdir()
    (parent / "letters" / "one").write_text("not for others")
    parent.chmod(0o700)
    return parent


@pytest.fixture
def namespace(private: Path) -> Iterator[int]:
    descriptor = private_namespace([private / "clone", private / "clone" / "data"])
    yield descriptor
    os.close(descriptor)


def inside(namespace: int, *argv: str) -> subprocess.CompletedProcess[str]:
    enter = (
        "nsenter",
        f"--mount=/proc/self/fd/{namespace}",
        "--",
        "setpriv",
        "--reuid=23456",
        "--regid=23456",
        "--clear-groups",
    )
    return subprocess.run([*enter, *argv], pass_fds=(namespace,), capture_output=True, text=True, check=False)


def test_the_topmost_private_folder_is_covered(private: Path) -> None:
    # pytest's own base folder may be private already, then that one is covered
    (cover, keep), *rest = covered_folders([private / "clone"]).items()
    assert not rest
    assert private == cover or cover in private.parents
    assert keep == [private / "clone"]


def test_another_uid_reaches_what_it_needs(namespace: int, private: Path) -> None:
    assert inside(namespace, "cat", str(private / "clone" / "data" / "file")).stdout == "needed"


def test_links_to_what_it_needs_lead_there(private: Path) -> None:
    """A Python in a private folder is often reached by links: `python3 -m venv` keeps them."""
    (private / "bin").mkdir()
    (private / "bin" / "data").symlink_to("../clone/data")
    (private / "link").symlink_to(private / "bin")
    namespace = private_namespace([private / "clone", private / "link" / "data"])
    try:
        assert inside(namespace, "cat", str(private / "link" / "data" / "file")).stdout == "needed"
    finally:
        os.close(namespace)


def test_everything_else_below_the_private_folder_is_hidden(namespace: int, private: Path) -> None:
    answer = inside(namespace, "cat", str(private / "letters" / "one"))
    assert answer.returncode != 0
    assert "No such file" in answer.stderr


def test_writes_in_the_view_are_real(namespace: int, private: Path) -> None:
    os.chown(private / "clone" / "data", 23456, 23456)
    assert inside(namespace, "sh", "-c", f"echo hello > {private}/clone/data/new").returncode == 0
    assert (private / "clone" / "data" / "new").read_text() == "hello\n"


def test_other_peoples_processes_are_not_listed(namespace: int) -> None:
    listed = inside(namespace, "sh", "-c", "ls /proc | grep -c '^[0-9]'")
    assert int(listed.stdout) <= 4


def test_outside_nothing_changed(namespace: int, private: Path) -> None:
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / "letters" / "one").read_text() == "not for others"
    assert str(private) not in Path("/proc/self/mountinfo").read_text()


def test_a_read_only_folder_is_so_for_everybody_in_the_view_and_nowhere_else(private: Path) -> None:
    """With what is mounted in it, and also through a link to it."""
    data = private / "clone" / "data"
    data.chmod(0o777)
    (private / "clone" / "link").symlink_to(data)
    namespace = private_namespace([private / "clone"], [private / "clone" / "link"])
    try:
        for path in (data, private / "clone" / "link"):
            answer = inside(namespace, "touch", f"{path}/new")
            assert "Read-only file system" in answer.stderr
        assert inside(namespace, "cat", f"{data}/file").stdout == "needed"
        assert inside(namespace, "touch", f"{private}/clone/new").stderr.endswith("Permission denied\n")
    finally:
        os.close(namespace)
    (data / "outside").write_text("written")
