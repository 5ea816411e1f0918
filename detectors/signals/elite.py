"""Who is elite: the customers whom a community listens to.

They sit on the advisory board (``advisory_board``). Where fewer than BOARD_ALONE customers do, or nobody says, it is also who is
in the top TOP_SHARE of paying customers by product events a seat over 90 days. A board that is large enough speaks for itself:
who uses much today is not who is listened to, and comes and goes. Nobody can know alone whether it is in the top tenth, so
the two halves of a signal share the work:

1. The account half counts use from month to month (``begin_month``; 30 days) and tells the account's *standing* with what it
   observes: how much it uses the product by seat, as a number of RESOLUTION steps a doubling, and whether it is on the board.
   Where the account has been heard of for less than 90 days, its use so far is scaled to 90.
2. The drift half counts standings and fixes the bar for the next month (``Counts.bar``). Elite is who stands at it or above.
3. A standing holds for the month: who uses the product more, or is asked onto the board, is elite from the next one on.
4. Whether the board speaks for itself is kept from when a baseline was frozen: a board that grows past BOARD_ALONE would make
   another elite overnight, and that would look like drift.

All is bounded: a standing is one of a few hundred numbers, whatever the events say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from schemas.duration import DAY

MONTH = 30 * DAY
MONTHS = 3
TOP_SHARE = 0.1
FEWEST_CUSTOMERS = 20
"""Among fewer nobody is in a top tenth: then the board alone is the elite."""
BOARD_ALONE = 20
RESOLUTION = 8
_LEAST = 2.0**-8
"""Product events a seat in 90 days, from which on somebody uses it at all."""
_MOST_LEVEL = 249
UNKNOWN = -1
"""The standing of who has not been heard of for a month and is not on the board."""
BOARD = 256
"""Is added to the standing of who is on the board; so it is above every bar."""
HIGHEST = BOARD + _MOST_LEVEL
MOST_SEATS = 1_000_000.0


def begin_month(marks: list[int], used: int) -> float | None:
    """Product events over the 90 days that are over now, ``used`` having been heard of ever; None in the first month. Call it
    when the account is first heard of, and then once a month. ``marks`` is what is remembered of it, changed in place."""
    marks.append(used)
    del marks[: -MONTHS - 1]
    months = len(marks) - 1
    return (used - marks[0]) * MONTHS / months if months else None


def seats_of(attributes: Mapping[str, Any]) -> float:
    """At least 1, which is also where the profile has none; at most MOST_SEATS."""
    seats = attributes.get("seats")
    if isinstance(seats, bool) or not isinstance(seats, int | float):
        return 1.0
    return float(min(max(seats, 1.0), MOST_SEATS))


def standing_of(attributes: Mapping[str, Any], use: float | None) -> int:
    """``use``: product events over 90 days, None where nobody knows yet."""
    board = attributes.get("advisory_board") is True
    if use is None:
        return BOARD if board else UNKNOWN
    by_seat = use / seats_of(attributes)
    level = 0
    if by_seat >= _LEAST:
        level = min(1 + int(RESOLUTION * math.log2(by_seat / _LEAST)), _MOST_LEVEL)
    return level + BOARD if board else level


class Counts(Struct, array_like=True):
    """Customers by how much they use the product, board or not, and how many are on the board."""

    by_level: dict[int, int] = field(default_factory=dict)
    board: int = 0

    def add(self, standing: int, number: int = 1) -> None:
        """Below 0 no count goes. Who has no standing yet counts nowhere."""
        if standing == UNKNOWN:
            return
        if standing >= BOARD:
            self.board = max(self.board + number, 0)
        level = standing % BOARD
        left = self.by_level.get(level, 0) + number
        if left > 0:
            self.by_level[level] = left
        else:
            self.by_level.pop(level, None)

    @property
    def board_speaks(self) -> bool:
        """Whether the board is large enough to be the elite alone."""
        return self.board >= BOARD_ALONE

    def bar(self, *, alone: bool) -> int:
        """The lowest standing that is elite: at it and above are at most TOP_SHARE of all, and nobody who does not use the
        product. BOARD where there are too few customers, or where the board is the elite alone."""
        customers = sum(self.by_level.values())
        bar, above = BOARD, 0
        if customers < FEWEST_CUSTOMERS or alone:
            return bar
        for level in sorted(self.by_level, reverse=True):
            above += self.by_level[level]
            if above > TOP_SHARE * customers or not level:
                break
            bar = level
        return bar


class MonthlyBar(Struct, array_like=True):
    """For standings that are told at any time of the month: the bar of a month is that of what was told in the month before.
    ``bar`` is None until a month with standings is over."""

    month: int = -1
    counts: Counts = field(default_factory=Counts)
    bar: int | None = None
    alone: bool = False

    def take(self, standing: int, at: float, *, learning: bool) -> bool | None:
        """Counts a standing that is told at ``at`` (Unix seconds), and says whether it is elite; None where nobody knows.
        ``learning``: no baseline rests on who is elite yet."""
        month = int(at // MONTH)
        if month > self.month:
            if self.counts.by_level:
                if learning:
                    self.alone = self.counts.board_speaks
                self.bar, self.counts = self.counts.bar(alone=self.alone), Counts()
            self.month = month
        self.counts.add(standing)
        return None if self.bar is None else standing >= self.bar
