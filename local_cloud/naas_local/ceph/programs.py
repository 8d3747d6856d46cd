"""Ceph's own programs: whether they are there, and how they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from naas_client.errors import Unavailable
from naas_client.processes import end_with_parent

from naas_local.parts import HARMLESS

PACKAGES = ("ceph-mon", "ceph-osd", "ceph-common", "radosgw")
PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw", "radosgw-admin")
INSTALL = f"apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"
LIMIT = 60
"""Seconds for one question; most take one, the first after a start waits for the cluster."""


def missing_programs() -> str:
    """Why Ceph cannot be started here, with the line to type; empty when it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"Ceph is not installed (missing: {', '.join(missing)}). Type: sudo {INSTALL}" if missing else ""


def environment() -> dict[str, str]:
    """What Ceph's programs get of our environment: an operator's CEPH_CONF or CEPH_ARGS belongs to another cluster."""
    return {name: os.environ[name] for name in HARMLESS if name in os.environ}


def ask(*argv: str | Path, limit: float = LIMIT, say: str = "") -> str:
    """What a program of Ceph prints; it reads ``say``.

    Raises Unavailable with its last line when it fails or takes longer than ``limit`` seconds.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=say,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env=environment(),
            umask=0o077,
            preexec_fn=end_with_parent,  # a half-made store must not be written on by an orphan
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"`{words[0]}` did not answer within {limit:.0f} s. Is the disk full? See the logs."
        ) from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Unavailable(f"`{' '.join(words[:1] + words[3:6])}` failed with {done.returncode}: {lines[-1]}")
    return done.stdout


def ceph(conf: Path, *words: str, limit: float = LIMIT) -> Any:
    """The answer of the `ceph` command, as JSON."""
    text = ask("ceph", "-c", conf, "--connect-timeout", str(int(limit)), "-f", "json", *words, limit=limit + 5)
    return json.loads(text) if text.strip() else {}


def radosgw_admin(conf: Path, *words: str, say: str = "") -> Any:
    """The answer of `radosgw-admin`, which reads ``say``, as JSON; an empty dict when it says nothing."""
    text = ask("radosgw-admin", "-c", conf, *words, say=say).strip()
    return json.loads(text) if text[:1] in ("{", "[", '"') else {}
