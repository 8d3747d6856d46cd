"""How the cluster of a data folder is, for `naas doctor`."""

from __future__ import annotations

import shutil
from pathlib import Path

from naas_client.errors import NaasError

from naas_local.ceph.part import GIB, CephConfig
from naas_local.ceph.programs import ceph, missing_programs

LOOK_LIMIT = 5
"""Seconds for the monitor's answer."""
FULL = {"OSD_FULL", "POOL_FULL"}
NEARLY_FULL = {"OSD_NEARFULL", "OSD_BACKFILLFULL", "MON_DISK_LOW", "MON_DISK_CRIT"}
MAKE_ROOM = "docs/how-to/ceph.md says how to make room."

Finding = tuple[str, str, str]
"""State (ok, note or bad), detail, remedy."""


def programs() -> Finding:
    """Whether Ceph is installed."""
    reason, _, remedy = missing_programs().partition(" Type: ")
    return ("bad", reason, remedy) if reason else ("ok", "installed", "")


def disk(config: CephConfig) -> Finding:
    """Whether the disk can hold what Ceph believes it can: its file is sparse, and others fill the disk too."""
    block = config.folder / "osd" / "block"
    used = block.stat().st_blocks * 512 if block.exists() else 0
    free, promised = shutil.disk_usage(config.folder).free, int(config.size * config.full_ratio) - used
    detail = f"{used / GIB:.1f} of {config.size / GIB:.0f} GiB used, {free / GIB:.0f} GiB free on the disk"
    if free < promised:
        return "note", detail, f"The disk is full before Ceph is: free {(promised - free) / GIB:.0f} GiB on it."
    return "ok", detail, ""


def health(conf: Path) -> Finding:
    """What a running cluster says about itself; its complaints about having a single copy are ours by design."""
    try:
        checks = set(ceph(conf, "health", limit=LOOK_LIMIT).get("checks", {}))
    except NaasError as error:
        return "bad", error.message, "See logs/mon.log in the data folder."
    if checks & FULL:
        return "bad", "full: nothing can be written", MAKE_ROOM
    if checks & NEARLY_FULL:
        return "note", "nearly full", MAKE_ROOM
    if "OSD_DOWN" in checks:
        return "bad", "the OSD is down", "See logs/osd.log in the data folder."
    return "ok", "room for more", ""
