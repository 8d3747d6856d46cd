"""A stage on each store: a fault table that holds on the embedded one and on Ceph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ceph import shared_cluster
from fault_sites import CephSite, EmbeddedSite, Site
from fault_stage import FULL, Stage, stage_on
from naas_local.ceph import CephStore
from naas_local.store import embedded_store
from token_issuer import TokenIssuer

KINDS = ("embedded", "ceph")
DISK = 16 * 2**30
"""Bytes; a sparse file, which grows to what is written."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every row on both stores in `make faults`; in `make test` on Ceph those where the stores differ, which say so (`fault_stage.on`)."""
    if "site" in metafunc.fixturenames:
        kinds = getattr(metafunc.function, "kinds", KINDS if FULL else KINDS[:1])
        metafunc.parametrize("site", kinds, indirect=True, scope="module")


@pytest.fixture(scope="session")
def ceph_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephStore]:
    """In `make faults` with its objects on the disk, as in the product: a file of 5 GiB is more than the others keep in memory."""
    options = {"objectstore": "bluestore", "size": DISK} if FULL else {}
    with shared_cluster(tmp_path_factory.mktemp("ceph"), **options) as store:
        yield store


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, root_folder: Path, namespace: int) -> Iterator[Site]:
    """A running store of a kind, with alice's bucket."""
    with TokenIssuer().running() as issuer:
        if request.param == "ceph":
            yield CephSite(request.getfixturevalue("ceph"), issuer)
            return
        with embedded_store(Path(tempfile.mkdtemp(dir=root_folder)), issuer.url) as embedded:
            yield EmbeddedSite(embedded, issuer)


@pytest.fixture
def data(root_folder: Path) -> Path:
    folder = Path(tempfile.mkdtemp(dir=root_folder))
    folder.chmod(0o711)
    (folder / "run").mkdir(mode=0o711)
    return folder


@pytest.fixture
def stage(site: Site, data: Path, namespace: int) -> Iterator[Stage]:
    with stage_on(site, data, namespace) as found:
        yield found
