"""A Debian to start from where no registry can be asked: `debootstrap`, for which one must be root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from naas_images.docker import BuildFailed, inspect

SUITE = "bookworm"
TAG = f"naas/debian:{SUITE}"
ARCHIVE = "http://deb.debian.org"
SOURCES = f"""deb {ARCHIVE}/debian {SUITE} main
deb {ARCHIVE}/debian {SUITE}-updates main
deb {ARCHIVE}/debian-security {SUITE}-security main
"""
LEFT_OUT = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
)
OF_THIS_MACHINE = ("etc/resolv.conf", "etc/hostname", "etc/machine-id")


def debian(*, fresh: bool) -> str:
    """The image, made if it is not there; returns its tag."""
    if inspect(TAG) and not fresh:
        return TAG
    if os.geteuid() or not shutil.which("debootstrap"):
        raise BuildFailed(
            "There is no image to start from. Name one (--base debian:12-slim), or have one made here: as root, with debootstrap "
            "(apt-get install debootstrap)."
        )
    # Not in /tmp: it may be mounted without devices or without programs, and debootstrap makes both.
    with tempfile.TemporaryDirectory(prefix="naas-debian-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        _run(["debootstrap", "--variant=minbase", SUITE, str(root), f"{ARCHIVE}/debian"])
        _slim(root)
        _import(root)
    return TAG


def _slim(root: Path) -> None:
    """Take out documentation (licences stay), package lists, and what debootstrap copied from this machine."""
    (root / "etc/apt/sources.list").write_text(SOURCES)
    for name in OF_THIS_MACHINE:
        (root / name).unlink(missing_ok=True)
    for name in LEFT_OUT:
        for path in sorted((root / name).rglob("*"), reverse=True):
            if path.is_symlink() or (path.is_file() and path.name != "copyright"):
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    for name in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log/apt"):
        (root / name).mkdir(parents=True, exist_ok=True)


def _import(root: Path) -> None:
    tar = subprocess.Popen(["tar", "--numeric-owner", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    try:
        _run(["docker", "import", "--change", 'CMD ["bash"]', "-", TAG], stdin=tar.stdout)
    finally:
        if tar.stdout:
            tar.stdout.close()
        failed = tar.wait()  # also of a docker that reads no more, whose own words tell why
    if failed:
        raise BuildFailed("tar could not read the new Debian.")


def _run(argv: list[str], stdin: object = None) -> None:
    done = subprocess.run(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # type: ignore[call-overload]
    if done.returncode:
        raise BuildFailed(f"{argv[0]} failed:\n" + "\n".join(done.stdout.strip().splitlines()[-10:]))
