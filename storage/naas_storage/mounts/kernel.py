"""mount(2), umount2(2) and mountinfo (proc_pid_mountinfo(5)): nothing here touches a mounted path, so a hung mount hangs nobody."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_SHARED = 1, 2, 4, 8, 32, 1 << 20
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
READ_AHEAD_KB = 4096
"""4 MiB instead of 128 KiB: a cold sequential read becomes a fifth faster. Only root can set it, no mount option does."""
MOST_LAYERS = 32
"""Rounds of `detach`; each takes away one layer of everything below a path."""

log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Mounted:
    """A line of mountinfo."""

    path: str
    device: str
    """``major:minor``, which is also the name of its backing device in sysfs."""
    kind: str
    propagates: bool
    """It is shared or a slave, so that another bind of it can be a slave, too (mount_namespaces(7))."""


def mounts_below(path: Path) -> list[Mounted]:
    """What is mounted at or below a path, the upper layers and the deepest paths first."""
    top = str(path)
    found = [m for m in _mountinfo() if m.path == top or m.path.startswith(top + "/")]
    found.reverse()
    return sorted(found, key=lambda mounted: len(mounted.path), reverse=True)


def propagates(path: Path) -> bool:
    """Whether mounts made later below a path can be told to another bind of it: the engine refuses `rslave` where they cannot."""
    above = [mounted for mounted in _mountinfo() if path.is_relative_to(mounted.path)]
    return max(reversed(above), key=lambda mounted: len(mounted.path)).propagates  # the upper of two layers


def _mountinfo() -> list[Mounted]:
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields = line.split(b" ")
        end = fields.index(b"-")
        kind, shared = fields[end + 1], any(field.startswith((b"shared:", b"master:")) for field in fields[6:end])
        path = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields[4])
        found.append(Mounted(os.fsdecode(path), fields[2].decode(), kind.decode(), shared))
    return found


def mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    """mount(2). Raises OSError with the kernel's reason."""
    arguments = (source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    if _libc.mount(*arguments):
        raise OSError(ctypes.get_errno(), f"mount {target.name}: {os.strerror(ctypes.get_errno())}")


def mount_tmpfs(target: Path, mode: int, gid: int) -> None:
    """A tmpfs for a few names, shared so that a mount made in it later is seen wherever it was bound."""
    limits = f"size=64k,nr_inodes=32,mode={mode:04o},uid=0,gid={gid}"
    mount("naas", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, limits)
    mount("", target, "", MS_SHARED)


def set_read_only(target: Path, read_only: bool) -> None:
    """Make the tmpfs (its superblock, so through every path to it) read-only, or writable again."""
    flags = MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC | (MS_RDONLY if read_only else 0)
    mount("naas", target, "tmpfs", flags)


def mount_fuse(target: Path, uid: int, gid: int, read_only: bool) -> int:
    """Mount a new FUSE connection that only ``uid``:``gid`` may enter; gives its descriptor, which the caller closes."""
    descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        flags = MS_NOSUID | MS_NODEV | (MS_RDONLY if read_only else 0)
        options = f"fd={descriptor},rootmode=40000,user_id={uid},group_id={gid},default_permissions"
        mount(f"naas:{target.name}", target, "fuse.rclone", flags, options)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def detach(path: Path) -> int:
    """Take away every mount at or below a path and say how many there were; never waits for a daemon.

    Raises OSError when one cannot be taken away.
    """
    count = 0
    for _ in range(MOST_LAYERS):
        mounted = mounts_below(path)
        if not mounted:
            return count
        for one in mounted:
            gone = _libc.umount2(os.fsencode(one.path), MNT_DETACH | UMOUNT_NOFOLLOW) == 0
            if not gone and ctypes.get_errno() != errno.EINVAL:  # EINVAL: a layer below has taken it along
                raise OSError(ctypes.get_errno(), f"umount {one.path}: {os.strerror(ctypes.get_errno())}")
            count += gone
    raise OSError(errno.EBUSY, f"{path} is mounted still after {MOST_LAYERS} tries")


def raise_read_ahead(target: Path) -> None:
    """Let the kernel read 4 MiB ahead on a mount; the device is looked up in mountinfo, the mount is not touched.

    To be called when the daemon serves: its answer to FUSE's INIT sets the value back (fuse_init_out.max_readahead).
    """
    fuse = next((m for m in mounts_below(target) if m.path == str(target) and m.kind.startswith("fuse")), None)
    if fuse is None:
        raise OSError(errno.ENOTCONN, f"{target.name} is not mounted")
    try:
        Path(f"/sys/class/bdi/{fuse.device}/read_ahead_kb").write_text(str(READ_AHEAD_KB))
    except OSError as error:  # /sys is read-only in some containers: slower, not wrong
        log.warning("read-ahead of %s stays as it is: %s", target.name, error.strerror)
