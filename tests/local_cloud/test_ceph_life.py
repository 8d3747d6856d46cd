"""Clusters of their own: what survives a kill, a moved port, a parent's death."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from naas_client.errors import Conflict, InvalidInput, Unavailable
from naas_local.ceph import ceph_store
from naas_local.ceph.part import read
from naas_local.data import DataFolder
from naas_local.doctor import checks
from naas_local.ports import free_port
from naas_local.product import Product
from waiting import wait_for

pytestmark = pytest.mark.server
GIB = 2**30

PARENT = """
import sys, time
from pathlib import Path
from naas_local.ceph import ceph_store
with ceph_store(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""


def everything_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_objects_on_the_disk_survive_kill_9_and_a_moved_monitor(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    options = {"objectstore": "bluestore", "size": 5 * GIB}
    with ceph_store(tmp_path, ports=ports, **options) as store:
        store.client().put_object(Bucket="scratch", Key="x", Body=b"answered, so it is kept")
        for daemon in (store.osd, store.mon, store.rgw):
            assert daemon.part
            for process in everything_of(daemon.part.process.pid):
                process.kill()
        keys = store.admin
    with ceph_store(tmp_path, ports=[free_port(), ports[1]], size=99 * GIB) as store:
        assert store.client().get_object(Bucket="scratch", Key="x")["Body"].read() == b"answered, so it is kept"
        assert (store.admin, store.config.size, store.config.objectstore) == (keys, 5 * GIB, "bluestore")


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout
        assert parent.stdout.readline() == "up\n"
        left = everything_of(parent.pid)
        assert {process.name() for process in left} >= {"ceph-mon", "ceph-osd", "radosgw"}
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not [p for p in left if p.is_running() and p.status() != "zombie"], "the end of all daemons", 60)


def product(folder: Path, settings: str = "", wanted: str | None = None) -> Product:
    data, config = DataFolder(folder / "data"), folder / "naas.yaml"
    data.create()
    config.write_text(settings)
    return Product(data, config, free_port(), wanted)


def test_the_store_of_the_first_start_stays(tmp_path: Path) -> None:
    assert product(tmp_path).object_store == "embedded"
    with pytest.raises(Conflict, match=r"are in the embedded store\. Leave out --object-store"):
        product(tmp_path, wanted="ceph")
    assert product(tmp_path).object_store == "embedded"


def test_ceph_is_remembered_and_its_quota_follows_from_the_disk(tmp_path: Path) -> None:
    first = product(tmp_path, wanted="ceph")
    first.write_site()
    again = product(tmp_path)
    specs = {spec.name: spec for spec in again.specs()}
    assert "store" not in specs
    assert specs["rgw"].needs == ("osd", "iam")
    cluster = read(again.data.root / "ceph" / "config.json")
    storage = yaml.safe_load(again.data.site.read_text())["storage"]
    assert (storage["provisioner"], storage["quota"]) == ("rgw", cluster.size // 4)
    assert {result.name: result.state for result in checks(again.data, None) if result.name.startswith("Ceph")} in (
        {"Ceph": "ok", "Ceph disk": "ok"},
        {"Ceph": "ok", "Ceph disk": "note"},
    )


def test_a_quota_of_the_operator_is_kept(tmp_path: Path) -> None:
    made = product(tmp_path, "storage: {quota: 1000}", "ceph")
    made.write_site()
    assert yaml.safe_load(made.data.site.read_text())["storage"]["quota"] == 1000


def test_a_store_of_ones_own_and_ceph_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"storage\.url names a store already"):
        product(tmp_path, "storage: {url: 'http://rgw.example.org'}", "ceph")


def test_without_the_packages_the_line_to_type_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="sudo apt-get install -y --no-install-recommends ceph-mon ceph-osd"):
        product(tmp_path, wanted="ceph")
    assert product(tmp_path).object_store == "embedded"
