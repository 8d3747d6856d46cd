"""Programs that come with our Python, and what a process may ask of the kernel about itself (prctl(2), Linux only)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def find_program(name: str) -> str | None:
    """A program beside our Python (a virtual environment's own) before one in PATH; None when there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process. Raises OSError when the kernel refuses: what it protects would be missing."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def end_with_parent() -> None:
    """For a fresh child (``preexec_fn``): it gets SIGTERM when its parent ends, however that happens."""
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
