"""The cluster as parts of the product: its settings, its files, its command lines."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import struct
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Literal

from naas_client.errors import InvalidInput, Unavailable
from naas_client.files import secret_file, write_private, write_private_json
from naas_client.settings import Section, validate
from pydantic import Field

from naas_local.ceph.programs import missing_programs
from naas_local.parts import PartSpec
from naas_local.ports import LOOPBACK

GIB = 2**30
SMALLEST, LARGEST = 8 * GIB, 200 * GIB
"""Bytes of the OSD's file: below that `HEADROOM` leaves little, above it is no longer a laptop's store."""
OSD_PORTS = (21800, 22299)
"""Where the OSD looks for its four ports: outside the kernel's ephemeral range, so never a port remembered for another part."""
GATEWAYS = ("rgw", "rgw2")
HEADROOM = 2 * GIB
"""Bytes of the OSD that stay free when it is full: BlueStore ends with an assertion when writes that are under way find no room."""

CONF = """\
[global]
fsid = {fsid}
mon host = v1:{host}:{mon_port}
mon initial members = a
public addr = {host}
cluster addr = {host}
ms bind msgr2 = false
ms bind port min = {first_port}
ms bind port max = {last_port}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
run dir = {folder}/run
crash dir = {folder}/run
admin socket =
pid file =
log to file = false
log to stderr = true
err to stderr = true
mon cluster log to file = false
mon cluster log to stderr = false
mon data = {folder}/mon
osd data = {folder}/osd
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw rados pool pg num min = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
mon osd nearfull ratio = {nearfull}
mon osd backfillfull ratio = {full}
mon osd full ratio = {full}
osd failsafe full ratio = 0.98
# How full it is, is looked at as often as this; the default of 6 s is a gigabyte at a disk's speed.
osd heartbeat interval = 1
osd crush chooseleaf type = 0
osd crush initial weight = 1
osd crush update on start = true
crush location = root=default host=local
osd objectstore = {objectstore}
memstore device bytes = {size}
bluestore block size = {size}
bluestore block create = true
bluestore cache autotune = false
bluestore cache size = 268435456
osd memory target = 939524096
[client]
# No bucket notifications: anybody who may make a bucket could have RGW send requests to any address it reaches.
rgw enable apis = s3, admin, sts, iam
# Without this each small GET costs 40 ms more (Nagle's algorithm against delayed acknowledgements).
rgw s3 auth use sts = true
rgw sts key = {sts_key}
rgw sts min session duration = 15
# What is deleted is really gone within a minute, not after two hours: the disk is small.
rgw gc obj min wait = 5
rgw gc processor period = 10
rgw gc processor max time = 10
# Usage and quotas are as fresh as people expect on one machine.
rgw bucket quota ttl = 5
rgw user quota bucket sync interval = 5
rgw user quota sync interval = 30
rgw usage max user shards = 1
rgw thread pool size = 128
# Level 1 would log whole query strings, and so the signatures of presigned links.
debug rgw = 0/0
"""
GATEWAY = """\
[client.{name}]
rgw frontends = beast endpoint={host}:{port} tcp_nodelay=1
"""


