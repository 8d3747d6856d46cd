"""The NVIDIA GPUs of this machine, as ``nvidia-smi -L`` lists them (docs.nvidia.com, "MIG User Guide").

A card with MIG slices is not listed itself: its slices are what can be given out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from dataclasses import dataclass

from naas_client.errors import Unavailable

LIMIT = 30.0
"""Seconds for one answer; a driver that is loaded for it (no persistence mode) takes a second or two a card."""

_CARD = re.compile(r"GPU \d+: (.+?) \(UUID: ([^)]*)\)\s*")
_SLICE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+:(?: \(UUID: ([^)]*)\))?.*")
_CARD_ID = re.compile(r"GPU-[0-9a-fA-F-]{4,60}")
_SLICE_ID = re.compile(r"MIG-[0-9a-fA-F-]{4,60}|MIG-GPU-[0-9a-fA-F-]{4,60}/\d+/\d+")
"""The second form is that of drivers before 470."""


@dataclass(frozen=True)
class Found:
    """A card, or a slice of one. ``card``: its product name; ``slice``: the slice's MIG profile, empty for a whole card."""

    device: str
    card: str
    slice: str = ""

    @property
    def name(self) -> str:
        """What it is called where the site gives it no name."""
        return self.slice or self.card

    @property
    def names(self) -> tuple[str, ...]:
        """What the setting ``gpus.discover`` may call it."""
        return (self.slice, f"{self.card} {self.slice}") if self.slice else (self.card,)


def parse_list(output: str) -> list[Found]:
    """The devices in the output of ``nvidia-smi -L``; lines that are something else, such as warnings, are passed over."""
    found: list[Found] = []
    card, whole = "", None
    for line in output.splitlines():
        if match := _CARD.fullmatch(line):
            found += [whole] if whole else []
            card = match[1]
            whole = Found(match[2], card) if _CARD_ID.fullmatch(match[2]) else None
        elif match := _SLICE.fullmatch(line):
            whole = None
            if match[2] and _SLICE_ID.fullmatch(match[2]):
                found.append(Found(match[2], card, match[1]))
    return [*found, whole] if whole else found


def program() -> str | None:
    """The path of ``nvidia-smi``; None where no driver is installed."""
    return shutil.which("nvidia-smi")


class Nvidia:
    """Asks ``nvidia-smi`` of this machine, one at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def devices(self, limit: float = LIMIT) -> list[Found]:
        """What there is now; nothing where no driver is installed. Raises Unavailable when the driver does not answer properly."""
        if (path := program()) is None:
            return []
        if self._process is not None and self._process.returncode is None:
            raise Unavailable("nvidia-smi still hangs. Look at the GPU driver of this machine.", code="gpu-driver")
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(path, "-L"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},  # none of the hub's secrets
            )
        except OSError as error:
            raise Unavailable(f"nvidia-smi cannot be run: {error.strerror}.", code="gpu-driver") from error
        try:
            async with asyncio.timeout(limit):
                output, _ = await process.communicate()
        except TimeoutError:
            raise Unavailable(f"nvidia-smi did not answer within {limit:g} s.", code="gpu-driver") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
        text = output.decode(errors="replace")
        if process.returncode:
            said = " ".join(text.split())[:200]
            raise Unavailable(f"nvidia-smi ended with code {process.returncode}: {said}", code="gpu-driver")
        return parse_list(text)
