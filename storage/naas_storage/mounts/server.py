"""The helper's sockets: one for root (publish, unpublish), one per server for its agent (mount, tune, umount)."""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naas_client.sockets import listen, peer_of
from pydantic import ValidationError

from naas_storage.mounts.core import Mounts
from naas_storage.mounts.published import LOWEST_UID, Refused, Server

SILENCE_LIMIT = 5.0
"""Seconds a caller may take for its one line. A silent agent blocks only its own server's socket."""
LONGEST_WORDS, LONGEST_REQUEST = 100, 65536
MOST_WAITING = 256
"""Starts of servers that may wait for the helper; the kernel refuses one more, and that server would get no folders."""
BURST, BURST_SECONDS, BURST_PAUSE = 16, 10.0, 1.0
"""More than 16 requests in 10 s: one a second from then on. An agent that asks in a loop slows only itself."""

log = logging.getLogger(__name__)


def one_line(channel: socket.socket, longest: int) -> str:
    """The caller's line without its end; empty when it only looked whether somebody listens.

    Raises Refused when it is longer than ``longest`` bytes, is not text or does not come in time.
    """
    end, data = time.monotonic() + SILENCE_LIMIT, b""
    while not data.endswith(b"\n"):
        channel.settimeout(max(0.001, end - time.monotonic()))
        try:
            more = channel.recv(longest + 1 - len(data))
        except TimeoutError:
            raise Refused(f"nothing came within {SILENCE_LIMIT:g} s") from None
        data += more
        if len(data) > longest:
            raise Refused("this request is too long")
        if not more:
            break
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        raise Refused("this request is not UTF-8") from None


class AgentSocket:
    """The socket of one server, with a thread of its own."""

    def __init__(self, mounts: Mounts, key: str) -> None:
        self.mounts, self.key = mounts, key
        server = mounts.servers[key]
        with mounts.writable(mounts.control(key)) as folder:
            self.path = folder / "s"
            self.channel = listen(self.path)
            os.chown(self.path, server.uid, server.gid, follow_symlinks=False)
        threading.Thread(target=self._serve, daemon=True, name=f"agent {key}").start()

    def close(self) -> None:
        """End the thread; connections that wait are closed."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        self.channel.close()

    def _serve(self) -> None:
        recent: collections.deque[float] = collections.deque(maxlen=BURST)
        while True:
            try:
                caller, _ = self.channel.accept()
            except OSError:
                return  # closed
            with caller:
                answer_safely(caller, self._answer, lambda text: f"error: {text}\n", self.key)
            recent.append(time.monotonic())
            if len(recent) == BURST and recent[-1] - recent[0] < BURST_SECONDS:
                time.sleep(BURST_PAUSE)

    def _answer(self, caller: socket.socket) -> None:
        uid, gid = peer_of(caller)
        line = one_line(caller, LONGEST_WORDS)
        if not line:
            return
        if uid < LOWEST_UID:
            raise Refused(f"{uid}:{gid} is a system user: system users get no mount")
        verb, _, name = line.partition(" ")
        if verb == "mount":
            self._give(caller, name, uid, gid)
        elif verb in ("tune", "umount"):
            act = self.mounts.tune if verb == "tune" else self.mounts.drop
            act(self.key, name, uid, gid)
            caller.sendall(b"ok\n")
        else:
            raise Refused("say `mount NAME`, `tune NAME` or `umount NAME`")

    def _give(self, caller: socket.socket, name: str, uid: int, gid: int) -> None:
        descriptor = self.mounts.take(self.key, name, uid, gid)
        try:
            socket.send_fds(caller, [b"ok\n"], [descriptor])
        except OSError:
            self.mounts.drop(self.key, name, uid, gid)  # nobody is there to serve it
            raise
        finally:
            os.close(descriptor)  # the only copy is the agent's now: when it dies, the kernel ends the connection


def answer_safely(
    caller: socket.socket, act: Callable[[socket.socket], None], wording: Callable[[str], str], who: str
) -> None:
    """Answer one caller; whatever goes wrong becomes an answer and a log line, never the end of the helper."""
    try:
        act(caller)
        return
    except Refused as error:
        text = str(error)
    except ValidationError as error:
        text = "; ".join(f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in error.errors()[:3])
    except (OSError, ValueError) as error:
        text = str(error)
    except Exception:
        log.exception("%s: unexpected", who)
        text = "internal error; see the log of the mount helper"
    log.warning("%s: %s", who, text)
    with contextlib.suppress(OSError):
        caller.sendall(wording(text[:300]).encode())


class ControlSocket:
    """The root-only socket by which the hub publishes servers: one JSON line each way per connection."""

    def __init__(self, mounts: Mounts, path: Path) -> None:
        self.mounts = mounts
        self.agents = {key: AgentSocket(mounts, key) for key in mounts.servers}
        self.channel = listen(path, backlog=MOST_WAITING)
        self.path = path
        self.ended = False

    def serve(self) -> None:
        """Answer until `shutdown` is asked for or the process is told to end."""
        while not self.ended:
            try:
                caller, _ = self.channel.accept()
            except OSError:  # `end` has closed it
                break
            with caller:
                answer_safely(caller, self._answer, lambda text: json.dumps({"error": text}) + "\n", "control")
        self.path.unlink(missing_ok=True)

    def end(self) -> None:
        """Have `serve` return, after the answer that it is giving; for a signal's handler."""
        self.ended = True
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)

    def _answer(self, caller: socket.socket) -> None:
        line = one_line(caller, LONGEST_REQUEST)
        if not line:
            return
        if peer_of(caller)[0] != 0:
            raise Refused("only root may publish")
        request = json.loads(line)
        if not isinstance(request, dict):
            raise Refused("a request is a JSON object")
        answer = self._act(request.pop("op", None), request)
        caller.sendall(json.dumps(answer).encode() + b"\n")

    def _act(self, operation: object, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "publish":
            return self._publish(Server.model_validate(request))
        if operation == "unpublish":
            self._forget(str(request.get("key")))
            return {"unpublished": True}
        if operation == "shutdown":
            for key in list(self.mounts.servers):
                self._forget(key)
            self.ended = True
            return {"ended": True}
        raise Refused("the operations are publish, unpublish and shutdown")

    def _publish(self, server: Server) -> dict[str, Any]:
        if not server.succeeds(self.mounts.servers.get(server.key)):
            self._forget(server.key)
        self.mounts.publish(server)
        if server.key not in self.agents:
            self.agents[server.key] = AgentSocket(self.mounts, server.key)
        return {"control": str(self.agents[server.key].path), "view": str(self.mounts.view(server.key))}

    def _forget(self, key: str) -> None:
        if agent := self.agents.pop(key, None):
            agent.close()
        self.mounts.unpublish(key)
