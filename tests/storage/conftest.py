"""A world for each test: data folder, store, gateway, mount helper."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bucket_site import Site, bucket_site
from naas_local.store import embedded_store
from storage_world import Gateway, SessionStore, Store, World, wait_for
from token_issuer import TokenIssuer


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def data(root_folder: Path) -> Path:
    folder = Path(tempfile.mkdtemp(dir=root_folder))
    folder.chmod(0o711)
    (folder / "run").mkdir(mode=0o711)
    return folder


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    store = Store(data / "store")
    store.start()
    try:
        yield store
    finally:
        store.stop()


@pytest.fixture
def gateway(store: Store) -> Iterator[Gateway]:
    gateway = Gateway(store.url)
    yield gateway
    gateway.close()


@pytest.fixture
def world(namespace: int, data: Path, store: Store, gateway: Gateway) -> Iterator[World]:
    """A data folder with a running helper in the namespace; everything started in it ends with the test."""
    world = World(data, store, gateway, namespace)
    try:
        world.start_helper()
        yield world
    finally:
        world.close()


@pytest.fixture
def sessions(namespace: int, data: Path) -> Iterator[World]:
    """A world whose store gives temporary credentials and refuses what its rules forbid."""
    with TokenIssuer().running() as issuer, embedded_store(data / "store", issuer.url) as embedded:
        store = SessionStore(embedded, issuer)
        gateway = Gateway(store.url, store.session)
        world = World(data, store, gateway, namespace)
        try:
            world.start_helper()
            yield world
        finally:
            world.close()
            gateway.close()


OPEN_DEVICE = """
import os, stat, subprocess
if stat.S_IMODE(os.stat('/dev/fuse').st_mode) != 0o666:
    os.mknod({node!r}, 0o666 | stat.S_IFCHR, os.makedev(10, 229))
    os.chmod({node!r}, 0o666)
    subprocess.run(['mount', '--bind', {node!r}, '/dev/fuse'], check=True)
"""
"""As udev makes it on a person's machine; in the namespace of the tests alone."""


@pytest.fixture
def laptop(namespace: int, data: Path, store: Store, gateway: Gateway) -> Iterator[World]:
    """A world without helper: the way of a person who is not root. fusermount3 wants an entry in passwd, so it is `nobody`."""
    world = World(data, store, gateway, namespace, person=65534, restricted=False)
    try:
        assert world.run(OPEN_DEVICE.format(node=str(data / "fuse")), uid=0) == ""
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """alice's buckets."""
    with bucket_site(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("run")) as made:
        yield made
