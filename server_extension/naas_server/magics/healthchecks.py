"""``%%healthcheck NAME``: a check is told when the cell begins and how it ends; ``%healthchecks``: a table of one's checks.

IPython runs such a cell itself, as if its first line were not there, so results, errors, ``await`` and interrupts are its own. The line
is taken out when the cell is read, and the check is told by IPython's events before and after.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naas_client.checks import Run

_LINE = re.compile(r"\s*%%healthcheck(?:[ \t]+(.*))?")
USAGE = "Write %%healthcheck NAME in the first line of a cell, for example: %%healthcheck nightly calibration."


def install(shell: Any) -> None:
    """Give a shell both magics."""
    shell.register_magic_function(_misused, "cell", "healthcheck")
    shell.register_magic_function(table, "line", "healthchecks")
    shell.input_transformers_cleanup.insert(0, without_line)
    cells = Cells()
    shell.events.register("pre_run_cell", cells.begin)
    shell.events.register("post_run_cell", cells.end)


def wish(text: str) -> tuple[str, int | None]:
    """Name and project of the check that a line asks for. Raises InvalidInput."""
    from naas_client.checks.addresses import checked
    from naas_client.errors import InvalidInput

    try:
        words = shlex.split(text)
    except ValueError:
        raise InvalidInput("A quote is not closed. Close it.") from None
    project = None
    if "--project" in words:
        at = words.index("--project")
        number = words[at + 1 : at + 2]
        if not number or not number[0].isdecimal():
            raise InvalidInput("--project needs the number of a project; %healthchecks shows them.")
        project = int(number[0])
        del words[at : at + 2]
    if not words or any(word.startswith("-") for word in words):
        raise InvalidInput(USAGE)
    return checked(" ".join(words)), project


def without_line(lines: list[str]) -> list[str]:
    """IPython's input transformer: a cell that can be run is one without our line."""
    found = _first(lines)
    if found is None:
        return lines
    try:
        wish(found[1])
    except Exception:
        return lines  # `_misused` says what is wrong
    return [*lines[: found[0]], *lines[found[0] + 1 :]] or [""]


def _first(lines: list[str]) -> tuple[int, str] | None:
    """Which line is ours, and what stands behind the magic's name; only the first with anything in it can be."""
    at = next((number for number, line in enumerate(lines) if line.strip()), None)
    if at is None or not (found := _LINE.fullmatch(lines[at].rstrip())):
        return None
    return at, found[1] or ""


def _quietly(function: Callable[..., None]) -> Callable[..., None]:
    """Whatever becomes of it, nothing is shown in a cell."""

    @functools.wraps(function)
    def quiet(*args: Any) -> None:
        with contextlib.suppress(Exception):
            function(*args)

    return quiet


class Cells:
    """The cells that run now, the innermost last (a cell may run others)."""

    def __init__(self) -> None:
        self._open: list[tuple[Any, Run]] = []

    @_quietly
    def begin(self, info: Any) -> None:
        """IPython's ``pre_run_cell``."""
        found = _first((info.raw_cell or "").splitlines())
        if found is None:
            return
        from naas_client.checks import Run

        self._open.append((info, Run(*wish(found[1]))))

    @_quietly
    def end(self, result: Any = None) -> None:
        """IPython's ``post_run_cell``; no result: the cell was cancelled."""
        if not self._open or (result is not None and result.info is not self._open[-1][0]):
            return
        run = self._open.pop()[1]
        error = KeyboardInterrupt() if result is None else result.error_before_exec or result.error_in_exec
        if error is None:
            run.end()
        else:
            run.failed(error, skip=_is_ipythons)


def _is_ipythons(frame: TracebackType) -> bool:
    return "IPython" in frame.tb_frame.f_code.co_filename.replace("\\", "/").split("/")


def _misused(line: str, _cell: str) -> None:
    """Tell a healthcheck when this cell begins and how it ends.

    %%healthcheck NAME [--project N]

    NAME is made at its first use; its ping address will do as well. Start, end and duration are told in the background, of an error its
    text and traceback. The cell's results and errors are its own, whatever becomes of it: while the server is away, pings are sent later
    and say so; `%healthchecks` shows which wait.
    """
    from IPython.core.error import UsageError
    from naas_client.errors import NaasError

    try:
        wish(line)
    except NaasError as error:
        raise UsageError(error.message) from None
    raise UsageError(USAGE)


def table(line: str) -> Any:
    """Your healthchecks, the ones in trouble first, and what has not arrived yet.

    %healthchecks [TEXT]     only those with TEXT in their name, slug or tags
    """
    from IPython.core.error import UsageError
    from naas_client.errors import NaasError

    from naas_server.magics.views import ChecksView

    try:
        return ChecksView.now(line.strip())
    except NaasError as error:
        raise UsageError(error.message) from None
