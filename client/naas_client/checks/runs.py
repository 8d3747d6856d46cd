"""Runs of work that a check is told about: by a `with` block, a decorator, or step by step."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import inspect
import time
import traceback
import uuid
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from naas_client.checks.addresses import checked
from naas_client.checks.pings import LONGEST_TEXT, SIGNALS, Ping
from naas_client.checks.sender import sender
from naas_client.durations import written
from naas_client.errors import InvalidInput

P = ParamSpec("P")
R = TypeVar("R")


def ping(check: str, signal: str = "", text: str = "", *, project: int | None = None, run: str = "") -> None:
    """Tell a check something, soon and in the background. Raises InvalidInput for what can never be sent, nothing else.

    Parameters: ``check``, its name (made at its first use) or ping address; ``signal``: empty for success, ``start``, ``fail``, ``log``,
    or an exit status 0–255; ``text``, of which the last 9 kB are sent; ``project``, by number, default: one's own; ``run``, a UUID
    that joins a start and an end.
    """
    if not SIGNALS.fullmatch(signal) or (signal.isdigit() and int(signal) > 255):
        raise InvalidInput(
            f"{signal[:50]!r} is no signal. Use start, fail, log, an exit status from 0 to 255, or nothing for success."
        )
    now = dt.datetime.now(dt.UTC)
    sender().put(Ping(check=checked(check), project=project, signal=signal, run=run, text=text[-LONGEST_TEXT:], at=now))


class Run:
    """One run of work. Its start is told at once, its end by `end` or `failed`; nothing here raises.

    Parameters: ``check``, ``project``: as for `ping`, already `checked`.
    """

    def __init__(self, check: str, project: int | None = None) -> None:
        self.check, self.project, self.id = check, project, str(uuid.uuid4())
        self._started = time.monotonic()
        self._tell("start", "")

    @property
    def duration(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._started

    def end(self, text: str = "", signal: str = "") -> None:
        """It is over: well, or with the exit status in ``signal``."""
        self._tell(signal, f"{text}\nIt took {written(self.duration)}.".lstrip())

    def failed(self, error: BaseException, *, skip: Callable[[TracebackType], bool] = lambda _: False) -> None:
        """An exception ended it. Parameters: ``skip``, whether a frame at the beginning of the traceback is nobody's business."""
        if isinstance(error, SystemExit) and error.code in (None, 0):
            self.end()
            return
        self._tell("fail", f"{_explained(error, skip)}\nIt took {written(self.duration)}.")

    def _tell(self, signal: str, text: str) -> None:
        with contextlib.suppress(Exception):
            ping(self.check, signal, text, project=self.project, run=self.id)


def _explained(error: BaseException, skip: Callable[[TracebackType], bool]) -> str:
    found = error.__traceback__
    while found is not None and skip(found):
        found = found.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, found))
    except Exception:  # an exception that cannot say what it is
        return type(error).__name__


def _end(run: Run, error: BaseException | None) -> None:
    if error is None or isinstance(error, GeneratorExit):  # a generator that nobody reads to its end has not failed
        run.end()
    else:
        run.failed(error)


@contextlib.contextmanager
def _running(check: str, project: int | None) -> Iterator[None]:
    run = Run(check, project)
    try:
        yield
    except BaseException as error:
        _end(run, error)
        raise
    _end(run, None)


class healthcheck:  # noqa: N801 - used as a function
    """Tell a check when a block or function begins and how it ends: ``with healthcheck("name"):`` or ``@healthcheck("name")``.

    Results and exceptions pass as if it were not there; of an exception the check is told type, text and traceback. Functions may be
    plain ones, coroutines and generators. Parameters: ``check``, the check's name (made at its first use) or ping address;
    ``project``, by number, default: one's own. Raises InvalidInput for a name that can be nobody's, before anything runs.
    """

    def __init__(self, check: str, *, project: int | None = None) -> None:
        self._check, self._project = checked(check), project
        self._runs: ContextVar[tuple[Run, ...]] = ContextVar("runs", default=())
        """Of this thread or task: one object may be in use in several."""

    def __enter__(self) -> Run:
        run = Run(self._check, self._project)
        self._runs.set((*self._runs.get(), run))
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, found: TracebackType | None
    ) -> None:
        runs = self._runs.get()
        if runs:
            self._runs.set(runs[:-1])
            _end(runs[-1], error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function."""
        if inspect.isasyncgenfunction(function):
            raise InvalidInput("An asynchronous generator cannot be decorated; put `with healthcheck(…):` into it.")
        running = functools.partial(_running, self._check, self._project)
        wrapped: Any
        if inspect.iscoroutinefunction(function):

            async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                with running():
                    return await function(*args, **kwargs)

        elif inspect.isgeneratorfunction(function):

            def wrapped(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
                with running():
                    return (yield from function(*args, **kwargs))

        else:

            def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
                with running():
                    return function(*args, **kwargs)

        made: Callable[P, R] = functools.wraps(function)(wrapped)
        return made
