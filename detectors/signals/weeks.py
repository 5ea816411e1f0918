"""Observations counted by the week (Monday, UTC) in which what they measure began.

Whole weeks keep the weekday pattern out of every comparison. A history holds at most MAX_WEEKS; older weeks are dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from schemas.duration import DAY, WEEK

MAX_WEEKS = 260
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC).timestamp()


class Week(Struct, array_like=True):
    """``start`` in Unix seconds; ``statistic`` is the detector's at the newest observation of the week."""

    start: float
    n: int
    ones: int
    statistic: float


AnyWeek = TypeVar("AnyWeek", bound=Week)


def week_start(at: float) -> float:
    """Midnight (UTC) of the Monday at or before ``at``."""
    return _MONDAY + (at - _MONDAY) // WEEK * WEEK


def week_of(weeks: list[AnyWeek], began: float, new: Callable[[float], AnyWeek]) -> AnyWeek | None:
    """The week in which ``began`` falls, made by ``new(start)`` if need be; None where that is older than the history
    reaches."""
    start = week_start(began)
    at = len(weeks)
    if weeks and start <= weeks[-1].start:
        at = bisect_left(weeks, start, key=lambda week: week.start)
    if at == len(weeks) or weeks[at].start != start:
        if at == 0 and len(weeks) == MAX_WEEKS:
            return None
        weeks.insert(at, new(start))
        if len(weeks) > MAX_WEEKS:
            del weeks[0]
            at -= 1
    return weeks[at]


def count_in(weeks: list[Week], began: float, ones: int) -> Week | None:
    """Adds one observation; the week that it fell in, or None where that is older than the history reaches."""
    week = week_of(weeks, began, lambda start: Week(start, 0, 0, 0.0))
    if week is not None:
        week.n += 1
        week.ones += ones
    return week


def total(weeks: Sequence[Week], since: float, until: float = float("inf")) -> tuple[int, int]:
    """(observations, ones) of the weeks that start in [since, until)."""
    chosen = [week for week in weeks if since <= week.start < until]
    return sum(week.n for week in chosen), sum(week.ones for week in chosen)


def merge(into: list[Week], other: list[Week]) -> None:
    """Adds the counts of ``other`` to ``into``; only for histories whose statistics mean nothing yet."""
    at = {week.start: week for week in into}
    for week in other:
        if week.start in at:
            at[week.start].n += week.n
            at[week.start].ones += week.ones
        else:
            into.append(Week(week.start, week.n, week.ones, 0.0))
    into.sort(key=lambda week: week.start)
    del into[:-MAX_WEEKS]


def flow_per_day(weeks: Sequence[Week], newest: float, span: int = 4) -> float | None:
    """Observations a day over the last ``span`` weeks that were over before the week of ``newest``; None without them."""
    until = week_start(newest)
    since = until - span * WEEK
    if not weeks or weeks[0].start > since:
        return None
    return total(weeks, since, until)[0] / (span * WEEK / DAY)
