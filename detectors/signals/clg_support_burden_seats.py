"""What the drift half of clg.support_burden knows of all customers: the elite's share of the seats, by size, day by day.

Rules:
1. Each month begins with a census: every customer tells its standing (elite.py) and its seats. A day later, when all have,
   the bar is fixed for the month and the seats on both sides of it are summed. Who leaves in between is taken out at once.
   Summed is by size (``size_of``), and a ticket is judged among customers of its size: a seat of a large one asks less, so one
   large customer who joins the elite would move the share of all seats much and that of the tickets little.
2. A ticket is judged by the bar and the share of the day on which it was written, however much later it is told: they are
   known before it. KEPT_DAYS are kept; a ticket is told eight days after it was written at the latest.
3. An outage is one event, not many: of a day count as many tickets as MOST_OF_USUAL usual days have, and SPARE.
4. How unevenly customers ask is kept of each census (``Spread``): tickets of 90 days, by customer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct, field

from detectors.signals.elite import BOARD, MONTH, Counts
from schemas.duration import DAY

KEPT_DAYS = 40
USUAL_DAYS = 28
MOST_OF_USUAL = 3.0
SPARE = 10
LARGEST = 10
MOST_SPREADS = 60
MOST_ASKED = 50
"""Tickets of one customer in 90 days; more are as many."""
_TOP = 0.1


class Spread(Struct, array_like=True, frozen=True):
    """Of the census at ``at`` (Unix seconds): the Gini index of tickets by customer, and the share of all tickets that was
    written by the tenth of customers who asked most (a point of the Lorenz curve)."""

    at: float
    gini: float
    top_tenth: float


class Census(Struct, array_like=True):
    """``seats`` by size and standing, ``asked``: customers by their number of tickets."""

    counts: Counts = field(default_factory=Counts)
    seats: dict[int, dict[int, float]] = {}
    asked: dict[int, int] = {}


class Day(Struct, array_like=True):
    """``number``: days since 1970. ``tickets`` that counted; the ``bar`` and the elite's ``shares`` by size as they were then;
    of a size without an elite, or without anybody else, there is none."""

    number: int
    bar: int
    shares: dict[int, float] = {}
    tickets: int = 0


class Community(Struct, array_like=True):
    """``month``: that of the newest census; ``census`` while it is taken. ``elite`` and ``whole``: seats by size. ``alone``:
    whether the board is the elite alone (elite.py)."""

    month: int = -1
    census: Census | None = None
    bar: int = BOARD
    elite: dict[int, float] = {}
    whole: dict[int, float] = {}
    days: list[Day] = []
    spreads: list[Spread] = []
    alone: bool = False


def size_of(seats: float) -> int:
    """1 below four seats, and one more with each time that they are four times as many, LARGEST at most. In usage, too."""
    return min(max((int(seats).bit_length() + 1) // 2, 1), LARGEST)


def count(community: Community, standing: int, seats: float, asked: int, at: float) -> None:
    """A customer's part in the census at ``at`` (Unix seconds). One that comes after the census is over counts in the next."""
    month = int(at // MONTH)
    if month > community.month:
        community.month, community.census = month, Census()
    census = community.census
    if census is None:
        return
    census.counts.add(standing)
    of_size = census.seats.setdefault(size_of(seats), {})
    of_size[standing] = of_size.get(standing, 0.0) + seats
    asked = min(max(asked, 0), MOST_ASKED)
    census.asked[asked] = census.asked.get(asked, 0) + 1


def leave(community: Community, standing: int, seats: float) -> None:
    """A customer who was counted is one no more."""
    census, size = community.census, size_of(seats)
    if census is not None:
        census.counts.add(standing, -1)
        _take_out(census.seats.get(size, {}), standing, seats)
    _take_out(community.whole, size, seats)
    if standing >= community.bar:
        _take_out(community.elite, size, seats)


def begin_day(community: Community, at: float, *, learning: bool) -> None:
    """Call it before anything that happens at ``at``: keeps what is known when a day begins, and ends a census. ``learning``: no
    baseline rests on who is elite yet."""
    number, days = int(at // DAY), community.days
    if days and number <= days[-1].number:
        return
    census = community.census
    if census is not None and at >= community.month * MONTH + DAY:
        if learning:
            community.alone = census.counts.board_speaks
        community.bar, community.census = census.counts.bar(alone=community.alone), None
        community.whole = {size: math.fsum(of_size.values()) for size, of_size in census.seats.items()}
        community.elite = {
            size: math.fsum(seats for standing, seats in of_size.items() if standing >= community.bar)
            for size, of_size in census.seats.items()
        }
        spread = spread_of(census.asked, community.month * MONTH)
        if spread is not None:
            community.spreads.append(spread)
            del community.spreads[:-MOST_SPREADS]
    elite, whole = community.elite, community.whole
    shares = {size: elite[size] / whole[size] for size in elite if 0 < elite[size] < whole[size]}
    days.append(Day(number, community.bar, shares))
    del days[:-KEPT_DAYS]


def day_of(community: Community, began: float) -> Day:
    """The day on which a ticket was written; the nearest before it on which something happened, else the first that is kept.
    Needs ``begin_day``."""
    number, days = int(began // DAY), community.days
    return next((day for day in reversed(days) if day.number <= number), days[0])


def takes_another(community: Community, day: Day) -> bool:
    """Counts one more ticket of ``day``, unless it is one of too many. Without USUAL_DAYS before it nobody knows what is
    usual."""
    first = day.number - USUAL_DAYS
    if community.days[0].number <= first:
        usual = sum(each.tickets for each in community.days if first <= each.number < day.number) / USUAL_DAYS
        if day.tickets >= MOST_OF_USUAL * usual + SPARE:
            return False
    day.tickets += 1
    return True


def _take_out(of: dict[int, float], key: int, seats: float) -> None:
    """No sum goes below 0, and none begins with who leaves."""
    if key in of:
        of[key] = max(of[key] - seats, 0.0)


def spread_of(asked: Mapping[int, int], at: float) -> Spread | None:
    """From customers by their number of tickets; None where nobody asked."""
    customers = sum(asked.values())
    tickets = sum(number * each for number, each in asked.items())
    if not tickets:
        return None
    below = under = 0.0  # the area under the Lorenz curve, from who asks least on
    top, left = 0.0, _TOP * customers
    for number in sorted(asked):
        part = number * asked[number] / tickets
        under += asked[number] / customers * (below + part / 2)
        below += part
    for number in sorted(asked, reverse=True):
        of_top = min(float(asked[number]), left)
        top += number * of_top
        left -= of_top
    return Spread(at, 1 - 2 * under, top / tickets)
