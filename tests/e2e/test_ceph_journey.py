"""`naas up --object-store ceph`: what alice saves is in a real RADOS Gateway, and still there at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_session import HubSession
from naas_local.ceph import missing_programs
from naas_local.ceph.programs import radosgw_admin
from product import Product, naas_up
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.fuse]

SAVE = """
import pathlib
folder = pathlib.Path.home() / "cloud-storage" / "alice"
(folder / "result.txt").write_text("42\\n")
"""
READ = """
import pathlib
print((pathlib.Path.home() / "cloud-storage" / "alice" / "result.txt").read_text())
"""


def sizes_in_rgw(product: Product) -> dict[str, int]:
    """The objects of alice's bucket, as Ceph's own tool lists them: the gateway's administrator may not look into it."""
    rows = radosgw_admin(product.data / "ceph" / "ceph.conf", "bucket", "list", "--bucket=alice")
    return {row["name"]: row["meta"]["size"] for row in rows}


def kernel_says(product: Product, code: str) -> str:
    with HubSession(product.url, "alice") as alice:
        alice.sign_in()
        alice.start_server()
        alice.wait_connected()
        with alice.kernel() as kernel:
            said = kernel.run(code)
        alice.stop_server()
    return said


def test_files_are_objects_of_rgw_and_outlive_everything(tmp_path: Path) -> None:
    assert not missing_programs(), missing_programs()
    with naas_up(tmp_path, options=("--object-store", "ceph")) as product:
        parts = {part["name"]: part["state"] for part in product.status()["parts"]}
        assert {name: parts.get(name) for name in ("mon", "osd", "rgw", "store")} == {
            **dict.fromkeys(("mon", "osd", "rgw"), "ok"),
            "store": None,
        }
        kernel_says(product, SAVE)
        wait_for(lambda: sizes_in_rgw(product).get("result.txt") == 3, "the file in RGW")
    with naas_up(tmp_path) as product:
        assert product.site()["storage"]["provisioner"] == "rgw"
        assert kernel_says(product, READ) == "42\n\n"
