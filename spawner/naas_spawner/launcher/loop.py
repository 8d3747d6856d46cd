"""The launcher's event loop: one thread, so that forking is safe, and nothing in it waits, so that a slow stop delays nobody."""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naas_client.errors import InvalidInput
from naas_client.processes import PR_SET_CHILD_SUBREAPER, prctl
from naas_client.sockets import listen

from naas_spawner.launcher import child as forked
from naas_spawner.launcher.children import Child, Children
from naas_spawner.launcher.protocol import LONGEST_LINE, REQUEST, Poll, Start, Stop, explain

log = logging.getLogger(__name__)

LINE_LIMIT = 10.0
"""Seconds a client may take for its line."""

MOST_WAITING = 256
"""Clients in the queue; one more is refused by the kernel."""

FIRST_GRACE = 10.0
"""Seconds for the servers when the launcher itself is told to end; the agents come after them."""


class Client:
    """One connection: a line comes, an answer goes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.line = b""
        self.deadline = time.monotonic() + LINE_LIMIT

    def answer(self, document: dict[str, Any]) -> None:
        """Send one line; a client that is gone misses it."""
        try:
            self.connection.sendall(json.dumps(document).encode() + b"\n")
        except OSError as error:
            log.info("a client left before its answer: %s", error)


class Stopping:
    """A process that was told to end: who waits for it, and until when."""

    def __init__(self, child: Child, deadline: float) -> None:
        self.child, self.deadline = child, deadline
        self.clients: list[Client] = []
        self.killed = False


class Launcher:
    """Parameters: ``path``, the control socket; ``state``, the file that outlives the launcher; ``agent_grace``, seconds for
    the agents' last uploads when the launcher is told to end.
    """

    def __init__(self, path: Path, state: Path, agent_grace: float = 60) -> None:
        self.path, self.agent_grace = path, agent_grace
        self.children = Children(state)
        self.selector = selectors.DefaultSelector()
        self.clients: set[Client] = set()
        self.stopping: dict[int, Stopping] = {}
        self.ending, self.end_asked = False, 0
        self.fork: Callable[[], None] | None = None
        self._wake, self._waker = socket.socketpair()
        self._listener: socket.socket

    def serve(self) -> Callable[[], None] | None:
        """Serve until SIGTERM and until all processes ended (killed at a second SIGTERM); in a fork, returns what the fork must do."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._listen_to_signals()
        for child in self.children.adopt():
            self._watch(child)
            log.info("%s %s goes on (pid %s)", child.kind, child.key, child.pid)
        self._listen()
        while not (self.ending and not self.children.running()):
            for key, _ in self.selector.select(self._timeout()):
                key.data()
                if self.fork:
                    return self.fork
            self._deadlines()
        self.path.unlink(missing_ok=True)
        return None

    def _listen_to_signals(self) -> None:
        for end in (self._wake, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_end)
        self.selector.register(self._wake, selectors.EVENT_READ, self._woken)

    def _asked_to_end(self, *_: object) -> None:
        """Only a note: the loop, woken by the signal, acts on it between two other things."""
        self.end_asked += 1

    def _listen(self) -> None:
        self._listener = listen(self.path, backlog=MOST_WAITING)
        self._listener.setblocking(False)
        self.selector.register(self._listener, selectors.EVENT_READ, self._accept)
        log.info("ready")

    # Connections

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        client = Client(connection)
        self.clients.add(client)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: Client) -> None:
        """Read up to the end of the first line and not a byte further: the second is for the child alone."""
        try:
            seen = client.connection.recv(4096, socket.MSG_PEEK)
            end = seen.find(b"\n") + 1
            client.line += client.connection.recv(end or len(seen))
        except BlockingIOError:
            return
        except OSError:
            seen = b""
            end = 0
        if not seen or len(client.line) > LONGEST_LINE:
            self._drop(client)
        elif end:
            self._handle(client)

    def _handle(self, client: Client) -> None:
        self.selector.unregister(client.connection)
        try:
            request = REQUEST.validate_json(client.line)
            if isinstance(request, Start):
                self._start(client, request)
            elif isinstance(request, Stop):
                self._stop(client, request)
            else:
                self._poll(client, request)
        except InvalidInput as error:
            self._finish(client, {"error": error.message})
        except ValueError as error:
            self._finish(client, {"error": explain(error)})
        except OSError as error:
            self._finish(client, {"error": f"The launcher could not do it: {error}"})

    def _finish(self, client: Client, document: dict[str, Any]) -> None:
        client.answer(document)
        self._drop(client)

    def _drop(self, client: Client) -> None:
        if client in self.clients:
            self.clients.discard(client)
            if client.connection.fileno() in self.selector.get_map():
                self.selector.unregister(client.connection)
            client.connection.close()

    # Requests

    def _start(self, client: Client, request: Start) -> None:
        self._check_start(request)
        if (old := self.children.get(request.kind, request.key)) is not None:
            self.children.kill_leftovers(old)
        client.answer({"send": True})
        if pid := os.fork():
            try:
                self.children.add(request.kind, request.key, pid, request.uid)
            except OSError:  # a child that no record knows of could never be stopped
                os.kill(pid, signal.SIGKILL)
                raise
            log.info("%s %s started (pid %s)", request.kind, request.key, pid)
            self._drop(client)
            return
        self._leave_launcher(client)
        client.connection.setblocking(True)
        mark = self.children.mark(request.kind, request.key)
        self.fork = lambda: forked.run(request, mark, client.connection)

    def _check_start(self, request: Start) -> None:
        if self.ending:
            raise InvalidInput("The launcher is ending. Try again when it is up again.")
        if os.geteuid() == 0 and not (request.uid and request.uid > 0):
            raise InvalidInput("A launcher that runs as root starts nothing as root: give a uid above 0.")
        if os.geteuid() != 0 and request.uid not in {None, os.geteuid()}:
            raise InvalidInput("Only a launcher that runs as root can start processes of another uid.")
        if (old := self.children.get(request.kind, request.key)) is not None and old.running:
            raise InvalidInput(f"The {request.kind} {request.key} runs already (pid {old.pid}). Stop it first.")

    def _leave_launcher(self, client: Client) -> None:
        """In the fork: close everything that is the launcher's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.selector.close()
        for end in (self._wake, self._waker, self._listener):
            end.close()
        for other in self.clients - {client}:
            other.connection.close()
        for waiting in self.stopping.values():
            for other in waiting.clients:
                other.connection.close()
        self.children.forget_descriptors()

    def _poll(self, client: Client, request: Poll) -> None:
        child = self.children.get(request.kind, request.key)
        running = child is not None and child.running
        self._finish(client, {"running": running, "pid": child and child.pid, "exit": child and child.exit})

    def _stop(self, client: Client, request: Stop) -> None:
        child = self.children.get(request.kind, request.key)
        if child is None or not child.running:
            if child is not None:
                self.children.kill_leftovers(child)
            self._finish(client, {"stopped": True})
            return
        self._ask_to_end(child, request.grace).clients.append(client)

    def _ask_to_end(self, child: Child, grace: float) -> Stopping:
        deadline = time.monotonic() + grace
        waiting = self.stopping.setdefault(child.pid, Stopping(child, deadline))
        waiting.deadline = min(waiting.deadline, deadline)
        child.remember_tree()
        self.children.signal(child, signal.SIGTERM)
        return waiting

    # What happens by itself

    def _watch(self, child: Child) -> None:
        """A predecessor's process is nobody's child we could wait for; its pidfd becomes readable at its end."""
        if child.pidfd is not None:
            self.selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._ended(child, None))

    def _woken(self) -> None:
        try:
            self._wake.recv(4096)
        except BlockingIOError:
            return
        if self.end_asked:
            self._end()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if child := self.children.by_pid(pid):
                self._ended(child, status)

    def _ended(self, child: Child, status: int | None) -> None:
        if not child.own and child.pidfd is not None:
            self.selector.unregister(child.pidfd)
        self.children.ended(child, status)
        log.info("%s %s ended (pid %s, exit %s)", child.kind, child.key, child.pid, child.exit)
        waiting = self.stopping.pop(child.pid, None)
        # A crashed agent leaves its mounts working; everything else that outlives its parent is a stray.
        if waiting or child.kind == "server":
            self.children.kill_leftovers(child)
        for client in waiting.clients if waiting else []:
            self._finish(client, {"stopped": True})
        if self.ending:
            self._end_agents()

    def _timeout(self) -> float | None:
        moments = [client.deadline for client in self._slow()]
        moments += [waiting.deadline for waiting in self.stopping.values() if not waiting.killed]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _slow(self) -> list[Client]:
        """Clients whose line has not come yet."""
        return [client for client in self.clients if not client.line.endswith(b"\n")]

    def _deadlines(self) -> None:
        now = time.monotonic()
        for client in self._slow():
            if client.deadline <= now:
                self._finish(client, {"error": f"No request came within {LINE_LIMIT:.0f} s."})
        for waiting in list(self.stopping.values()):
            if waiting.deadline <= now and not waiting.killed:
                waiting.killed = True
                waiting.child.remember_tree()
                self.children.signal(waiting.child, signal.SIGKILL)

    def _end(self) -> None:
        if not self.ending:
            self._begin_to_end()
        if self.end_asked > 1:
            for child in self.children.running():
                self._ask_to_end(child, 0)

    def _begin_to_end(self) -> None:
        self.ending = True
        servers = [child for child in self.children.running() if child.kind == "server"]
        log.info("ending: %s servers first, then the agents", len(servers))
        for child in servers:
            self._ask_to_end(child, FIRST_GRACE)
        self._end_agents()

    def _end_agents(self) -> None:
        """An agent ends after its server, so that what the server writes last is uploaded too."""
        running = self.children.running()
        busy = {child.key for child in running if child.kind == "server"}
        for child in running:
            if child.kind == "agent" and child.key not in busy and child.pid not in self.stopping:
                self._ask_to_end(child, self.agent_grace)
