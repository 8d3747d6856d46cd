"""One part of the running product: how it is started, when it is ready, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from naas_client.answers import answers
from naas_client.processes import end_with_parent

READY_POLL = 0.02
"""Seconds between two looks at a part that is starting; a look costs less than a millisecond."""

HARMLESS = ("LANG", "LC_ALL", "PATH", "TZ")
"""Variables that even the parent of people's servers may have: a forked server shows its parent's environment in /proc."""
INHERITED = (
    *HARMLESS,
    *(
        "HOME",
        "LOGNAME",
        "TMPDIR",
        "USER",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    ),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Variables of the operator's shell that parts get; all others may hold secrets and stay behind."""


@dataclass(frozen=True)
class PartSpec:
    """What the supervisor must know about a part.

    Parameters: ``ready``, an http address that answers below 500 and not 404 (a proxy without the route), or a Unix
    socket's path that accepts; ``url``, what people see; ``inherits``, the operator's variables it gets; ``environment``,
    added to those; ``secrets``, variables of this process alone, each with the file of its value (only for programs of
    others that take a secret in no other way); ``needs``, names of parts that must be ready before; ``namespace``, whether it
    runs in the private mount namespace; ``start_limit`` and ``stop_limit``, seconds.
    """

    name: str
    argv: tuple[str, ...]
    ready: str | Path
    url: str = ""
    inherits: tuple[str, ...] = INHERITED
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    namespace: bool = False
    start_limit: float = 60
    stop_limit: float = 15


class PartFailed(Exception):
    """A part ended or did not become ready; the message ends with the last lines of its log."""


def _environment(spec: PartSpec) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in spec.inherits if name in os.environ}
    secrets = {name: file.read_text().strip() for name, file in spec.secrets.items()}
    return {**inherited, **spec.environment, **secrets}


def log_tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


class RunningPart:
    """A started part: a process in a session of its own, which ends when its parent does."""

    def __init__(self, spec: PartSpec, log: Path, prefix: tuple[str, ...] = (), pass_fds: tuple[int, ...] = ()) -> None:
        self.spec, self.log = spec, log
        self.started = time.monotonic()
        self.seconds_to_ready: float | None = None
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = subprocess.Popen(
                [*prefix, *spec.argv],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=_environment(spec),
                start_new_session=True,
                preexec_fn=end_with_parent,  # no threads of ours exist when parts are started
                pass_fds=pass_fds,
            )
        finally:
            os.close(descriptor)
        self.created = psutil.Process(self.process.pid).create_time()

    def answers(self) -> bool:
        """Whether the part answers now; a look never waits long (`naas_client.answers`)."""
        return answers(self.spec.ready)

    def wait_ready(self) -> None:
        """Return when the part answers. Raises PartFailed when it ends before, or after ``start_limit`` seconds."""
        end = self.started + self.spec.start_limit
        while not self.answers():
            if (code := self.process.poll()) is not None:
                raise PartFailed(f"{self.spec.name} ended with {code}:\n{log_tail(self.log)}")
            if time.monotonic() > end:
                raise PartFailed(
                    f"{self.spec.name} did not answer within {self.spec.start_limit:.0f} s:\n{log_tail(self.log)}"
                )
            time.sleep(READY_POLL)
        self.seconds_to_ready = time.monotonic() - self.started

    def terminate(self) -> None:
        """Ask the part to end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def wait_stopped(self) -> None:
        """Wait for the end that `terminate` asked for; after ``stop_limit`` seconds the whole session is killed."""
        try:
            self.process.wait(self.spec.stop_limit)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the part's whole session at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class RestartablePart:
    """A part that can be stopped and started again on the same port, with the same data: what tests of faults use."""

    def __init__(self, spec: PartSpec, log: Path) -> None:
        self.spec, self.log, self.url = spec, log, spec.url
        self.part: RunningPart | None = None

    def start(self) -> None:
        """Start it and wait until it answers; does nothing when it runs. Raises PartFailed when it does not come up."""
        if self.part is None or self.part.process.poll() is not None:
            self.part = RunningPart(self.spec, self.log)
            self.part.wait_ready()

    def stop(self) -> None:
        """Stop it as `naas up` does; does nothing when it is stopped."""
        if self.part is not None:
            self.part.terminate()
            self.part.wait_stopped()
            self.part = None

    def kill(self) -> None:
        """End it and its children with SIGKILL, so that it can save nothing more; does nothing when it is stopped."""
        if self.part is not None:
            self.part.kill()
            self.part = None


@contextlib.contextmanager
def running(spec: PartSpec, logs: Path) -> Iterator[RunningPart]:
    """A part for the length of a `with` block, ready at its start and ended for certain: what tests use."""
    logs.mkdir(parents=True, exist_ok=True)
    part = RunningPart(spec, logs / f"{spec.name}.log")
    try:
        part.wait_ready()
        yield part
    finally:
        part.terminate()
        part.wait_stopped()
