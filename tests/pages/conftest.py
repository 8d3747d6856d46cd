"""A hub with our pages for all tests of this folder, and a browser."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from chromium import launched
from naas_local.parts import PartSpec, running
from naas_local.ports import free_port
from waiting import wait_for

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROXY = ROOT / "local_cloud" / "node_modules" / ".bin" / "configurable-http-proxy"
GIB = 2**30

SETTINGS: dict[str, Any] = {
    "site": {
        "name": "INFN Cloud notebooks",
        "contact": "cloud-support@example.org",
        "guides": [{"title": "User guide", "url": "https://guides.example.org"}],
        "policies": [{"title": "Terms of use", "url": "https://policies.example.org/terms"}],
    },
    "iam": {"issuer": "https://iam.cloud.example.org"},
    "groups": {
        "users/naas": {"description": "Notebooks with your own storage"},
        "developers": {"description": "Also GPU slices and test images"},
    },
    "profiles": [
        {
            "slug": "standard",
            "name": "Standard",
            "description": "Python, R and Julia, Dask, Git",
            "groups": ["users/naas"],
            "default": True,
            "images": [
                {"name": "lab 2026.11", "image": "harbor.example.org/naas/lab:2026.11", "default": True, "size": "3G"},
                {"name": "lab 2026.05", "image": "harbor.example.org/naas/lab:2026.05"},
                {"name": "lab next", "image": "harbor.example.org/naas/lab:next", "groups": ["testers"]},
            ],
            "image_pattern": {"developers": r"harbor\.example\.org/dev/.+"},
            "cores": {"choices": [2, 4, 8]},
            "memory": {"choices": ["4G", "8G", "16G"], "default": "8G", "needs_cores": {"16G": 4}},
            "cvmfs": ["cygno.infn.it", "sft.cern.ch"],
            "idle_timeout": 7200,
        },
        {
            "slug": "cygno",
            "name": "CYGNO",
            "description": "ROOT, experiment packages and cygno buckets",
            "groups": ["users/naas"],
            "cores": [4],
            "memory": ["16G"],
        },
        {
            "slug": "gpu-slice",
            "name": "GPU slice",
            "description": "CUDA, PyTorch, TensorFlow on part of an A100",
            "groups": ["developers"],
            "cores": [4],
            "memory": ["24G"],
            "gpu": [{"name": "A100 1g.10gb"}, {"name": "A100 7g.80gb", "groups": ["users/ml-infn"]}],
        },
        {
            "slug": "gpu-train",
            "name": "Training",
            "description": "PyTorch with a slice of an A100 of its own",
            "groups": ["developers"],
            "cores": [4],
            "memory": ["24G"],
            "gpu": [{"name": "A100 3g.40gb", "default": True}],
        },
        {
            "slug": "gpu-full",
            "name": "GPU full",
            "description": "A whole A100 with 80 GiB",
            "groups": ["users/ml-infn"],
            "cores": [16],
            "memory": ["120G"],
        },
    ],
}
GROUPS = {
    "users/naas": ["alice", "bob", "erin", "dana"],
    "users/s3": ["alice", "bob", "dana"],
    "developers": ["alice", "dana"],
}
REASONS = {
    "bob": [
        {
            "username": "bob",
            "code": "culled",
            "message": "Your server was stopped because nothing ran on it for 2 hours. <b>",
            "at": "2026-11-20T02:12:00Z",
        }
    ]
}


@dataclass
class PagesHub:
    """A running hub. ``script``: what servers that start now say and do."""

    url: str
    script: Path

    def tell(self, *documents: dict[str, Any]) -> None:
        """Say that steps of a start are over, see `hub_for_pages`."""
        with self.script.open("a") as file:
            file.writelines(json.dumps(document) + "\n" for document in documents)

    def forget(self) -> None:
        """Begin a new script."""
        self.script.write_text("")


@contextlib.contextmanager
def pages_hub(folder: Path) -> Iterator[PagesHub]:
    """The hub of `hub_for_pages`, ready."""
    script, facts = folder / "script.jsonl", folder / "hub.json"
    script.touch()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    facts.write_text(
        json.dumps(
            {
                "url": url,
                "hub_port": free_port(),
                "proxy": str(PROXY),
                "proxy_api": f"http://127.0.0.1:{free_port()}",
                "token": secrets.token_hex(16),
                "data": str(folder),
                "script": str(script),
                "settings": SETTINGS,
                "groups": GROUPS,
                "reasons": REASONS,
            }
        )
    )
    argv = (sys.executable, "-m", "jupyterhub", "-f", str(HERE / "hub_for_pages.py"))
    environment = {"PAGES_HUB": str(facts), "PYTHONPATH": os.pathsep.join(sys.path)}
    spec = PartSpec(name="hub", argv=argv, ready=f"{url}/hub/health", environment=environment)
    with running(spec, folder / "logs"):
        # until the hub has told the proxy about itself, the proxy answers for it
        wait_for(lambda: httpx.get(f"{url}/hub/health").status_code == 200, "the hub answers through the proxy")
        yield PagesHub(url, script)


@pytest.fixture(scope="session")
def hub_of_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesHub]:
    """One hub for all tests of the pages."""
    if not PROXY.exists():
        pytest.skip("configurable-http-proxy is not installed. Run `npm ci --prefix local_cloud`.")
    with pages_hub(tmp_path_factory.mktemp("pages")) as hub:
        yield hub


@pytest.fixture
def hub(hub_of_pages: PagesHub) -> PagesHub:
    """The hub with an empty script."""
    hub_of_pages.forget()
    return hub_of_pages


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's Chromium."""
    with launched() as browser:
        yield browser
