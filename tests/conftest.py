"""Fixtures of many rooms: the whole product (one `naas up` for all, with short timers), and the namespace of mounts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ceph import shared_cluster
from hub_session import HubSession
from naas_local.ceph import CephStore
from naas_local.view import private_namespace
from product import ACCESS_AGE, Product, naas_up
from served import Served, serving
from storage_world import REPOSITORY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of containers come last: the images are built meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("docker") is not None)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, running; shared, so a test leaves nobody's server in a state that others do not expect."""
    folder: Path = tmp_path_factory.mktemp("product")
    with naas_up(folder, {"iam": {"auth_refresh_age": ACCESS_AGE}}) as running:
        yield running


@pytest.fixture(scope="session")
def local_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A product whose servers are processes, with the profiles of the spawners' tests."""
    with serving("local", tmp_path_factory.mktemp("local")) as running:
        yield running


@pytest.fixture(scope="session")
def docker_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same, whose servers are containers; builds the images that are not there yet."""
    with serving("docker", tmp_path_factory.mktemp("docker")) as running:
        yield running


@pytest.fixture
def containers(docker_product: Served) -> Iterator[Served]:
    """Servers in containers; everybody's is stopped after each test."""
    yield docker_product
    docker_product.stop_all()


@pytest.fixture(scope="session")
def ceph_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephStore]:
    """A Ceph cluster with two gateways; use `ceph`, which is empty."""
    with shared_cluster(tmp_path_factory.mktemp("ceph")) as store:
        yield store


@pytest.fixture(scope="module")
def ceph(ceph_cluster: CephStore) -> CephStore:
    """The cluster, emptied for each module: no people, roles, trusted issuers or objects of another's tests."""
    ceph_cluster.clear()
    return ceph_cluster


@pytest.fixture
def person(product: Product) -> Iterator[Callable[[str], HubSession]]:
    """Sign somebody in; their servers are stopped at the end of the test."""
    sessions: list[HubSession] = []

    def sign_in(name: str) -> HubSession:
        session = HubSession(product.url, name)
        session.sign_in()
        sessions.append(session)
        return session

    yield sign_in
    for session in sessions:
        if session.hub("GET", "/user").status_code == 200 and session.hub("GET", f"/users/{session.name}").json().get(
            "servers"
        ):
            session.stop_server()
        session.http.close()


@pytest.fixture(scope="session")
def root_folder() -> Iterator[Path]:
    """A folder that any uid may pass through; pytest's own is private."""
    folder = Path(tempfile.mkdtemp(prefix="naas-storage-tests-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def namespace(root_folder: Path) -> Iterator[int]:
    """A private mount namespace, as a descriptor."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    descriptor = private_namespace([root_folder, REPOSITORY, Path(sys.base_prefix), Path(sys.prefix)])
    yield descriptor
    os.close(descriptor)
