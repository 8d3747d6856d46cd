"""Starts the parts, watches them, restarts what dies, stops everything: the only parent of the product on a laptop."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
from naas_client.files import write_private_json

from naas_local.data import DataFolder
from naas_local.parts import READY_POLL, PartFailed, PartSpec, RunningPart, log_tail

WATCH_POLL = 0.25
"""Seconds between two looks at running parts; waitpid(2) only, no traffic."""
HURRY = 3.0
"""Seconds for each part to end after a second Ctrl-C."""
SAME_START = 0.05
"""Seconds by which two readings of one process's start time may differ (clock ticks are 10 ms)."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a part that died is started again: doubled at each death, reset after it ran for LONGEST_PAUSE."""


@dataclass
class Supervised:
    """A part and its life so far. ``state``: waiting, starting, ok, restarting, failed, stopped."""

    spec: PartSpec
    state: str = "waiting"
    process: RunningPart | None = None
    seconds_to_ready: float | None = None
    pause: float = FIRST_PAUSE
    due: float = 0.0
    problem: str = ""
    deaths: int = field(default=0)


class Supervisor:
    """All parts of one data folder.

    Parameters: ``specs`` in stop order reversed; ``namespace``, descriptor of the private mount namespace or None;
    ``changed``, called after every change of state (the live table).
    """

    def __init__(
        self,
        data: DataFolder,
        url: str,
        specs: list[PartSpec],
        namespace: int | None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.data, self.url, self.namespace, self.changed = data, url, namespace, changed
        self.parts = {spec.name: Supervised(spec) for spec in specs}
        self._stop_signals = 0
        self._first_readiness = True

    @property
    def ready(self) -> bool:
        """Whether every part answers."""
        return all(part.state == "ok" for part in self.parts.values())

    def run(self) -> None:
        """Start, watch until SIGINT or SIGTERM, stop. Raises PartFailed when a part cannot be started the first time."""
        handlers = {number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._publish()
            while not self._stop_signals:
                self._step()
                time.sleep(READY_POLL if not self.ready else WATCH_POLL)
        finally:
            self.stop()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _ask_to_stop(self, *_: object) -> None:
        self._stop_signals += 1

    def _step(self) -> None:
        for part in self.parts.values():
            if part.state in ("waiting", "restarting"):
                self._start_when_due(part)
            elif part.process and (code := part.process.process.poll()) is not None:
                self._died(part, code)
            elif part.state == "starting" and part.process:
                self._look(part)
        if self.ready:
            self._first_readiness = False

    def _start_when_due(self, part: Supervised) -> None:
        if time.monotonic() < part.due or any(
            self.parts[need].state != "ok" for need in part.spec.needs if need in self.parts
        ):
            return
        prefix, fds = self._into_namespace(part.spec)
        part.process = RunningPart(part.spec, self.data.logs / f"{part.spec.name}.log", prefix, fds)
        self._set(part, "starting")

    def _into_namespace(self, spec: PartSpec) -> tuple[tuple[str, ...], tuple[int, ...]]:
        if self.namespace is None or not spec.namespace:
            return (), ()
        return ("nsenter", f"--mount=/proc/self/fd/{self.namespace}", "--"), (self.namespace,)

    def _look(self, part: Supervised) -> None:
        process = part.process
        assert process is not None  # noqa: S101 - a part in state "starting" has a process
        waited = time.monotonic() - process.started
        if process.answers():
            part.seconds_to_ready = waited
            part.problem = ""
            self._set(part, "ok")
        elif waited > part.spec.start_limit:
            process.terminate()
            process.wait_stopped()
            self._failed(part, f"{part.spec.name} did not answer within {part.spec.start_limit:.0f} s")

    def _died(self, part: Supervised, code: int) -> None:
        process = part.process
        ran = time.monotonic() - process.started if process else 0
        part.pause = FIRST_PAUSE if ran > LONGEST_PAUSE else min(part.pause * 2, LONGEST_PAUSE)
        self._failed(part, f"{part.spec.name} ended with {code}")

    def _failed(self, part: Supervised, problem: str) -> None:
        """At first start a failure ends `naas up` with the log's last lines; later the part is started again."""
        part.deaths += 1
        part.problem = problem
        if self._first_readiness and part.seconds_to_ready is None:
            self._set(part, "failed")
            log = self.data.logs / f"{part.spec.name}.log"
            raise PartFailed(f"{problem}. The last lines of {log}:\n{log_tail(log)}")
        part.due = time.monotonic() + part.pause
        self._set(part, "restarting")

    def _set(self, part: Supervised, state: str) -> None:
        part.state = state
        self._publish()
        self.changed()

    def _publish(self) -> None:
        write_private_json(self.data.state, self.document())

    def document(self) -> dict[str, object]:
        """What `naas status --json` prints, plus the process ids that a later start needs to find leftovers."""
        me = psutil.Process()
        return {
            "ready": self.ready,
            "url": self.url,
            "pid": me.pid,
            "created": me.create_time(),
            "parts": [self._row(part) for part in self.parts.values()],
        }

    def _row(self, part: Supervised) -> dict[str, object]:
        seconds = part.seconds_to_ready
        return {
            "name": part.spec.name,
            "state": part.state,
            "url": part.spec.url,
            "seconds_to_ready": None if seconds is None else round(seconds, 2),
            "log": str(self.data.logs / f"{part.spec.name}.log"),
            "problem": part.problem,
            "pid": part.process.process.pid if part.process else None,
            "created": part.process.created if part.process else None,
        }

    def stop(self) -> None:
        """End all parts, the last started first; a second Ctrl-C gives each of them `HURRY` seconds at most."""
        for part in reversed(list(self.parts.values())):
            if part.process and part.process.process.poll() is None:
                part.process.terminate()
                self._wait_end(part.process)
            self._set(part, "stopped")
        if self.namespace is not None:
            os.close(self.namespace)
            self.namespace = None

    def _wait_end(self, process: RunningPart) -> None:
        end, hurried = time.monotonic() + process.spec.stop_limit, False
        while process.process.poll() is None:
            if self._stop_signals > 1 and not hurried:
                end, hurried = time.monotonic() + HURRY, True
                process.terminate()  # said twice: the launcher then kills people's servers, which are not of its session
            if time.monotonic() > end:
                process.kill()
                return
            time.sleep(READY_POLL)


def same_process(pid: object, created: object) -> psutil.Process | None:
    """The process with this pid, if it is still the one that was started at ``created`` (pids are used again)."""
    if not isinstance(pid, int) or not isinstance(created, float):
        return None
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < SAME_START else None
    except psutil.NoSuchProcess:
        return None


def read_state(folder: DataFolder) -> dict[str, Any]:
    """The supervisor's document; all parts "stopped" when no supervisor lives."""
    document: dict[str, Any] = {"ready": False, "url": "", "parts": []}
    if folder.state.exists():
        document = json.loads(folder.state.read_text())
        if same_process(document.get("pid"), document.get("created")) is None:
            document["ready"] = False
            for part in document["parts"]:
                part["state"] = "stopped"
    keys = ("name", "state", "url", "seconds_to_ready", "log")
    parts = [{key: part[key] for key in keys} for part in document["parts"]]
    return {"ready": document["ready"], "url": document["url"], "parts": parts}


def end_leftovers(document: dict[str, object], limit: float = 20) -> list[str]:
    """End the parts of a supervisor that was killed: only the very processes it recorded, by pid and start time.

    Returns the names of the parts that were still there. Parameters: ``limit``, seconds for a gentle end.
    """
    rows = document.get("parts")
    found: dict[str, psutil.Process] = {}
    for row in rows if isinstance(rows, list) else []:
        if process := same_process(row.get("pid"), row.get("created")):
            found[str(row["name"])] = process
    for process in found.values():
        process.terminate()
    _, alive = psutil.wait_procs(list(found.values()), timeout=limit)
    for process in alive:
        process.kill()
    return sorted(found)
