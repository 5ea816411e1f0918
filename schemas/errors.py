"""Every error that a user can meet. Each one says what is wrong, where, and what to do about it.

The texts never hold an account id, an e-mail address, a note or a secret: they end up in logs and answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in something a person wrote or sent.

    ``code`` is a short, stable, bounded word (it may be a metric label); ``where`` a JSON path, or
    ``line 12, column 5``; ``remedy`` what to write or do instead.
    """

    code: str
    what: str
    where: str = ""
    remedy: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{remedy}"


class PlumblineError(Exception):
    """The parent of all. ``exit_code`` is what the command line ends with."""

    exit_code = 1

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class EventRefused(PlumblineError):
    """One event can't be used. Carries the one problem found first."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class BadInput(PlumblineError):
    """What was asked for can't be done as it was written."""

    exit_code = 2


class FileRefused(PlumblineError):
    """A file that a person wrote (ICP, mapping, settings) can't be used; holds all that was found, not just the first."""

    exit_code = 2

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(f"{name}: {count}\n{lines}")
        self.name = name
        self.problems = tuple(problems)


class Fenced(PlumblineError):
    """Another owner has taken this state partition over, or the offsets are not where this worker left them."""

    exit_code = 3


class StateRefused(PlumblineError):
    """Stored state has a version that this program can't read and has no migration for."""

    exit_code = 4


class StoreUnavailable(PlumblineError):
    """The store can't be reached, or can't write now. What was sent to it may be in or not; ask it again later."""

    exit_code = 5
