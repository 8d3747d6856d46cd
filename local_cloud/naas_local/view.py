"""The private mount namespace in which people's servers and the mount helper live (root only).

Its purpose: a server that runs as an ordinary uid must reach the Python installation, this checkout and the data folder even
when they lie below a private folder (a clone in ``/root``, say). Loosening that folder's mode would open everything
in it. Instead, in this namespace only, each private parent is covered by an empty tmpfs into which just the needed paths are
bound. The namespace, with every mount in it, ends with its last process. See mount_namespaces(7), nsenter(1).
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from naas_client.errors import Unavailable

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2
ENTER_LIMIT = 20
"""Seconds for the mounts of the namespace; a folder on a file server that hangs would hold them for ever."""


def _mount(source: str, target: Path | str, kind: str, flags: int, data: str = "") -> None:
    if _libc.mount(source.encode(), str(target).encode(), kind.encode(), flags, data.encode()):
        code = ctypes.get_errno()
        raise OSError(code, f"mount {kind or 'bind'} on {target}: {os.strerror(code)}")


def covered_folders(needed: Iterable[Path]) -> dict[Path, list[Path]]:
    """The private folders (no search right for others) above the needed paths, outermost first, with what to keep of each."""
    covers: dict[Path, list[Path]] = {}
    for path in sorted({path.resolve() for path in needed}):
        for parent in reversed(path.parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                covers.setdefault(parent, []).append(path)
                break
    return covers


def links_on_the_way(path: Path) -> dict[Path, str]:
    """The symbolic links that lead to a path, with their targets (path_resolution(7))."""
    found: dict[Path, str] = {}
    place, rest = Path("/"), list(path.absolute().parts[1:])
    while rest:
        place = place.parent if (step := rest.pop(0)) == ".." else place / step
        if place.is_symlink() and place not in found:
            found[place] = str(place.readlink())
            rest = [part for part in Path(found[place]).parts if part != "/"] + rest
            place = Path("/") if found[place].startswith("/") else place.parent
    return found


def _keep_links(links: dict[Path, str]) -> None:
    """A Python may be reached by links in a private folder (``~/.local/bin/python3``): make those anew that were covered."""
    for link, target in links.items():
        if not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)


def _cover(folder: Path, keep: list[Path], staging: Path) -> None:
    held = []
    for number, path in enumerate(keep):
        place = staging / str(number)
        place.mkdir()
        _mount(str(path), place, "", MS_BIND | MS_REC)
        held.append((path, place))
    _mount("naas-view", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
    for path, place in held:
        if not path.exists():  # a needed path inside another needed path is there already
            path.mkdir(parents=True)
            _mount(str(place), path, "", MS_BIND | MS_REC)


def _mount_points(below: Path) -> list[Path]:
    """A mounted folder and what is mounted in it (proc_pid_mountinfo(5): field 5, with octal escapes)."""
    fields = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    paths = (Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)) for text in fields)
    return [path for path in dict.fromkeys(paths) if path.is_relative_to(below)]


def _keep_from_writing(folder: Path) -> None:
    """Make a folder read-only in this namespace, with what is mounted in it now; what is mounted later does not come in."""
    _mount(str(folder), folder, "", MS_BIND | MS_REC)
    _mount("", folder, "", MS_PRIVATE | MS_REC)
    for path in _mount_points(folder):
        _mount("", path, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _enter(needed: Iterable[Path], read_only: Iterable[Path], staging: Path) -> None:
    paths = (*needed, Path(sys.executable))
    links = {link: target for path in paths for link, target in links_on_the_way(path).items()}
    if _libc.unshare(CLONE_NEWNS):
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")
    _mount("", "/", "", MS_REC | MS_SLAVE)
    for number, (folder, keep) in enumerate(covered_folders(needed).items()):
        place = staging / str(number)
        place.mkdir()
        _mount("naas-staging", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m")
        _cover(folder, keep, place)
        _libc.umount2(str(place).encode(), MNT_DETACH)
    _keep_links(links)
    for folder in read_only:
        _keep_from_writing(folder.resolve())
    try:  # other people's processes are not shown (proc(5), hidepid); some container engines forbid this mount
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2")
    except OSError as error:
        os.write(2, f"naas: processes of other people stay visible by name: {error}\n".encode())


def private_namespace(needed: Iterable[Path], read_only: Iterable[Path] = ()) -> int:
    """Make the namespace and return a descriptor of it, for ``nsenter --mount=/proc/self/fd/N``.

    Parameters: ``needed``, paths that any uid must be able to reach; ``read_only``, folders in which nobody writes. Raises Unavailable
    where the kernel refuses.
    """
    needed, read_only = list(needed), list(read_only)
    with tempfile.TemporaryDirectory(prefix="naas-view-") as staging:
        told, tell = os.pipe()
        hold, release = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(release)
            problem = b""
            try:
                _enter(needed, read_only, Path(staging))
            except OSError as error:
                problem = str(error).encode()[:500]
            os.write(tell, problem or b"ok")
            os.close(tell)
            os.read(hold, 1)
            os._exit(0)
        os.close(tell)
        os.close(hold)
        try:
            if not select.select([told], [], [], ENTER_LIMIT)[0]:
                os.kill(child, signal.SIGKILL)
            if (answer := os.read(told, 500)) != b"ok":
                raise Unavailable(
                    f"There is no private mount namespace ({answer.decode() or 'the process ended'}). Allow mount(2) and unshare(2) "
                    "(in a container: --privileged or CAP_SYS_ADMIN), or start `naas up` as an ordinary user.",
                    code="no-namespace",
                )
            return os.open(f"/proc/{child}/ns/mnt", os.O_RDONLY)
        finally:
            os.close(told)
            os.close(release)
            os.waitpid(child, 0)
