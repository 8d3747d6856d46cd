"""What could not be used, collected while files are read."""

from __future__ import annotations

from collections.abc import Iterator

from naas_client.models import CatalogueProblem

MAX_PROBLEMS = 1000


class Report:
    """Problems of one catalogue; `of` gives the view of one file."""

    def __init__(self, source: str = "", file: str = "", problems: list[CatalogueProblem] | None = None) -> None:
        self.source = source
        self.file = file
        self.problems: list[CatalogueProblem] = [] if problems is None else problems

    def of(self, source: str, file: str = "") -> Report:
        """The same collection, for another file."""
        return Report(source, file, self.problems)

    def error(self, message: str, line: int | None = None) -> None:
        """Something is left out or cannot be deployed."""
        self._add(CatalogueProblem(source=self.source, file=self.file, line=line, message=message))

    def warning(self, message: str, line: int | None = None) -> None:
        """Something is ignored, and the rest works."""
        self._add(CatalogueProblem(source=self.source, file=self.file, line=line, message=message, severity="warning"))

    def _add(self, problem: CatalogueProblem) -> None:
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def errors(self) -> Iterator[CatalogueProblem]:
        """Errors of this file."""
        for problem in self.problems:
            if (problem.source, problem.file, problem.severity) == (self.source, self.file, "error"):
                yield problem