class CephConfig(Section):
    """Settings of one cluster, one JSON file of mode 0600."""

    folder: Path = Field(description="everything of the cluster is below it")
    fsid: str
    osd_uuid: str
    sts_key: str = Field(min_length=16, max_length=16, description="RGW encrypts session tokens with it (AES-128)")
    mon_port: int = Field(ge=1, le=65535)
    rgw_ports: list[int] = Field(min_length=1, max_length=len(GATEWAYS))
    rgw_host: str = Field(LOOPBACK, description="address that the gateways listen on")
    objectstore: Literal["bluestore", "memstore"]
    size: int = Field(ge=GIB // 4, description="bytes of the OSD")
    issuer: str = Field(pattern="^(https?://.+)?$", description="IAM whose tokens are accepted; empty: none yet")
    audience: str = Field(min_length=1)
    role_arn: str = Field(min_length=14, description="the role that everybody may assume; it alone opens no bucket")
    scratch_bucket: str
    region: str

    @property
    def conf(self) -> Path:
        """Ceph's own settings file."""
        return self.folder / "ceph.conf"

    @property
    def full_ratio(self) -> float:
        """The part of the OSD after which nothing more is written; memory has no end that hurts."""
        return 1 - max(0.1, HEADROOM / self.size if self.objectstore == "bluestore" else 0)

    @property
    def access_key_file(self) -> Path:
        """File (0600) with the administrator's access key."""
        return self.folder / "admin-access-key"

    @property
    def secret_key_file(self) -> Path:
        """File (0600) with the administrator's secret key."""
        return self.folder / "admin-secret-key"

    @property
    def admin_keys(self) -> tuple[str, str]:
        """Access and secret key of RGW's administrator."""
        return self.access_key_file.read_text().strip(), self.secret_key_file.read_text().strip()

    def url(self, gateway: str = GATEWAYS[0]) -> str:
        """Where a gateway listens."""
        return f"http://{self.rgw_host}:{self.rgw_ports[GATEWAYS.index(gateway)]}"

    def socket(self, daemon: str) -> Path:
        """The Unix socket that accepts when a daemon is ready."""
        return self.folder / "run" / f"{daemon}.sock"


def prepare(
    folder: Path,
    mon_port: int,
    rgw_ports: list[int],
    *,
    rgw_host: str = LOOPBACK,
    issuer: str,
    audience: str = "object",
    role_arn: str = "arn:aws:iam:::role/IAMaccess",
    scratch_bucket: str = "scratch",
    region: str = "us-east-1",
    objectstore: Literal["bluestore", "memstore"] = "bluestore",
    size: int | None = None,
    needs: tuple[str, ...] = (),
) -> tuple[CephConfig, list[PartSpec]]:
    """Write the cluster's settings below ``folder``; they, and how its daemons are started. Identity and keys are kept.

    Parameters: see `CephConfig`; ``size``, bytes of the OSD, decided at the first start (None: half of what is free, at most
    200 GiB); ``needs``, parts that must be ready before a gateway. ``bluestore`` keeps everything through `kill -9`: a write is in
    its log on the disk before it is answered. ``memstore`` is memory, and gone when the OSD ends. Raises Unavailable without
    Ceph's programs, InvalidInput when a value or the disk is of no use.
    """
    if reason := missing_programs():
        raise Unavailable(reason, code="no-ceph")
    folder = folder.resolve()
    (folder / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    document = {
        **_identity(folder, objectstore, size),
        "folder": str(folder),
        "mon_port": mon_port,
        "rgw_ports": rgw_ports,
        "rgw_host": rgw_host,
        "issuer": issuer,
        "audience": audience,
        "role_arn": role_arn,
        "scratch_bucket": scratch_bucket,
        "region": region,
    }
    config = validate(document, CephConfig, "ceph")
    write_private_json(folder / "config.json", document)
    if not (folder / "keyring").exists():
        write_private(folder / "keyring", _keyring())
    secret_file(config.access_key_file, 10)
    secret_file(config.secret_key_file, 20)
    _write_conf(config)
    gateways = [_spec(config, name, "osd", *needs, url=config.url(name)) for name in GATEWAYS[: len(rgw_ports)]]
    return config, [_spec(config, "mon"), _spec(config, "osd", "mon"), *gateways]


def read(path: Path) -> CephConfig:
    """The settings that `prepare` wrote."""
    return validate(json.loads(path.read_text(encoding="utf-8")), CephConfig, str(path))


def _spec(config: CephConfig, name: str, *needs: str, url: str = "") -> PartSpec:
    argv = (sys.executable, "-m", "naas_local.ceph", name, str(config.folder / "config.json"))
    return PartSpec(name, argv, config.socket(name), url=url, needs=needs, start_limit=180, stop_limit=30)


def _identity(folder: Path, objectstore: str, size: int | None) -> dict[str, Any]:
    """What makes this cluster this cluster; decided once."""
    keys = ("fsid", "osd_uuid", "sts_key", "objectstore", "size")
    if (folder / "config.json").exists():
        known = json.loads((folder / "config.json").read_text())
        return {key: known[key] for key in keys}
    values = (str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_urlsafe(12), objectstore, size or _size(folder))
    return dict(zip(keys, values, strict=True))


def _size(folder: Path) -> int:
    size = min(shutil.disk_usage(folder).free // 2, LARGEST)
    if size < SMALLEST:
        raise InvalidInput(
            f"{folder} has less than {2 * SMALLEST // GIB} GiB free, too little for Ceph. Choose another --data."
        )
    return size


def _keyring() -> str:
    """Fresh cephx keys for the three who need one (format: ceph-authtool(8))."""
    capabilities = {
        "mon.": {"mon": "allow *"},
        "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
        "client.admin": {"mon": "allow *", "osd": "allow *"},
        **{f"client.{name}": {"mon": "allow rw", "osd": "allow rwx"} for name in GATEWAYS},
    }
    lines = []
    for name, caps in capabilities.items():
        key = base64.b64encode(struct.pack("<hIIh", 1, int(time.time()), 0, 16) + os.urandom(16)).decode()
        lines += [f"[{name}]", f"\tkey = {key}", *(f'\tcaps {where} = "{what}"' for where, what in caps.items())]
    return "\n".join(lines) + "\n"


def _write_conf(config: CephConfig) -> None:
    text = CONF.format(
        host=LOOPBACK,
        first_port=OSD_PORTS[0],
        last_port=OSD_PORTS[1],
        full=round(config.full_ratio, 3),
        nearfull=round(config.full_ratio * 0.85, 3),
        **config.model_dump(exclude={"rgw_ports", "rgw_host"}),
    )
    for name, port in zip(GATEWAYS, config.rgw_ports, strict=False):
        text += GATEWAY.format(name=name, host=config.rgw_host, port=port)
    write_private(config.conf, text)
