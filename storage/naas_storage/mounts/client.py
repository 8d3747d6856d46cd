"""Talk to the mount helper: the hub's side (publish) and the agent's side (take a mounted descriptor)."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput, Unavailable
from naas_client.models import Folder
from naas_client.sockets import connect


@dataclass(frozen=True)
class Published:
    """Where a server's agent finds the helper (``control``) and where the folders appear (``view``)."""

    control: Path
    view: Path


class MountsClient:
    """The helper behind its control socket (``<data>/run/mounts.sock``, root only).

    Calls raise `Unavailable` (code ``no-helper``) when the helper does not answer within ``timeout`` seconds, and
    `InvalidInput` (code ``mounts-refused``) with the helper's own sentence when it refuses.
    """

    def __init__(self, path: Path, timeout: float = 10) -> None:
        self.path, self.timeout = path, timeout

    async def publish(self, key: str, folders: Sequence[Folder], uid: int, gid: int) -> Published:
        """Make (or confirm) the folders of a server, for mounts that ``uid``:``gid`` alone may ask for and enter."""
        names = [{"name": folder.name, "read_only": folder.read_only} for folder in folders]
        answer = await self._ask({"op": "publish", "key": key, "names": names, "uid": uid, "gid": gid})
        return Published(Path(answer["control"]), Path(answer["view"]))

    async def unpublish(self, key: str) -> None:
        """Detach every mount of a server and remove its folders; a key that is not there is no error."""
        await self._ask({"op": "unpublish", "key": key})

    async def shutdown(self) -> None:
        """Unpublish everything and end the helper."""
        await self._ask({"op": "shutdown"})

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = json.loads(
                await asyncio.wait_for(self._exchange(json.dumps(request).encode() + b"\n"), self.timeout)
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise Unavailable(
                "The mount helper does not answer. The server starts without folders; see the log of `mounts`.",
                code="no-helper",
            ) from error
        if "error" in answer:
            raise InvalidInput(f"The mount helper refused: {answer['error']}", code="mounts-refused")
        return dict(answer)

    async def _exchange(self, line: bytes) -> bytes:
        channel = connect(self.path)
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.close()


class HelperRefused(OSError):
    """The helper answered, and the answer is no; the text is the helper's."""


def ask_helper(control: Path, verb: str, name: str, timeout: float = 8) -> int | None:
    """Say ``mount``, ``tune`` or ``umount`` for one folder; gives the mounted ``/dev/fuse`` descriptor for ``mount``.

    Blocks up to ``timeout`` seconds. Raises `HelperRefused` on a refusal, OSError when the helper is away.
    """
    with connect(control, timeout) as channel:
        channel.sendall(f"{verb} {name}\n".encode())
        answer, descriptors, _, _ = socket.recv_fds(channel, 500, 1)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if answer != b"ok\n":
        raise HelperRefused(
            answer.decode(errors="replace").strip().removeprefix("error: ") or "it closed the connection"
        )
    return descriptors[0] if descriptors else None
